/**
 * Walks the entries of one payload of a data block (`data-block.ts`), both ways. It moves without
 * allocating, except when a key outgrows its buffer. What it steps over it does not decode: past
 * the versions of a key it goes by the number of bytes that an entry shares with the one before,
 * and a search compares only bytes that can decide.
 *
 * Going back, the entries behind one restart are decoded once and then taken from the last to the
 * first.
 */

import { EMPTY } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import { TOMBSTONE } from './data-block.js';

function u32(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16);
  return (low | ((bytes[at + 3] as number) << 24)) >>> 0;
}

export class DataBlockCursor {
  #payload: Uint8Array = EMPTY;
  /** Where the entries end and the restart offsets begin. */
  #entriesEnd = 0;
  #restartCount = 0;
  /** Of the current entry; #entriesEnd when there is none. */
  #at = 0;
  #next = 0;
  /** As much as lies in the heap itself: a walk makes several cursors. */
  #key = new Uint8Array(64);
  #keyBytes = 0;
  #flags = 0;
  #valueAt = 0;
  #scan = 0;
  /** The heads of the entry that was read last. */
  #shared = 0;
  #unshared = 0;
  #keyAt = 0;
  /** Only who goes back has one. */
  #back: Interval | undefined;

  /** Takes a verified payload. Throws CodecError if its frame does not hold. */
  open(payload: Uint8Array): void {
    this.#entriesEnd = 0;
    this.#at = 0;
    this.#back?.clear();
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

  /** The key is [0, keyLength) of it; overwritten by the next move. */
  get keyBuffer(): Uint8Array {
    return this.#key;
  }

  get keyLength(): number {
    return this.#keyBytes;
  }

  /** The value is [valueAt, valueEnd) of it. */
  get payload(): Uint8Array {
    return this.#payload;
  }

  get valueAt(): number {
    return this.#valueAt;
  }

  get valueEnd(): number {
    return this.#next;
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

  /** Reads all of the entry at `at` but its key. */
  #head(at: number): void {
    const payload = this.#payload;
    const shared = payload[at] as number;
    const unshared = payload[at + 1] as number;
    let valueBytes = payload[at + 3] as number;
    if ((shared | unshared | valueBytes) < 0x80) {
      this.#shared = shared;
      this.#unshared = unshared;
      this.#flags = payload[at + 2] as number;
      this.#scan = at + 4;
    } else {
      this.#scan = at;
      this.#shared = this.#varint();
      this.#unshared = this.#varint();
      this.#flags = payload[this.#scan++] as number;
      valueBytes = this.#varint();
    }
    this.#keyAt = this.#scan;
    this.#valueAt = this.#keyAt + this.#unshared;
    this.#next = this.#valueAt + valueBytes;
    if (this.#shared > this.#keyBytes || this.#next > this.#entriesEnd) {
      this.#at = this.#entriesEnd;
      throw new CodecError(`data block has a bad entry at ${at}`);
    }
    this.#at = at;
  }

  /** Completes the key of the entry whose head was read; that of the entry before is in #key. */
  #takeKey(): void {
    const shared = this.#shared;
    const keyBytes = shared + this.#unshared;
    if (keyBytes > this.#key.length) {
      const grown = new Uint8Array(2 * keyBytes);
      grown.set(this.#key.subarray(0, shared));
      this.#key = grown;
    }
    const key = this.#key;
    const payload = this.#payload;
    for (let i = shared, from = this.#keyAt; i < keyBytes; i++, from++) key[i] = payload[from] as number;
    this.#keyBytes = keyBytes;
  }

  /** Decodes the entry at `at`; the key before it is in #key unless it is a restart. */
  #load(at: number): void {
    this.#head(at);
    this.#takeKey();
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

  /** Is the key of the n-th restart below `target`? It shares nothing: it is compared in place. */
  #restartBelow(n: number, target: Uint8Array): boolean {
    this.#keyBytes = 0;
    this.#head(this.#restart(n));
    const payload = this.#payload;
    const keyAt = this.#keyAt;
    const length = this.#unshared;
    const most = length < target.length ? length : target.length;
    for (let i = 0; i < most; i++) {
      const difference = (payload[keyAt + i] as number) - (target[i] as number);
      if (difference !== 0) return difference < 0;
    }
    return length < target.length;
  }

  /** To the first entry at or after `target`; invalid if there is none. */
  seek(target: Uint8Array): void {
    // The last restart below the target: invariant restart(low) < target <= restart(high).
    let low = 0;
    let high = this.#restartCount;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.#restartBelow(middle, target)) low = middle;
      else high = middle;
    }
    this.#loadRestart(low);
    // `same` bytes of the key are the target's, and the key is below it.
    let same = this.#sameAs(target, 0);
    while (this.#below(target, same)) {
      if (this.#next >= this.#entriesEnd) {
        this.#at = this.#entriesEnd;
        return;
      }
      this.#load(this.#next);
      // An entry that shares more than `same` is below the target for the reason of the last one.
      if (this.#shared <= same) same = this.#sameAs(target, this.#shared);
    }
  }

  /** How many bytes the key shares with `target`, when it shares `from` at least. */
  #sameAs(target: Uint8Array, from: number): number {
    const key = this.#key;
    const n = this.#keyBytes < target.length ? this.#keyBytes : target.length;
    let i = from;
    while (i < n && key[i] === target[i]) i++;
    return i;
  }

