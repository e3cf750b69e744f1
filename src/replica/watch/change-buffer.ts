/**
 * Changes as bytes and numbers instead of objects: a window of history has some ten thousand of
 * them. Each is the prefix of its key and its record, one after the other in chunks, which are used
 * again once it was cleared: nothing is allocated for a change, and what is there is never copied
 * for want of room.
 */

import { must } from '../../base/assert.js';
import { KiB } from '../../base/bytes.js';
import type { Revision } from '../../base/ids.js';
import { userKeyOfPrefix } from '../../storage/base/key.js';
import type { VersionSlot } from '../../storage/base/version-slot.js';
import { KeyChange } from '../kv/key-change.js';

/** Of a change, besides its bytes. */
const NUMBERS_BYTES = 32;
/** Of the first chunk; each chunk is as large as all before it, up to the largest. */
const FIRST_BYTES = 4 * KiB;
const CHUNK_BYTES_MAX = 256 * KiB;
const FIRST_CHANGES = 32;
/** Of a change: sub, its chunk, where it begins there, bytes of its prefix, bytes of its record. */
const NUMBERS = 5;
const [SUB, CHUNK, START, PREFIX, RECORD] = [0, 1, 2, 3, 4] as const;

export class ChangeBuffer {
  #chunks: Uint8Array[] = [];
  /** Of changes, in all chunks. */
  #used = 0;
  /** The next one goes to #chunks[#chunk], from #at on, if there is room. */
  #chunk = 0;
  #at = 0;
  #length = 0;
  #revisions = new Float64Array(FIRST_CHANGES);
  #numbers = new Uint32Array(NUMBERS * FIRST_CHANGES);
  #tombstones = new Uint8Array(FIRST_CHANGES);

  get length(): number {
    return this.#length;
  }

  /** Of memory, about. */
  get bytes(): number {
    return this.#used + NUMBERS_BYTES * this.#length;
  }

  bytesAt(i: number): number {
    return this.#number(i, PREFIX) + this.#number(i, RECORD) + NUMBERS_BYTES;
  }

  revisionAt(i: number): Revision {
    return this.#revisions[i] as number;
  }

  subAt(i: number): number {
    return this.#number(i, SUB);
  }

  compare(a: number, b: number): number {
    return this.revisionAt(a) - this.revisionAt(b) || this.subAt(a) - this.subAt(b);
  }

  /** Room stays, but for what one large change needed; what was there is written over. */
  clear(): void {
    const isSmall = ({ length }: Uint8Array): boolean => length <= CHUNK_BYTES_MAX;
    if (!this.#chunks.every(isSmall)) this.#chunks = this.#chunks.filter(isSmall);
    this.#used = 0;
    this.#chunk = 0;
    this.#at = 0;
    this.#length = 0;
  }

  /** Its key and its record are copied. */
  push(slot: VersionSlot): void {
    const { keyBytes, keyEnd, valueBytes, valueAt, valueEnd } = slot;
    const into = this.#room(keyEnd + valueEnd - valueAt);
    const start = this.#at;
    copyInto(into, start, keyBytes, 0, keyEnd);
    copyInto(into, start + keyEnd, valueBytes, valueAt, valueEnd);
    this.#add(slot.revision, slot.tombstone ? 1 : 0, slot.sub, keyEnd, valueEnd - valueAt);
  }

  /** A copy of a change of another one. */
  append(from: ChangeBuffer, i: number): void {
    const at = from.#number(i, START);
    const prefix = from.#number(i, PREFIX);
    const record = from.#number(i, RECORD);
    const into = this.#room(prefix + record);
    copyInto(into, this.#at, from.#chunkOf(i), at, at + prefix + record);
    this.#add(from.revisionAt(i), from.#tombstones[i] as number, from.subAt(i), prefix, record);
  }

  /** The change, as a version in a slot: where its record lies, as long as nothing is added. */
  fill(i: number, slot: VersionSlot): void {
    const bytes = this.#chunkOf(i);
    const at = this.#number(i, START);
    const record = at + this.#number(i, PREFIX);
    slot.copyKey(bytes, at, record);
    slot.set(this.revisionAt(i), this.subAt(i), this.#tombstones[i] === 1, 0, bytes, record, record + this.#number(i, RECORD));
  }

  /** As an object, which nobody writes over. */
  change(i: number): KeyChange {
    const bytes = this.#chunkOf(i);
    const at = this.#number(i, START);
    const prefix = this.#number(i, PREFIX);
    const record = this.#number(i, RECORD);
    const key = userKeyOfPrefix(bytes.slice(at, at + prefix));
    const value = bytes.slice(at + prefix, at + prefix + record);
    return new KeyChange(key, this.revisionAt(i), this.subAt(i), this.#tombstones[i] === 1, value);
  }

  #number(i: number, of: number): number {
    return this.#numbers[NUMBERS * i + of] as number;
  }

  #chunkOf(i: number): Uint8Array {
    return must(this.#chunks[this.#number(i, CHUNK)], 'a change lies in a chunk');
  }

  /** Its bytes are there. */
  #add(revision: Revision, tombstone: number, sub: number, prefix: number, record: number): void {
    if (this.#length === this.#revisions.length) {
      this.#revisions = larger(this.#revisions, new Float64Array(2 * this.#length));
      this.#numbers = larger(this.#numbers, new Uint32Array(2 * NUMBERS * this.#length));
      this.#tombstones = larger(this.#tombstones, new Uint8Array(2 * this.#length));
    }
    const i = this.#length++;
    this.#revisions[i] = revision;
    this.#tombstones[i] = tombstone;
    const numbers = this.#numbers;
    const at = NUMBERS * i;
    numbers[at + SUB] = sub;
    numbers[at + CHUNK] = this.#chunk;
    numbers[at + START] = this.#at;
    numbers[at + PREFIX] = prefix;
    numbers[at + RECORD] = record;
    this.#at += prefix + record;
    this.#used += prefix + record;
  }

  /** The chunk that has room for so many bytes more, at `#at`. */
  #room(bytes: number): Uint8Array {
    for (; this.#chunk < this.#chunks.length; this.#chunk++, this.#at = 0) {
      const chunk = this.#chunks[this.#chunk] as Uint8Array;
      if (this.#at + bytes <= chunk.length) return chunk;
    }
    const size = Math.max(bytes, FIRST_BYTES, Math.min(CHUNK_BYTES_MAX, this.#used));
    const chunk = new Uint8Array(size);
    this.#chunks.push(chunk);
    return chunk;
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
