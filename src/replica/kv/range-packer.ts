/**
 * Packs keys and values from where they lie (`VersionSlot`) into the `kvs` fields of a
 * RangeResponse: the size of each is known before it is written, a large answer grows in chunks,
 * and nothing is allocated per key.
 *
 *   kvs (2): key 1 | create revision 2 | mod revision 3 | version 4 | value 5 | lease 6; zero and
 *   empty fields are left out, as in proto3
 */

import { assert } from '../../base/assert.js';
import { KiB, MiB } from '../../base/bytes.js';
import type { Revision } from '../../base/ids.js';
import { chunkOf, HEADER_ROOM, PackedRange, roomFor } from '../../api/wire/packed-range.js';
import { int64FieldSize, putVarint, varintSize } from '../../api/wire/proto-writer.js';
import { plainKeyLength, writeUserKey } from '../../storage/base/key.js';
import type { VersionSlot } from '../../storage/base/version-slot.js';
import type { RecordHead } from './value-record.js';

type WireBytes = ReturnType<typeof roomFor>;

const FIRST_CHUNK_BYTES = 64 * KiB;
const CHUNK_BYTES = MiB;
/** Bytes: up to here a loop copies sooner than a view is made. */
const LOOP_BYTES_MAX = 64;

/** The first chunk of a packer, while none has it: most answers are small and copied out of it. */
let spare: WireBytes | undefined;

export class RangePacker {
  #chunk: WireBytes;
  /** Where the next field goes. */
  #at = 0;
  /** Full ones, oldest first. */
  readonly #full: WireBytes[] = [];
  #fullBytes = 0;
  #keys = 0;
  /** Of the key that was added last, in the current chunk. */
  #keyAt = 0;
  #keyEnd = 0;

  constructor() {
    this.#chunk = spare ?? chunkOf(FIRST_CHUNK_BYTES);
    spare = undefined;
  }

  /** The key and the version in the slot; `head` is that of its record. How many bytes that is. */
  add(slot: VersionSlot, head: RecordHead, withValue: boolean): number {
    const before = this.#fullBytes + this.#at;
    const valueEnd = withValue ? slot.valueEnd : head.valueAt;
    // Hardly a key has zeros: it is written as one that has none, and once more if it has.
    const plain = plainKeyLength(slot.keyEnd);
    const keyBytes = this.#put(slot, head, valueEnd, plain);
    if (keyBytes !== plain) {
      const again = this.#put(slot, head, valueEnd, keyBytes);
      assert(again === keyBytes, 'a key has one length');
    }
    this.#keys += 1;
    return this.#fullBytes + this.#at - before;
  }

