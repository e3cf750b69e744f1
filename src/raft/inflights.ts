/**
 * The append messages on their way to one follower: a ring of (last index, payload bytes), oldest
 * first. Flow control, not safety: without a bound, a slow follower would let the leader's send
 * queues grow for ever.
 */

import { assert } from '../base/assert.js';
import type { LogIndex } from '../base/ids.js';
import { broken } from './errors.js';

export class Inflights {
  readonly #maxCount: number;
  readonly #maxBytes: number;
  /**
   * Grows on demand up to `maxCount`, because most followers never have more than a few in flight.
   */
  #indexes: LogIndex[] = [];
  #sizes: number[] = [];
  #start = 0;
  /** 0 <= count <= maxCount. */
  #count = 0;
  /** The sum of the sizes in the ring: 0 if it is empty. */
  #bytes = 0;
  /** The index added last, while any is in flight: indexes only rise. */
  #last: LogIndex = 0;

  constructor(maxCount: number, maxBytes: number) {
    this.#maxCount = maxCount;
    this.#maxBytes = maxBytes;
  }

  get count(): number {
    return this.#count;
  }

  get full(): boolean {
    return this.#count >= this.#maxCount || this.#bytes >= this.#maxBytes;
  }

  /** A message that ends at `index` was sent. */
  add(index: LogIndex, bytes: number): void {
    assert(!this.full, 'nothing is sent to a follower whose window is full');
    if (this.#count > 0 && index <= this.#last) broken(`R3 appends in flight follow each other: ${index} after ${this.#last}`);
    this.#last = index;
    if (this.#count === this.#indexes.length) this.#grow();
    let at = this.#start + this.#count;
    if (at >= this.#indexes.length) at -= this.#indexes.length;
    this.#indexes[at] = index;
    this.#sizes[at] = bytes;
    this.#count++;
    this.#bytes += bytes;
  }

  #grow(): void {
    const old = this.#indexes.length;
    const size = Math.min(Math.max(8, old * 2), this.#maxCount);
    const indexes: LogIndex[] = new Array<LogIndex>(size).fill(0);
    const sizes: number[] = new Array<number>(size).fill(0);
    for (let i = 0; i < this.#count; i++) {
      const from = (this.#start + i) % old;
      indexes[i] = this.#indexes[from] as LogIndex;
      sizes[i] = this.#sizes[from] as number;
    }
    this.#indexes = indexes;
    this.#sizes = sizes;
    this.#start = 0;
  }

  /** Everything through `index` has arrived. */
  freeThrough(index: LogIndex): void {
    while (this.#count > 0 && (this.#indexes[this.#start] as LogIndex) <= index) {
      this.#bytes -= this.#sizes[this.#start] as number;
      this.#start = this.#start + 1 === this.#indexes.length ? 0 : this.#start + 1;
      this.#count--;
    }
    if (this.#count === 0) this.#start = 0;
    assert(this.#count > 0 ? this.#bytes >= 0 : this.#bytes === 0, 'what is not in flight has no bytes in flight');
  }

  reset(): void {
    this.#start = 0;
    this.#count = 0;
    this.#bytes = 0;
  }
}
