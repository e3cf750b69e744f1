/**
 * Up to some hundred keys of a memtable in order, found by binary search over words: what all keys
 * begin with stands here once, and of what follows four bytes for each. So a search rarely goes to
 * the keys themselves, each of which is a miss of the processor's cache.
 */

import { assert } from '../../base/assert.js';
import type { KeyRecords } from './key-records.js';

export const SORTED_KEYS_MAX = 128;

/** Bytes of what all keys share that stand here; if it is longer, the first key has the rest. */
const SHARED_HERE_MAX = 64;
const KEYS = SORTED_KEYS_MAX;
const SHARED = 2 * SORTED_KEYS_MAX;

/** Four bytes, big endian, so that numbers order as bytes do; zeros where there are fewer. */
function wordOf(bytes: Uint8Array, at: number, length: number): number {
  if (length >= 4) {
    const high = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
    return ((high << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) >>> 0;
  }
  let word = 0;
  for (let i = 0; i < length; i++) word |= (bytes[at + i] as number) << (24 - 8 * i);
  return word >>> 0;
}

export class SortedKeys {
  readonly #records: KeyRecords;
  /** A word for each key; the keys; what they share. */
  readonly #data = new Uint32Array(SHARED + SHARED_HERE_MAX / 4);
  /** Bytes that all keys begin with: at most what the first and the last one share. */
  #shared = 0;
  #count = 0;

  constructor(records: KeyRecords) {
    this.#records = records;
  }

  get count(): number {
    return this.#count;
  }

  key(at: number): number {
    return this.#data[KEYS + at] as number;
  }

  /** First position whose key is at or above the `length` bytes from `start`; else `count`. */
  lowerBound(target: Uint8Array, start: number, length: number): number {
    if (this.#count === 0) return 0;
    const common = this.#common(target, start, length);
    return common < this.#shared ? this.#beside(common, target, start, length) : this.#within(target, start, length);
  }

  /** How many bytes of what all keys share the target begins with. */
  #common(target: Uint8Array, start: number, length: number): number {
    const shared = this.#shared;
    const n = length < shared ? length : shared;
    const here = n < SHARED_HERE_MAX ? n : SHARED_HERE_MAX;
    const data = this.#data;
    let at = 0;
    while (at + 4 <= here && data[SHARED + (at >>> 2)] === wordOf(target, start + at, 4)) at += 4;
    while (at < here && this.#sharedByte(at) === target[start + at]) at++;
    if (at < here || n === here) return at;
    const bytes = this.#records.prefixBytes(this.key(0));
    const from = this.#records.prefixStart(this.key(0));
    while (at < n && bytes[from + at] === target[start + at]) at++;
    return at;
  }

  #sharedByte(at: number): number {
    return ((this.#data[SHARED + (at >>> 2)] as number) >>> (24 - 8 * (at & 3))) & 0xff;
  }

  /** Where a target is that begins otherwise than all keys, after `common` bytes. */
  #beside(common: number, target: Uint8Array, start: number, length: number): number {
    if (common === length) return 0;
    const first = this.key(0);
    const own = this.#records.prefixBytes(first)[this.#records.prefixStart(first) + common] as number;
    return (target[start + common] as number) < own ? 0 : this.#count;
  }

  #within(target: Uint8Array, start: number, length: number): number {
    const data = this.#data;
    const count = this.#count;
    const word = wordOf(target, start + this.#shared, length - this.#shared);
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((data[middle] as number) < word) low = middle + 1;
      else high = middle;
    }
    if (low === count || data[low] !== word) return low;
    return this.#among(low, word, target, start, length);
  }

  /** Among the keys from `low` on that have this word, by all of their bytes. */
  #among(low: number, word: number, target: Uint8Array, start: number, length: number): number {
    const data = this.#data;
    let end = low + 1;
    let high = this.#count;
    while (end < high) {
      const middle = (end + high) >>> 1;
      if (data[middle] === word) end = middle + 1;
      else high = middle;
    }
    high = end;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compare(this.key(middle), target, start, length) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Order of a key against a target that begins with what all keys share. */
  #compare(key: number, target: Uint8Array, start: number, length: number): number {
    const bytes = this.#records.prefixBytes(key);
    const from = this.#records.prefixStart(key);
    const own = this.#records.prefixLength(key);
    const n = own < length ? own : length;
    for (let i = this.#shared; i < n; i++) {
      const d = (bytes[from + i] as number) - (target[start + i] as number);
      if (d !== 0) return d;
    }
    return own - length;
  }

  /** Puts a key that is not in here into its place, and gives that. There must be room. */
  add(key: number): number {
    assert(this.#count < SORTED_KEYS_MAX, 'a key is added where there is room');
    const bytes = this.#records.prefixBytes(key);
    const start = this.#records.prefixStart(key);
    const length = this.#records.prefixLength(key);
    if (this.#count === 0) {
      this.#put(0, key, 0);
      this.#share(length);
      return 0;
    }
    const common = this.#common(bytes, start, length);
    const among = common === this.#shared;
    const at = among ? this.#within(bytes, start, length) : this.#beside(common, bytes, start, length);
    this.#put(at, key, wordOf(bytes, start + common, length - common));
    if (!among) this.#share(common);
    return at;
  }

  #put(at: number, key: number, word: number): void {
    const data = this.#data;
    for (let i = this.#count; i > at; i--) {
      data[i] = data[i - 1] as number;
      data[KEYS + i] = data[KEYS + i - 1] as number;
    }
    data[at] = word;
    data[KEYS + at] = key;
    this.#count++;
  }

  /** All keys begin alike for so many bytes. */
  #share(shared: number): void {
    const data = this.#data;
    const records = this.#records;
    this.#shared = shared;
    for (let i = 0; i < this.#count; i++) {
      const key = this.key(i);
      data[i] = wordOf(records.prefixBytes(key), records.prefixStart(key) + shared, records.prefixLength(key) - shared);
    }
    const bytes = records.prefixBytes(this.key(0));
    const start = records.prefixStart(this.key(0));
    const here = Math.min(shared, SHARED_HERE_MAX);
    for (let at = 0; at < here; at += 4) data[SHARED + (at >>> 2)] = wordOf(bytes, start + at, here - at);
  }

  /** Moves the keys from `from` on to `into`, which is empty. */
  split(from: number, into: SortedKeys): void {
    const count = this.#count - from;
    assert(into.#count === 0 && from > 0 && count > 0, 'a split leaves no half empty');
    into.#data.set(this.#data.subarray(KEYS + from, KEYS + this.#count), KEYS);
    into.#count = count;
    this.#count = from;
    this.#share(this.#alike());
    into.#share(into.#alike());
  }

  /** What goes up when inner nodes split belongs to neither half. */
  dropLast(): void {
    assert(this.#count > 0, 'there is a last key');
    this.#count--;
  }

  /** How many bytes the first and the last key share. */
  #alike(): number {
    const records = this.#records;
    const [first, last] = [this.key(0), this.key(this.#count - 1)];
    const [a, b] = [records.prefixBytes(first), records.prefixBytes(last)];
    const [from, start] = [records.prefixStart(first), records.prefixStart(last)];
    const n = Math.min(records.prefixLength(first), records.prefixLength(last));
    let at = 0;
    while (at < n && a[from + at] === b[start + at]) at++;
    return at;
  }
}
