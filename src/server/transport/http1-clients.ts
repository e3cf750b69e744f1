/**
 * How long clients of HTTP/1.1 may take: for the head of a request, and from there until it is
 * answered whole. Node's server keeps these times only for sockets that it has accepted itself;
 * those of the client port are handed to it, so a client that sends or reads a byte now and then
 * would stay for ever. A socket is forgotten when it is closed.
 *
 * An answer that says that it takes long ('long', of the response) may, as long as what there is
 * of it is taken: a watch may be quiet for hours.
 */

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../base/env.js';
import { socketOf } from '../web/paced-socket.js';

export interface Http1Limits {
  /** Milliseconds from the first byte, or the answer before, to the end of a request's head. */
  readonly headMs: number;
  /** Milliseconds from there until the answer has left. */
  readonly answerMs: number;
}

interface Client {
  /** By when it must have come further. */
  until: number;
  /** The answer that takes long. */
  long: ServerResponse | undefined;
  /** Of the connection, when it was last looked at. */
  written: number;
}

export class Http1Clients {
  readonly #server: Server;
  readonly #clock: Clock;
  readonly #limits: Http1Limits;
  readonly #clients = new Map<Socket, Client>();

  constructor(server: Server, clock: Clock, limits: Http1Limits) {
    this.#server = server;
    this.#clock = clock;
    this.#limits = limits;
    server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => this.#began(socketOf(request.socket), response));
  }

  /** `first`: what it has said already. */
  take(socket: Socket, first: Buffer): void {
    this.#clients.set(socket, { until: this.#clock.now() + this.#limits.headMs, long: undefined, written: 0 });
    socket.on('close', () => this.#clients.delete(socket));
    socket.pause();
    socket.unshift(first);
    this.#server.emit('connection', socket);
    socket.resume();
  }

  /** Closes those that have not come further in time. */
  tick(now: number): void {
    for (const [socket, client] of this.#clients) {
      if (now < client.until) continue;
      if (client.long !== undefined && isTaken(client, client.long, socket)) client.until = now + this.#limits.answerMs;
      else socket.destroy();
    }
  }

  /** Between two requests: they are not waited for. */
  closeIdle(): void {
    this.#server.closeIdleConnections();
  }

  #began(socket: Socket, response: ServerResponse): void {
    const client = this.#clients.get(socket);
    if (client === undefined) return;
    client.until = this.#clock.now() + this.#limits.answerMs;
    response.on('long', () => {
      client.long = response;
      client.written = socket.bytesWritten;
    });
    response.on('finish', () => {
      if (client.long === response) client.long = undefined;
      client.until = this.#clock.now() + this.#limits.headMs;
    });
  }
}

/** Nothing waits to be taken, or some of it was. */
function isTaken(client: Client, response: ServerResponse, socket: Socket): boolean {
  const moved = socket.bytesWritten - socket.writableLength;
  const taken = moved > client.written || response.writableLength + socket.writableLength === 0;
  client.written = moved;
  return taken;
}
