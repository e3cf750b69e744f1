/** The least that puts a connection on a real socket. */

import type { Socket } from 'node:net';
import { testClock } from '../../base/testing/test-env.js';
import { ServerConnection } from '../connection.js';
import type { Http2Limits } from '../limits.js';
import type { Http2Pool } from '../pool.js';
import type { RequestHandler } from '../request-handler.js';
import type { Transport, Written } from '../transport.js';

const TICK_MS = 50;

export interface SocketShellParts {
  readonly socket: Socket;
  readonly handler: RequestHandler;
  readonly limits: Http2Limits;
  readonly pool: Http2Pool;
}

export class SocketShell implements Transport {
  readonly connection: ServerConnection;
  readonly #socket: Socket;
  readonly #limits: Http2Limits;
  readonly #timer: NodeJS.Timeout;
  /** Resolves when the socket is gone. */
  readonly gone: Promise<void>;

  constructor({ socket, handler, limits, pool }: SocketShellParts) {
    this.#socket = socket;
    this.#limits = limits;
    const connection = (this.connection = new ServerConnection({ transport: this, handler, limits, clock: testClock, pool }));
    this.#timer = setInterval(() => connection.tick(testClock.now()), TICK_MS);
    socket.setNoDelay(true);
    socket.on('data', (chunk) => connection.receive(chunk));
    socket.on('drain', () => connection.drained());
    socket.on('error', () => undefined);
    this.gone = new Promise((resolve) => {
      socket.on('close', () => {
        clearInterval(this.#timer);
        connection.closed();
        resolve();
      });
    });
  }

  write(pieces: readonly Uint8Array[]): Written {
    const socket = this.#socket;
    socket.cork();
    for (const piece of pieces) socket.write(piece);
    socket.uncork();
    if (socket.writableLength === 0) return 'taken';
    // Without that there is no 'drain'.
    return socket.writableNeedDrain && socket.writableLength > this.#limits.maxUnsentBytes ? 'full' : 'kept';
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
