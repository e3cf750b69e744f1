/**
 * A socket as HTTP/2 sees it: bytes out in one write per turn, bytes in as they come, and pauses
 * both ways. What a peer does not take is bounded: beyond the limit nothing more is read from it.
 */

import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Carried, Transport, Written } from '../../http2/transport.js';

export class SocketTransport implements Transport {
  readonly #socket: Socket;
  readonly #maxUnsentBytes: number;
  /** TLS encrypts what it was given when it can, which may be after the call. */
  readonly #keeps: boolean;

  constructor(socket: Socket, maxUnsentBytes: number) {
    this.#socket = socket;
    this.#maxUnsentBytes = maxUnsentBytes;
    this.#keeps = socket instanceof TLSSocket;
  }

  /** From now on the socket drives the connection, until it is closed. */
  drive(connection: Carried): void {
    const socket = this.#socket;
    socket.on('data', (chunk: Buffer) => connection.receive(chunk));
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
