/**
 * How long clients of HTTP/1.1 may take: for the head of a request, and from there until it is
 * answered whole. Node's server keeps these times only for sockets that it has accepted itself;
 * those of the client port are handed to it, so a client that sends or reads a byte now and then
 * would stay for ever. A socket is forgotten when it is closed.
 */

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../base/env.js';

export interface Http1Limits {
  /** Milliseconds from the first byte, or the answer before, to the end of a request's head. */
  readonly headMs: number;
  /** Milliseconds from there until the answer has left. */
  readonly answerMs: number;
}

export class Http1Clients {
  readonly #server: Server;
  readonly #clock: Clock;
  readonly #limits: Http1Limits;
  /** By when each must have come further. */
  readonly #until = new Map<Socket, number>();

  constructor(server: Server, clock: Clock, limits: Http1Limits) {
    this.#server = server;
    this.#clock = clock;
    this.#limits = limits;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => this.#began(request.socket, response));
  }

  /** `first`: what it has said already. */
  take(socket: Socket, first: Buffer): void {
    this.#until.set(socket, this.#clock.now() + this.#limits.headMs);
    socket.on('close', () => this.#until.delete(socket));
    socket.pause();
    socket.unshift(first);
    this.#server.emit('connection', socket);
    socket.resume();
  }

  /** Closes those that have not come further in time. */
  tick(now: number): void {
    for (const [socket, until] of this.#until) if (now >= until) socket.destroy();
  }

  /** Between two requests: they are not waited for. */
  closeIdle(): void {
    this.#server.closeIdleConnections();
  }

  #began(socket: Socket, response: ServerResponse): void {
    if (!this.#until.has(socket)) return;
    this.#until.set(socket, this.#clock.now() + this.#limits.answerMs);
    response.on('finish', () => {
      if (this.#until.has(socket)) this.#until.set(socket, this.#clock.now() + this.#limits.headMs);
    });
  }
}