  /** Bytes of the key. If they are not as many as was said, nothing was added. */
  #put(slot: VersionSlot, head: RecordHead, valueEnd: number, keyBytes: number): number {
    const size = fieldsSize(keyBytes, slot.revision, head, valueEnd);
    const need = 1 + varintSize(size) + size;
    if (need > this.#chunk.length - this.#at) this.#grow(need);
    const out = this.#chunk;
    const keyAt = putHead(out, this.#at, size, keyBytes);
    const keyEnd = writeUserKey(out, keyAt, slot.keyBytes, slot.keyEnd);
    if (keyEnd - keyAt !== keyBytes) return keyEnd - keyAt;
    const at = putRest(out, keyEnd, slot, head, valueEnd);
    assert(at === this.#at + need, `a field of ${need} bytes was filled to ${at - this.#at}`);
    this.#at = at;
    this.#keyAt = keyAt;
    this.#keyEnd = keyEnd;
    return keyBytes;
  }

  #grow(need: number): void {
    if (this.#at > 0) this.#full.push(this.#chunk.subarray(0, this.#at));
    this.#fullBytes += this.#at;
    this.#chunk = chunkOf(Math.max(need, CHUNK_BYTES));
    this.#at = 0;
  }

  /** Yields between chunks. The packer is of no more use. */
  *finish(revision: Revision, more: boolean, count: number): Generator<void, PackedRange> {
    const bytes = roomFor(this.#fullBytes + this.#at);
    let at = HEADER_ROOM;
    for (const chunk of this.#full) {
      bytes.set(chunk, at);
      at += chunk.length;
      yield;
    }
    bytes.set(this.#chunk.subarray(0, this.#at), at);
    const lastKey = Uint8Array.prototype.slice.call(this.#chunk, this.#keyAt, this.#keyEnd);
    if (this.#chunk.length === FIRST_CHUNK_BYTES) spare = this.#chunk;
    return new PackedRange(bytes, revision, more, count, { keys: this.#keys, lastKey });
  }
}

/** One key that was asked for by name; its slot has no key. */
export function packOne(
  key: Uint8Array, slot: VersionSlot, head: RecordHead, withValue: boolean, revision: Revision,
): PackedRange {
  const valueEnd = withValue ? slot.valueEnd : head.valueAt;
  const size = fieldsSize(key.length, slot.revision, head, valueEnd);
  const body = 1 + varintSize(size) + size;
  const bytes = roomFor(body);
  const keyAt = putHead(bytes, HEADER_ROOM, size, key.length);
  copyInto(bytes, keyAt, key, 0, key.length);
  const at = putRest(bytes, keyAt + key.length, slot, head, valueEnd);
  assert(at === HEADER_ROOM + body, `an answer of ${body} bytes was filled to ${at - HEADER_ROOM}`);
  return new PackedRange(bytes, revision, false, 1);
}

function lengthFieldSize(bytes: number): number {
  return bytes === 0 ? 0 : 1 + varintSize(bytes) + bytes;
}

function fieldsSize(keyBytes: number, modRevision: Revision, head: RecordHead, valueEnd: number): number {
  return (
    lengthFieldSize(keyBytes) + int64FieldSize(head.createRevision) + int64FieldSize(modRevision) + int64FieldSize(head.version) +
    lengthFieldSize(valueEnd - head.valueAt) + leaseFieldSize(head.leaseLow, head.leaseHigh)
  );
}

/** Up to where the key's bytes go. */
function putHead(out: WireBytes, from: number, size: number, keyBytes: number): number {
  out[from] = 18;
  let at = putVarint(out, from + 1, size);
  if (keyBytes === 0) return at;
  out[at++] = 10;
  return putVarint(out, at, keyBytes);
}

/** From behind the key's bytes on. */
function putRest(out: WireBytes, from: number, slot: VersionSlot, head: RecordHead, valueEnd: number): number {
  let at = putInt64(out, from, 16, head.createRevision);
  at = putInt64(out, at, 24, slot.revision);
  at = putInt64(out, at, 32, head.version);
  const valueBytes = valueEnd - head.valueAt;
  if (valueBytes > 0) {
    out[at++] = 42;
    at = putVarint(out, at, valueBytes);
    copyInto(out, at, slot.valueBytes, head.valueAt, valueEnd);
    at += valueBytes;
  }
  return putLease(out, at, head.leaseLow, head.leaseHigh);
}

function copyInto(out: WireBytes, to: number, from: Uint8Array, start: number, end: number): void {
  if (end - start > LOOP_BYTES_MAX) {
    out.set(from.subarray(start, end), to);
    return;
  }
  for (let i = start, at = to; i < end; i++, at++) out[at] = from[i] as number;
}

function putInt64(out: WireBytes, at: number, tag: number, n: number): number {
  if (n === 0) return at;
  out[at] = tag;
  return putVarint(out, at + 1, n);
}

/** Of 64 bits in two halves; the highest bit makes it ten bytes. */
function leaseFieldSize(low: number, high: number): number {
  if (high === 0) return low === 0 ? 0 : 1 + varintSize(low);
  const bits = 64 - Math.clz32(high);
  return 1 + Math.ceil(bits / 7);
}

function putLease(out: WireBytes, from: number, low: number, high: number): number {
  if ((low | high) === 0) return from;
  let at = from;
  out[at++] = 48;
  let lo = low >>> 0;
  let hi = high >>> 0;
  while (hi !== 0 || lo >= 0x80) {
    out[at++] = (lo & 0x7f) | 0x80;
    lo = ((lo >>> 7) | (hi << 25)) >>> 0;
    hi >>>= 7;
  }
  out[at++] = lo;
  return at;
}
