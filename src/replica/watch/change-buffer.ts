/**
 * Changes as bytes and numbers instead of objects: a window of history has some ten thousand of
 * them, most of which it lets go again. Each is the prefix of its key and its record, one after the
 * other in one buffer, which is used again once it was cleared: nothing is allocated for a change.
 */

import type { Revision } from '../../base/ids.js';
import { userKeyOfPrefix } from '../../storage/base/key.js';
import type { VersionSlot } from '../../storage/base/version-slot.js';
import { KeyChange } from '../kv/key-change.js';

/** Of a change, besides its bytes. */
const NUMBERS_BYTES = 32;
const FIRST_BYTES = 4096;
const FIRST_CHANGES = 32;

export class ChangeBuffer {
  #data = new Uint8Array(FIRST_BYTES);
  #used = 0;
  #length = 0;
  #revisions = new Float64Array(FIRST_CHANGES);
  /** Four of each: sub, where it begins, bytes of its prefix, bytes of its record. */
  #numbers = new Uint32Array(4 * FIRST_CHANGES);
  #tombstones = new Uint8Array(FIRST_CHANGES);

  get length(): number {
    return this.#length;
  }

  /** Of memory, about. */
  get bytes(): number {
    return this.#used + NUMBERS_BYTES * this.#length;
  }

  bytesAt(i: number): number {
    return this.#number(i, 2) + this.#number(i, 3) + NUMBERS_BYTES;
  }

  revisionAt(i: number): Revision {
    return this.#revisions[i] as number;
  }

  subAt(i: number): number {
    return this.#number(i, 0);
  }

  compare(a: number, b: number): number {
    return this.revisionAt(a) - this.revisionAt(b) || this.subAt(a) - this.subAt(b);
  }

  /** Room stays; what was there is written over. */
  clear(): void {
    this.#used = 0;
    this.#length = 0;
  }

  /** Its key and its record are copied. */
  push(slot: VersionSlot): void {
    const { keyBytes, keyEnd, valueBytes, valueAt, valueEnd } = slot;
    const start = this.#grow(keyEnd + valueEnd - valueAt);
    copyInto(this.#data, start, keyBytes, 0, keyEnd);
    copyInto(this.#data, start + keyEnd, valueBytes, valueAt, valueEnd);
    this.#add(slot.revision, slot.tombstone ? 1 : 0, slot.sub, start, keyEnd, valueEnd - valueAt);
  }

  /** A copy of a change of another one. */
  append(from: ChangeBuffer, i: number): void {
    const at = from.#number(i, 1);
    const prefix = from.#number(i, 2);
    const record = from.#number(i, 3);
    const start = this.#grow(prefix + record);
    copyInto(this.#data, start, from.#data, at, at + prefix + record);
    this.#add(from.revisionAt(i), from.#tombstones[i] as number, from.subAt(i), start, prefix, record);
  }

  /** The change, as a version in a slot: where its record lies, as long as nothing is added. */
  fill(i: number, slot: VersionSlot): void {
    const at = this.#number(i, 1);
    const record = at + this.#number(i, 2);
    slot.copyKey(this.#data, at, record);
    slot.set(this.revisionAt(i), this.subAt(i), this.#tombstones[i] === 1, 0, this.#data, record, record + this.#number(i, 3));
  }

  /** Those from `from` on, before `to`. */
  slice(from: number, to: number): KeyChange[] {
    const changes: KeyChange[] = [];
    for (let i = from; i < to; i++) changes.push(this.#at(i));
    return changes;
  }

  #at(i: number): KeyChange {
    const at = this.#number(i, 1);
    const prefix = this.#number(i, 2);
    const record = this.#number(i, 3);
    const key = userKeyOfPrefix(this.#data.slice(at, at + prefix));
    const value = this.#data.slice(at + prefix, at + prefix + record);
    return new KeyChange(key, this.revisionAt(i), this.subAt(i), this.#tombstones[i] === 1, value);
  }

  #number(i: number, of: number): number {
    return this.#numbers[4 * i + of] as number;
  }

  #add(revision: Revision, tombstone: number, sub: number, start: number, prefix: number, record: number): void {
    const i = this.#length++;
    this.#revisions[i] = revision;
    this.#tombstones[i] = tombstone;
    const numbers = this.#numbers;
    numbers[4 * i] = sub;
    numbers[4 * i + 1] = start;
    numbers[4 * i + 2] = prefix;
    numbers[4 * i + 3] = record;
  }

  /** Room for one more change with so many bytes: where they go. */
  #grow(bytes: number): number {
    const start = this.#used;
    this.#used += bytes;
    if (this.#used > this.#data.length) this.#data = larger(this.#data, new Uint8Array(Math.max(2 * this.#data.length, this.#used)));
    if (this.#length === this.#revisions.length) {
      this.#revisions = larger(this.#revisions, new Float64Array(2 * this.#length));
      this.#numbers = larger(this.#numbers, new Uint32Array(8 * this.#length));
      this.#tombstones = larger(this.#tombstones, new Uint8Array(2 * this.#length));
    }
    return start;
  }
}

/** Shorter copies are a loop: making a view costs more than they do. */
const LOOP_BYTES_MAX = 192;

function copyInto(out: Uint8Array, to: number, from: Uint8Array, start: number, end: number): void {
  if (end - start > LOOP_BYTES_MAX) out.set(from.subarray(start, end), to);
  else for (let i = start, at = to; i < end; i++, at++) out[at] = from[i] as number;
}

function larger<T extends Uint8Array | Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
