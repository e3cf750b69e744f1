/**
 * The payload of a data block. Entries follow each other, each sharing a prefix with the key before
 * it; every RESTART_INTERVAL-th shares nothing, and the offsets of those stand at the end, for
 * binary search:
 *
 *   entry: shared varint | unshared varint | flags u8 | value bytes varint | key | value
 *   end:   restart offsets u32 ... | number of restarts u32
 */

import { assert } from '../../base/assert.js';
import { ByteWriter, EMPTY } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';

const RESTART_INTERVAL = 16;

const TOMBSTONE = 1;

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

function u32(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16);
  return (low | ((bytes[at + 3] as number) << 24)) >>> 0;
}

/**
 * Walks the entries of one payload. It moves without allocating, except when a key outgrows its
 * buffer.
 */
export class DataBlockCursor {
  #payload: Uint8Array = EMPTY;
  /** Where the entries end and the restart offsets begin. */
  #entriesEnd = 0;
  #restartCount = 0;
  /** Of the current entry; #entriesEnd when there is none. */
  #at = 0;
  #next = 0;
  #key = new Uint8Array(256);
  #keyBytes = 0;
  #flags = 0;
  #valueAt = 0;
  #scan = 0;

  /** Takes a verified payload. Throws CodecError if its frame does not hold. */
  open(payload: Uint8Array): void {
    this.#entriesEnd = 0;
    this.#at = 0;
    if (payload.length < 8) throw new CodecError('data block is too short');
    this.#payload = payload;
    const restarts = u32(payload, payload.length - 4);
    if (restarts < 1 || restarts > (payload.length - 4) / 4) throw new CodecError(`data block has ${restarts} restarts`);
    this.#restartCount = restarts;
    this.#entriesEnd = payload.length - 4 - 4 * restarts;
    this.#at = this.#entriesEnd;
  }

  close(): void {
    this.#at = this.#entriesEnd;
  }

  get valid(): boolean {
    return this.#at < this.#entriesEnd;
  }

  get key(): Uint8Array {
    return this.#key.subarray(0, this.#keyBytes);
  }

  get value(): Uint8Array {
    return this.#payload.subarray(this.#valueAt, this.#next);
  }

  get tombstone(): boolean {
    return (this.#flags & TOMBSTONE) !== 0;
  }

  get liveDelta(): number {
    return (this.#flags >> 1) - 1;
  }

  #restart(n: number): number {
    const at = u32(this.#payload, this.#entriesEnd + 4 * n);
    if (at >= this.#entriesEnd) throw new CodecError(`data block has a restart at ${at} of ${this.#entriesEnd}`);
    return at;
  }

  #varint(): number {
    let result = 0;
    let scale = 1;
    while (this.#scan < this.#entriesEnd && scale < 2 ** 35) {
      const byte = this.#payload[this.#scan++] as number;
      if (byte < 0x80) return result + byte * scale;
      result += (byte & 0x7f) * scale;
      scale *= 0x80;
    }
    throw new CodecError(`data block has a bad number before ${this.#scan}`);
  }

  /** Decodes the entry at `at`; the key before it is in #key unless it is a restart. */
  #load(at: number): void {
    this.#scan = at;
    const shared = this.#varint();
    const unshared = this.#varint();
    const flags = this.#payload[this.#scan++] as number;
    const valueBytes = this.#varint();
    const keyAt = this.#scan;
    const valueAt = keyAt + unshared;
    const next = valueAt + valueBytes;
    if (shared > this.#keyBytes || next > this.#entriesEnd) {
      this.#at = this.#entriesEnd;
      throw new CodecError(`data block has a bad entry at ${at}`);
    }
    const keyBytes = shared + unshared;
    if (keyBytes > this.#key.length) {
      const grown = new Uint8Array(2 * keyBytes);
      grown.set(this.#key.subarray(0, shared));
      this.#key = grown;
    }
    const key = this.#key;
    const payload = this.#payload;
    for (let i = shared, from = keyAt; i < keyBytes; i++, from++) key[i] = payload[from] as number;
    this.#keyBytes = keyBytes;
    this.#flags = flags;
    this.#valueAt = valueAt;
    this.#at = at;
    this.#next = next;
  }

  #loadRestart(n: number): void {
    this.#keyBytes = 0;
    this.#load(this.#restart(n));
  }

  /** Sign of (current key - target). */
  compareKey(target: Uint8Array): number {
    const key = this.#key;
    const n = this.#keyBytes < target.length ? this.#keyBytes : target.length;
    for (let i = 0; i < n; i++) {
      const difference = (key[i] as number) - (target[i] as number);
      if (difference !== 0) return difference;
    }
    return this.#keyBytes - target.length;
  }

  /** To the first entry at or after `target`; invalid if there is none. */
  seek(target: Uint8Array): void {
    // The last restart below the target: invariant restart(low) < target <= restart(high).
    let low = 0;
    let high = this.#restartCount;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      this.#loadRestart(middle);
      if (this.compareKey(target) < 0) low = middle;
      else high = middle;
    }
    this.#loadRestart(low);
    while (this.valid && this.compareKey(target) < 0) this.next();
  }

  seekToFirst(): void {
    this.#loadRestart(0);
  }

  seekToLast(): void {
    this.#loadRestart(this.#restartCount - 1);
    while (this.#next < this.#entriesEnd) this.#load(this.#next);
  }

  next(): void {
    if (this.#next < this.#entriesEnd) this.#load(this.#next);
    else this.#at = this.#entriesEnd;
  }

  /** Invalid before the first entry. Decodes at most one restart interval. */
  prev(): void {
    const end = this.#at;
    let n = this.#restartBefore(end);
    if (n < 0) {
      this.#at = this.#entriesEnd;
      return;
    }
    this.#loadRestart(n);
    while (this.#next < end) this.#load(this.#next);
    n = this.#at;
    if (this.#next !== end) throw new CodecError(`data block has an entry that ends inside another at ${n}`);
  }

  /** The last restart that begins before `at`, -1 if there is none. */
  #restartBefore(at: number): number {
    let low = -1;
    let high = this.#restartCount;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.#restart(middle) < at) low = middle;
      else high = middle;
    }
    return low;
  }
}
