/**
 * What the peer allows us to send (RFC 9113, 5.2 and 6.9): one window for the connection and one
 * for each stream. A stream's is kept as its distance from the peer's initial window, so that a new
 * SETTINGS_INITIAL_WINDOW_SIZE changes all of them at once; they may become negative by it.
 */

import { INITIAL_WINDOW_BYTES, MAX_31_BITS } from './frame.js';

/** The record of a stream. */
export interface SendWindowed {
  /** By how much its window differs from the initial one. */
  windowOffset: number;
}

export class SendWindows {
  #connection = INITIAL_WINDOW_BYTES;
  #initial = INITIAL_WINDOW_BYTES;
  #sent = 0;

  /** Bytes of DATA that went out, over all streams. */
  get sent(): number {
    return this.#sent;
  }

  get connection(): number {
    return this.#connection;
  }

  ofStream(stream: SendWindowed): number {
    return this.#initial + stream.windowOffset;
  }

  /** Bytes of DATA that may go out now; zero or negative: none. */
  room(stream: SendWindowed): number {
    const own = this.#initial + stream.windowOffset;
    return own < this.#connection ? own : this.#connection;
  }

  take(stream: SendWindowed, bytes: number): void {
    this.#sent += bytes;
    this.#connection -= bytes;
    stream.windowOffset -= bytes;
  }

  /** False: the window would exceed 2^31-1, as in the next two. */
  grow(increment: number): boolean {
    if (this.#connection + increment > MAX_31_BITS) return false;
    this.#connection += increment;
    return true;
  }

  growStream(stream: SendWindowed, increment: number): boolean {
    if (this.ofStream(stream) + increment > MAX_31_BITS) return false;
    stream.windowOffset += increment;
    return true;
  }

  /** A new initial window, for the streams that are open, too (RFC 9113, 6.9.2). */
  setInitial(bytes: number, open: readonly SendWindowed[]): boolean {
    for (const stream of open) if (bytes + stream.windowOffset > MAX_31_BITS) return false;
    this.#initial = bytes;
    return true;
  }
}
