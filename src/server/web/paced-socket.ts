/**
 * A socket whose bytes arrive in small pieces, one in each turn of the event loop. Node's HTTP/1.1
 * server works at once on all that a read has brought, and 64 KiB hold two thousand requests.
 *
 * It is closed with its socket, and closes it.
 */

import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { KiB } from '../../base/bytes.js';

/** A usual request is one piece; of the smallest there are some forty in it. */
const PIECE_BYTES = KiB;

type Done = (error?: Error | null) => void;

class PacedSocket extends Duplex {
  readonly #socket: Socket;
  /** Somebody wants the next piece. */
  #wanted = false;
  #held = false;

  constructor(socket: Socket) {
    super({ readableHighWaterMark: PIECE_BYTES, writableHighWaterMark: socket.writableHighWaterMark, allowHalfOpen: true });
    this.#socket = socket;
    // Each exchange that waits for its turn listens.
    this.setMaxListeners(0);
    socket.on('readable', () => this.#pull());
    socket.on('end', () => this.push(null));
    socket.on('timeout', () => this.emit('timeout'));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  get socket(): Socket {
    return this.#socket;
  }

  /** While it is held nothing arrives. */
  hold(is: boolean): void {
    this.#held = is;
    if (!is) this.#pull();
  }

  /** As a socket's: the server asks for it. */
  setTimeout(ms: number): this {
    this.#socket.setTimeout(ms);
    return this;
  }

  override _read(): void {
    if (this.#wanted) return;
    setImmediate(() => {
      this.#wanted = true;
      this.#pull();
    });
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: Done): void {
    this.#socket.write(chunk, encoding, done);
  }

  override _writev(chunks: readonly { readonly chunk: Buffer; readonly encoding: BufferEncoding }[], done: Done): void {
    this.#socket.cork();
    chunks.forEach(({ chunk, encoding }, i) => this.#socket.write(chunk, encoding, i === chunks.length - 1 ? done : undefined));
    this.#socket.uncork();
  }

  override _final(done: Done): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#socket.destroy();
    done(error);
  }

  #pull(): void {
    if (!this.#wanted || this.#held || this.destroyed) return;
    const piece = this.#socket.read(Math.min(PIECE_BYTES, this.#socket.readableLength)) as Buffer | null;
    if (piece === null) return;
    this.#wanted = false;
    this.push(piece);
  }
}

/** What carries its bytes. */
export function socketOf(duplex: Duplex): Socket {
  return duplex instanceof PacedSocket ? duplex.socket : (duplex as Socket);
}

/** Nothing more arrives on it, or again what has come. */
export function holdSocket(duplex: Duplex, is: boolean): void {
  if (duplex instanceof PacedSocket) duplex.hold(is);
}

/** From now on the server gets its connections so, also those that others hand to it. */
export function pace(server: Server): Server {
  const listeners = server.listeners('connection') as ((this: Server, socket: Duplex) => void)[];
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    const paced = new PacedSocket(socket);
    for (const listener of listeners) listener.call(server, paced);
  });
  return server;
}

/**
 * Who closes its side behind a request is answered all the same. What Node calls it is not in its
 * types; without it, its server drops such a request.
 */
export function answersHalfClosed(server: Server & { httpAllowHalfOpen?: boolean }): void {
  server.httpAllowHalfOpen = true;
}
