/**
 * The port that clients connect to: it accepts, finds out what is spoken, and hands the bytes of
 * HTTP/2 to the connection that is a function of them. HTTP/1.1 goes to Node's own server, as on
 * etcd's client port. It holds no call; what it counts is sockets, and each is given back when it
 * is closed, whoever closes it.
 *
 * Connections are bounded, so that descriptors are left for files and peers; what comes above the
 * bound is closed at once. A client of HTTP/2 that closes its side of the socket has gone, as for
 * grpc-go: what was answered by then is sent, and what still runs is cancelled. One of HTTP/1.1 may
 * close it behind its last request, and is answered, as Go's server does.
 */

import type { Server as HttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock, Timer } from '../../base/env.js';
import { messageOf } from '../../base/errors.js';
import type { EventSink } from '../../base/events.js';
import { ServerConnection } from '../../http2/connection.js';
import type { Http2Limits } from '../../http2/limits.js';
import { Http2Pool } from '../../http2/pool.js';
import type { GrpcServer } from '../../grpc/server.js';
import type { RequestHandler } from '../../http2/request-handler.js';
import { BACKLOG } from '../tls/backlog.js';
import type { ServerTls } from '../tls/server-tls.js';
import { protocolOf } from './first-bytes.js';
import { setUser } from '../web/user-of-socket.js';
import { Http1Clients } from './http1-clients.js';
import { removeStale, type ListenAddress } from './listen-address.js';
import { SocketTransport } from './socket-transport.js';

export interface ClientPortParts {
  /** Told to stop once no client is left and none comes any more. */
  readonly handler: RequestHandler & Partial<Pick<GrpcServer, 'stop'>>;
  /** Of what comes over TLS. Default: the same. */
  readonly secureHandler?: RequestHandler;
  readonly limits: Http2Limits;
  readonly clock: Clock;
  readonly events: EventSink;
  /** Serves what is HTTP/1.1; it listens nowhere itself. Undefined: that is refused. */
  readonly http1: HttpServer | undefined;
  readonly maxConnections: number;
  /** Milliseconds for a request of HTTP/1.1 to be answered; its head has `limits.handshakeMs`. */
  readonly http1AnswerMs?: number;
}

const HTTP1_ANSWER_MS = 60_000;

/** Connections are looked at so often: keepalive, time-outs, budgets. */
const TICK_MS = 50;
/** A crowd of refused clients is told of once in so long. */
const CROWDED_EVERY_MS = 10_000;

export class ClientPort {
  readonly #parts: ClientPortParts;
  readonly #pool: Http2Pool;
  readonly #servers: Server[] = [];
  /** Of all clients, whatever they speak. */
  readonly #sockets = new Set<Socket>();
  readonly #connections = new Set<ServerConnection>();
  readonly #http1Clients: Http1Clients | undefined;
  /** Who has not said yet what it speaks, and by when it must have. */
  readonly #silent = new Map<Socket, number>();
  readonly #idle: (() => void)[] = [];
  #timer: Timer;
  #refused = 0;
  #crowdedAt = -Infinity;
  #state: 'open' | 'draining' | 'closed' = 'open';