  #below(target: Uint8Array, same: number): boolean {
    if (same >= target.length) return false;
    return same >= this.#keyBytes || (this.#key[same] as number) < (target[same] as number);
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

  /**
   * To the next entry whose key does not begin with the first `length` bytes of the current one;
   * invalid if there is none. The keys between are not put together: each of them ends otherwise.
   */
  skipPrefix(length: number): void {
    for (;;) {
      if (this.#next >= this.#entriesEnd) {
        this.#at = this.#entriesEnd;
        return;
      }
      this.#head(this.#next);
      if (this.#shared >= length) {
        // Only the first `length` bytes are looked at again: the rest of the key is left out.
        this.#keyBytes = this.#shared + this.#unshared;
        continue;
      }
      const same = this.#sharesUpTo(length);
      this.#takeKey();
      if (!same) return;
    }
  }

  /** To the next entry if its key begins with the first `length` bytes of the current one. */
  nextInPrefix(length: number): boolean {
    const next = this.#next;
    if (next >= this.#entriesEnd) return false;
    const at = this.#at;
    this.#head(next);
    if (this.#shared < length && !this.#sharesUpTo(length)) {
      // Back to where it was: the key is still in place.
      this.#head(at);
      return false;
    }
    this.#takeKey();
    return true;
  }

  /** Does the entry whose head was read begin as the key before it does, for `length` bytes? */
  #sharesUpTo(length: number): boolean {
    const key = this.#key;
    const payload = this.#payload;
    if (this.#shared + this.#unshared < length) return false;
    for (let i = this.#shared, from = this.#keyAt; i < length; i++, from++) if (key[i] !== payload[from]) return false;
    return true;
  }

  /** Invalid before the first entry. Decodes at most one restart interval. */
  prev(): void {
    const back = (this.#back ??= new Interval());
    const end = this.#at;
    if (!back.standsAt(end)) {
      const n = this.#restartBefore(end);
      if (n < 0) {
        this.#at = this.#entriesEnd;
        return;
      }
      this.#decodeInterval(back, n, end);
    }
    const key = back.take();
    if (key.length > this.#key.length) this.#key = new Uint8Array(2 * key.length);
    this.#key.set(key);
    this.#keyBytes = key.length;
    // Of the entry itself: it shares no more than it has.
    this.#head(back.at);
  }

  #decodeInterval(back: Interval, n: number, end: number): void {
    back.clear();
    this.#loadRestart(n);
    back.push(this.#at, this.#key, this.#keyBytes);
    while (this.#next < end) {
      this.#load(this.#next);
      back.push(this.#at, this.#key, this.#keyBytes);
    }
    if (this.#next !== end) {
      back.clear();
      throw new CodecError(`data block has an entry that ends inside another at ${this.#at}`);
    }
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

/** The entries of one restart interval, decoded, of which the last not taken is the next. */
class Interval {
  /** Offsets of the entries, and where their keys end in #keys. */
  readonly #ats: number[] = [];
  readonly #ends: number[] = [];
  #keys = new Uint8Array(1024);
  /** How many are not taken yet. */
  #left = 0;
  /** The offset of the entry that was taken last. */
  at = -1;

  clear(): void {
    this.#ats.length = 0;
    this.#ends.length = 0;
    this.#left = 0;
    this.at = -1;
  }

  push(at: number, key: Uint8Array, keyBytes: number): void {
    const start = this.#ends.at(-1) ?? 0;
    const end = start + keyBytes;
    if (end > this.#keys.length) {
      const grown = new Uint8Array(2 * end);
      grown.set(this.#keys.subarray(0, start));
      this.#keys = grown;
    }
    const keys = this.#keys;
    for (let i = 0, to = start; i < keyBytes; i++, to++) keys[to] = key[i] as number;
    this.#ats.push(at);
    this.#ends.push(end);
    this.#left += 1;
  }

  /** Was the entry at `at` taken from here, and is there one before it? */
  standsAt(at: number): boolean {
    return this.at === at && this.#left > 0;
  }

  /** The key of the entry before; its offset is then in `at`. */
  take(): Uint8Array {
    this.#left -= 1;
    const i = this.#left;
    this.at = this.#ats[i] as number;
    return this.#keys.subarray(i === 0 ? 0 : this.#ends[i - 1], this.#ends[i]);
  }
}
