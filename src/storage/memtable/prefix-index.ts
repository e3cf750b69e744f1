/**
 * Finds a record of a memtable by its key without searching in order: each put looks its key up,
 * and an ordered search touches memory in a dozen places, this in two. It only ever helps: probes
 * are bounded, and a record that finds no slot (chosen keys may collide) is left to the ordered
 * search.
 */

import { assert } from '../../base/assert.js';
import { equalBytes } from '../../base/bytes.js';

const PROBES_MAX = 32;
const SLOTS_MIN = 1024;

export function hashBytes(bytes: Uint8Array): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) h = Math.imul(h ^ (bytes[i] as number), 0x01000193);
  h ^= h >>> 15;
  return Math.imul(h, 0x2c1b3c6d) ^ (h >>> 12);
}

export class PrefixIndex<T extends { readonly prefix: Uint8Array }> {
  #slots: (T | undefined)[] = new Array<T | undefined>(SLOTS_MIN).fill(undefined);
  #hashes = new Int32Array(SLOTS_MIN);
  #count = 0;
  /** Some records are not in here: what is not found may be there all the same. */
  #partial = false;

  /** False: a record that {@link find} does not give does not exist. */
  get partial(): boolean {
    return this.#partial;
  }

  find(prefix: Uint8Array): T | undefined {
    const hash = hashBytes(prefix);
    const mask = this.#slots.length - 1;
    for (let probe = 0, at = hash & mask; probe < PROBES_MAX; probe++, at = (at + 1) & mask) {
      const record = this.#slots[at];
      if (record === undefined) return undefined;
      if (this.#hashes[at] === hash && equalBytes(record.prefix, prefix)) return record;
    }
    return undefined;
  }

  /** A record with a key that was not added before. */
  add(record: T): void {
    if (2 * this.#count >= this.#slots.length) this.#grow();
    this.#place(record, hashBytes(record.prefix));
  }

  #place(record: T, hash: number): void {
    const mask = this.#slots.length - 1;
    for (let probe = 0, at = hash & mask; probe < PROBES_MAX; probe++, at = (at + 1) & mask) {
      if (this.#slots[at] !== undefined) continue;
      this.#slots[at] = record;
      this.#hashes[at] = hash;
      this.#count++;
      return;
    }
    this.#partial = true;
  }

  #grow(): void {
    const slots = this.#slots;
    const hashes = this.#hashes;
    assert((slots.length & (slots.length - 1)) === 0, 'a mask finds a slot: their number is a power of two');
    this.#slots = new Array<T | undefined>(2 * slots.length).fill(undefined);
    this.#hashes = new Int32Array(2 * slots.length);
    this.#count = 0;
    for (let i = 0; i < slots.length; i++) {
      const record = slots[i];
      if (record !== undefined) this.#place(record, hashes[i] as number);
    }
  }
}
