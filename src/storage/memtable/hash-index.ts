/**
 * Finds a key of a memtable without searching in order: each put looks its key up, and an ordered
 * search touches memory in a dozen places, this in two. It only ever helps: probes are bounded, and
 * a key that finds no slot (chosen keys may collide) is left to the ordered search. Probes are
 * triangular, so that slots that are taken do not grow together: at half load more than
 * `PROBES_MAX` are needed once in 2^32.
 */

import { assert } from '../../base/assert.js';
import type { KeyRecords } from './key-records.js';

const PROBES_MAX = 32;
const SLOTS_MIN = 64;

/** Of the first `length` bytes. */
export function hashBytes(bytes: Uint8Array, length: number): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < length; i++) h = Math.imul(h ^ (bytes[i] as number), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

export class HashIndex {
  readonly #records: KeyRecords;
  /** Of each slot two words: the key, 0 if there is none, and its hash. */
  #slots = new Uint32Array(2 * SLOTS_MIN);
  #mask = SLOTS_MIN - 1;
  #count = 0;
  #partial = false;

  constructor(records: KeyRecords) {
    this.#records = records;
  }

  /** False: a key that {@link find} does not give does not exist. */
  get partial(): boolean {
    return this.#partial;
  }

  /** The key that has this prefix; 0 if it is not in here. */
  find(prefix: Uint8Array, length: number, hash: number): number {
    const slots = this.#slots;
    const mask = this.#mask;
    for (let probe = 0, slot = hash & mask; probe < PROBES_MAX; slot = (slot + ++probe) & mask) {
      const key = slots[2 * slot] as number;
      if (key === 0) return 0;
      if (slots[2 * slot + 1] === hash && this.#records.equals(key, prefix, 0, length)) return key;
    }
    return 0;
  }

  /** A key that was not added before. */
  add(key: number, hash: number): void {
    if (2 * this.#count > this.#mask) this.#grow();
    this.#place(key, hash);
  }

  #place(key: number, hash: number): void {
    const slots = this.#slots;
    const mask = this.#mask;
    for (let probe = 0, slot = hash & mask; probe < PROBES_MAX; slot = (slot + ++probe) & mask) {
      if (slots[2 * slot] !== 0) continue;
      slots[2 * slot] = key;
      slots[2 * slot + 1] = hash;
      this.#count++;
      return;
    }
    this.#partial = true;
  }

  #grow(): void {
    const before = this.#slots;
    assert((this.#mask & (this.#mask + 1)) === 0, 'a mask finds a slot: their number is a power of two');
    this.#slots = new Uint32Array(2 * before.length);
    this.#mask = before.length - 1;
    this.#count = 0;
    for (let i = 0; i < before.length; i += 2) {
      const key = before[i] as number;
      if (key !== 0) this.#place(key, before[i + 1] as number);
    }
  }
}
