/**
 * The payload of a data block. Entries follow each other, each sharing a prefix with the key before
 * it; every RESTART_INTERVAL-th shares nothing, and the offsets of those stand at the end, for
 * binary search:
 *
 *   entry: shared varint | unshared varint | flags u8 | value bytes varint | key | value
 *   end:   restart offsets u32 ... | number of restarts u32
 */

import { assert } from '../../base/assert.js';
import { ByteWriter } from '../../base/bytes.js';

const RESTART_INTERVAL = 16;

/** Bit of an entry's flags. */
export const TOMBSTONE = 1;

function sharedPrefix(a: Uint8Array, aLength: number, b: Uint8Array): number {
  const n = Math.min(aLength, b.length);
  let i = 0;
  while (i < n && a[i] === b[i]) i++;
  return i;
}

export class DataBlockBuilder {
  readonly #out = new ByteWriter(32 * 1024);
  readonly #restarts: number[] = [];
  #lastKey = new Uint8Array(256);
  #lastKeyBytes = 0;
  #entries = 0;

  get entries(): number {
    return this.#entries;
  }

  /** Of the payload if it were finished now. */
  get bytes(): number {
    return this.#out.length + 4 * this.#restarts.length + 4;
  }

  add(key: Uint8Array, value: Uint8Array, tombstone: boolean, liveDelta: number): void {
    const out = this.#out;
    let shared = 0;
    if (this.#entries % RESTART_INTERVAL === 0) this.#restarts.push(out.length);
    else shared = sharedPrefix(this.#lastKey, this.#lastKeyBytes, key);
    const unshared = key.length - shared;
    out.varint(shared).varint(unshared).u8((tombstone ? TOMBSTONE : 0) | ((liveDelta + 1) << 1)).varint(value.length);
    out.raw(shared === 0 ? key : key.subarray(shared)).raw(value);
    if (key.length > this.#lastKey.length) this.#lastKey = new Uint8Array(2 * key.length);
    this.#lastKey.set(key);
    this.#lastKeyBytes = key.length;
    this.#entries++;
  }

  /** The payload, valid until the next add(); the builder is empty again. */
  finish(): Uint8Array {
    assert(this.#entries > 0, 'a block holds an entry');
    assert(this.#restarts.length === Math.ceil(this.#entries / RESTART_INTERVAL), 'every sixteenth entry shares nothing');
    for (const restart of this.#restarts) this.#out.u32(restart);
    const payload = this.#out.u32(this.#restarts.length).view();
    this.#out.reset();
    this.#restarts.length = 0;
    this.#entries = 0;
    return payload;
  }
}
