/**
 * The payload of a data block. Entries follow each other, each sharing a prefix with the key before
 * it; every RESTART_INTERVAL-th shares nothing, and the offsets of those stand at the end, for
 * binary search:
 *
 *   entry: shared varint | unshared varint | flags u8 | value bytes varint | key | value
 *   end:   restart offsets u32 ... | number of restarts u32
 */

import { assert } from '../../base/assert.js';
import type { EntrySlot } from '../base/entry-slot.js';

const RESTART_INTERVAL = 16;
/** Of shared, unshared, flags and value bytes: a length has at most 32 bits. */
const HEAD_BYTES_MAX = 5 + 5 + 1 + 5;
/** Longer values are copied by the runtime, shorter ones faster by hand: that costs no view. */
const COPY_BY_HAND_MAX = 64;

/** Bit of an entry's flags. */
export const TOMBSTONE = 1;

export class DataBlockBuilder {
  #out = new Uint8Array(32 * 1024);
  #length = 0;
  readonly #restarts: number[] = [];
  #entries = 0;

  get entries(): number {
    return this.#entries;
  }

  /** Of the payload if it were finished now. */
  get bytes(): number {
    return this.#length + 4 * this.#restarts.length + 4;
  }

  /** `common`: how many bytes the key has in common with the one before it, if there is one. */
  add(entry: EntrySlot, common: number): void {
    const { key, keyEnd, value, valueAt, valueEnd } = entry;
    const restart = this.#entries % RESTART_INTERVAL === 0;
    if (restart) this.#restarts.push(this.#length);
    const shared = restart ? 0 : common;
    const unshared = keyEnd - shared;
    const valueBytes = valueEnd - valueAt;
    const flags = (entry.tombstone ? TOMBSTONE : 0) | ((entry.liveDelta + 1) << 1);
    const out = this.#room(HEAD_BYTES_MAX + unshared + valueBytes);
    let at = this.#length;
    at = putVarint(out, at, shared);
    at = putVarint(out, at, unshared);
    out[at++] = flags;
    at = putVarint(out, at, valueBytes);
    for (let i = shared; i < keyEnd; i++) out[at++] = key[i] as number;
    if (valueBytes > COPY_BY_HAND_MAX) {
      out.set(value.subarray(valueAt, valueEnd), at);
      at += valueBytes;
    } else {
      for (let i = valueAt; i < valueEnd; i++) out[at++] = value[i] as number;
    }
    this.#length = at;
    this.#entries++;
  }

  /** The buffer, with room for so many bytes behind what is in it. */
  #room(bytes: number): Uint8Array {
    const need = this.#length + bytes;
    if (need > this.#out.length) {
      const grown = new Uint8Array(Math.max(need, 2 * this.#out.length));
      grown.set(this.#out.subarray(0, this.#length));
      this.#out = grown;
    }
    return this.#out;
  }

  /** The payload, valid until the next add(); the builder is empty again. */
  finish(): Uint8Array {
    assert(this.#entries > 0, 'a block holds an entry');
    const restarts = this.#restarts;
    assert(restarts.length === Math.ceil(this.#entries / RESTART_INTERVAL), 'every sixteenth entry shares nothing');
    const out = this.#room(4 * restarts.length + 4);
    let at = this.#length;
    for (const restart of restarts) at = put32(out, at, restart);
    at = put32(out, at, restarts.length);
    this.#length = 0;
    this.#restarts.length = 0;
    this.#entries = 0;
    return out.subarray(0, at);
  }
}

/** Of a number below 2^32; where it ends. */
function putVarint(out: Uint8Array, at: number, n: number): number {
  let rest = n;
  while (rest >= 0x80) {
    out[at++] = rest | 0x80;
    rest >>>= 7;
  }
  out[at++] = rest;
  return at;
}

function put32(out: Uint8Array, at: number, n: number): number {
  out[at] = n;
  out[at + 1] = n >>> 8;
  out[at + 2] = n >>> 16;
  out[at + 3] = n >>> 24;
  return at + 4;
}
