/**
 * Bytes that wait to be read, in one piece of memory that grows and shrinks with them: however
 * small the parts in which they come, they take no more than about twice their size.
 */

import { EMPTY, KiB } from '../base/bytes.js';

const LEAST = 1 * KiB;
/** More than this is not kept for later when the queue is empty. */
const KEPT = 16 * KiB;

export class ByteQueue {
  /** What waits is in [from, to); valid until the next `append` or `skip`. */
  bytes: Uint8Array = EMPTY;
  from = 0;
  to = 0;

  get length(): number {
    return this.to - this.from;
  }

  append(bytes: Uint8Array, from: number, to: number): void {
    const more = to - from;
    if (this.to + more > this.bytes.length) this.#makeRoom(more);
    this.bytes.set(bytes.subarray(from, to), this.to);
    this.to += more;
  }

  /** Forgets what is before `at`. */
  skip(at: number): void {
    this.from = at;
    if (at < this.to) return;
    this.from = 0;
    this.to = 0;
    if (this.bytes.length > KEPT) this.bytes = EMPTY;
  }

  /** Moves what waits to the front, of more memory if that is needed. */
  #makeRoom(more: number): void {
    const { length } = this;
    const waiting = this.bytes.subarray(this.from, this.to);
    if (2 * (length + more) > this.bytes.length) this.bytes = new Uint8Array(Math.max(LEAST, 2 * (length + more)));
    this.bytes.set(waiting);
    this.from = 0;
    this.to = length;
  }
}