  constructor(parts: ClientPortParts) {
    this.#parts = parts;
    this.#pool = new Http2Pool(parts.clock);
    const { http1, clock, limits, http1AnswerMs = HTTP1_ANSWER_MS } = parts;
    if (http1 !== undefined) this.#http1Clients = new Http1Clients(http1, clock, { headMs: limits.handshakeMs, answerMs: http1AnswerMs });
    this.#timer = this.#nextTick();
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** Clients that were refused for want of room, since the start. */
  get refused(): number {
    return this.#refused;
  }

  /**
   * Resolves to the port, which matters when 0 was asked for; 0 for a file. With `tls`, one of the
   * `protocols` is agreed on by ALPN. Rejects with an error that names the address.
   */
  async listen(address: ListenAddress, tls?: ServerTls, protocols: readonly string[] = ['h2', 'http/1.1']): Promise<number> {
    await removeStale(address);
    const server = tls === undefined ? this.#plainServer() : this.#tlsServer(tls, protocols);
    this.#servers.push(server);
    return new Promise((resolve, reject) => {
      const failed = (error: Error): void => reject(new Error(`cannot listen on ${address.text}: ${messageOf(error)}`, { cause: error }));
      server.once('error', failed);
      server.listen({ ...address.options, backlog: BACKLOG }, () => {
        // What goes wrong with one accept does not concern the others.
        server.off('error', failed).on('error', () => undefined);
        const bound = server.address();
        resolve(typeof bound === 'object' && bound !== null ? bound.port : 0);
      });
    });
  }

  /**
   * Takes no new clients and no new requests, lets those that run end, and closes after `graceMs`
   * what is left.
   */
  async drain(graceMs: number): Promise<void> {
    if (this.#state === 'open') {
      this.#state = 'draining';
      for (const server of this.#servers) server.close();
      for (const socket of this.#silent.keys()) socket.destroy();
      for (const connection of this.#connections) connection.drain();
      this.#http1Clients?.closeIdle();
    }
    await this.#empty(graceMs);
    this.close();
  }

  /** Closes everything now. */
  close(): void {
    if (this.#state === 'open') for (const server of this.#servers) server.close();
    this.#state = 'closed';
    this.#timer.cancel();
    for (const socket of this.#sockets) socket.destroy();
    if (this.#sockets.size === 0) this.#parts.handler.stop?.();
  }

  #empty(withinMs: number): Promise<void> {
    if (this.#sockets.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#parts.clock.setTimer(withinMs, resolve);
      this.#idle.push(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  #plainServer(): Server {
    return createServer({ allowHalfOpen: true }, (socket) => {
      if (this.#admit(socket)) this.#listenFor(socket);
    });
  }

  #tlsServer(tls: ServerTls, protocols: readonly string[]): Server {
    const { handshakeMs } = this.#parts.limits;
    const server = tls.server({ handshakeMs, allowHalfOpen: true, protocols }, (socket: TLSSocket) => {
      const name = tls.userOf(socket);
      if (socket.alpnProtocol === 'h2') this.#http2(socket, undefined, true, name);
      else this.#listenFor(socket, true, name);
    });
    // Counted from the first byte of the handshake on.
    server.on('connection', (raw: Socket) => void this.#admit(raw));
    return server;
  }

  /** Counts the client, or sends it away. */
  #admit(socket: Socket): boolean {
    const { maxConnections, clock, events } = this.#parts;
    if (this.#state === 'open' && this.#sockets.size < maxConnections) {
      this.#sockets.add(socket);
      this.#guard(socket);
      socket.setNoDelay(true);
      socket.on('close', () => this.#left(socket));
      return true;
    }
    socket.destroy();
    this.#refused++;
    const now = clock.now();
    if (this.#state === 'open' && now - this.#crowdedAt >= CROWDED_EVERY_MS) {
      this.#crowdedAt = now;
      events.emit({ type: 'warning', message: 'clients are refused: too many are connected', data: { connections: maxConnections, refused: this.#refused } });
    }
    return false;
  }

  /** That a client is gone is told by 'close', whatever the reason. */
  #guard(socket: Socket): void {
    socket.on('error', () => undefined);
  }

  #left(socket: Socket): void {
    this.#sockets.delete(socket);
    if (this.#sockets.size > 0) return;
    for (const done of this.#idle.splice(0)) done();
    if (this.#state === 'closed') this.#parts.handler.stop?.();
  }

  /** What it speaks is known by its first bytes. */
  #listenFor(socket: Socket, secure = false, peerName?: string): void {
    const { clock, limits } = this.#parts;
    this.#silent.set(socket, clock.now() + limits.handshakeMs);
    socket.on('close', () => this.#silent.delete(socket));
    const onEnd = (): void => void socket.end();
    socket.on('end', onEnd);
    let first: Buffer = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      first = first.length === 0 ? chunk : Buffer.concat([first, chunk]);
      const protocol = protocolOf(first);
      if (protocol === undefined) return;
      socket.off('data', onData).off('end', onEnd);
      this.#silent.delete(socket);
      if (protocol === 'http1') this.#http1(socket, first, peerName);
      else this.#http2(socket, first, secure, peerName);
    };
    socket.on('data', onData);
  }

  /** What is no HTTP at all is refused in its words too. */
  #http2(socket: Socket, first: Buffer | undefined, secure: boolean, peerName: string | undefined): void {
    const { limits, clock } = this.#parts;
    const handler = (secure ? this.#parts.secureHandler : undefined) ?? this.#parts.handler;
    const transport = new SocketTransport(socket, limits);
    const connection = new ServerConnection({ transport, handler, limits, clock, pool: this.#pool, peerName });
    this.#connections.add(connection);
    socket.on('close', () => this.#connections.delete(connection));
    transport.drive(connection);
    if (first !== undefined) connection.receive(first);
    if (this.#state !== 'open') connection.drain();
  }

  #http1(socket: Socket, first: Buffer, peerName: string | undefined): void {
    if (this.#http1Clients === undefined || this.#state !== 'open') {
      socket.destroy();
      return;
    }
    setUser(socket, peerName);
    this.#http1Clients.take(socket, first);
  }

  #nextTick(): Timer {
    return this.#parts.clock.setTimer(TICK_MS, () => {
      const now = this.#parts.clock.now();
      for (const connection of this.#connections) connection.tick(now);
      for (const [socket, until] of this.#silent) if (now >= until) socket.destroy();
      this.#http1Clients?.tick(now);
      if (this.#state !== 'closed') this.#timer = this.#nextTick();
    });
  }
}
