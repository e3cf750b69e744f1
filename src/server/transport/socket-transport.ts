/**
 * A socket as HTTP/2 sees it: bytes out in one write per turn, bytes in as they come, and pauses
 * both ways. What a peer does not take is bounded: beyond the limit nothing more is read from it,
 * and one that takes nothing at all of what waits for it is given up after a time.
 */

import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Http2Limits } from '../../http2/limits.js';
import type { Carried, Transport, Written } from '../../http2/transport.js';

export class SocketTransport implements Transport {
  readonly #socket: Socket;
  readonly #maxUnsentBytes: number;
  readonly #stalledMs: number;
  /** TLS encrypts what it was given when it can, which may be after the call. */
  readonly #keeps: boolean;

  constructor(socket: Socket, limits: Pick<Http2Limits, 'maxUnsentBytes' | 'stalledMs'>) {
    this.#socket = socket;
    this.#maxUnsentBytes = limits.maxUnsentBytes;
    this.#stalledMs = limits.stalledMs;
    this.#keeps = socket instanceof TLSSocket;
  }

  /** From now on the socket drives the connection, until it is closed. */
  drive(connection: Carried): void {
    const socket = this.#socket;
    socket.on('data', (chunk: Buffer) => connection.receive(chunk));
    // Bytes that the system takes of a write under way count as a sign of life, as all others do.
    socket.setTimeout(this.#stalledMs, () => {
      if (socket.writableLength > 0) socket.destroy();
    });
    socket.on('drain', () => connection.drained());
    socket.on('end', () => {
      connection.flush();
      socket.end();
    });
    socket.on('close', () => connection.closed());
  }

  write(pieces: readonly Uint8Array[]): Written {
    const socket = this.#socket;
    // The peer has closed its side, and ours is being closed: nobody waits for more.
    if (socket.writableEnded) return 'taken';
    const [only] = pieces;
    if (pieces.length === 1 && only !== undefined) socket.write(only);
    else {
      socket.cork();
      for (const piece of pieces) socket.write(piece);
      socket.uncork();
    }
    const waiting = socket.writableLength;
    // Where no 'drain' will come, as on a socket that is being closed, nothing may wait for one.
    if (socket.writableNeedDrain && waiting > this.#maxUnsentBytes) return 'full';
    return waiting === 0 && !this.#keeps ? 'taken' : 'kept';
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
