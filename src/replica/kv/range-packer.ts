/**
 * Packs keys and values from where they lie (`VersionSlot`) into the `kvs` fields of a
 * RangeResponse: the size of each is known before it is written, a large answer grows in chunks,
 * and nothing is allocated per key.
 */

import { assert } from '../../base/assert.js';
import { KiB, MiB } from '../../base/bytes.js';
import type { Revision } from '../../base/ids.js';
import { chunkOf, HEADER_ROOM, PackedRange, roomFor } from '../../api/wire/packed-range.js';
import { varintSize } from '../../api/wire/proto-writer.js';
import { plainKeyLength, writeUserKey } from '../../storage/base/key.js';
import type { VersionSlot } from '../../storage/base/version-slot.js';
import { copyInto, kvFieldsSize, putKvHead, putKvRest } from './kv-field.js';
import type { RecordHead } from './value-record.js';

type WireBytes = ReturnType<typeof roomFor>;

const FIRST_CHUNK_BYTES = 64 * KiB;
const CHUNK_BYTES = MiB;
/** Of `kvs` in a RangeResponse. */
const KVS_TAG = 18;

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
    const size = kvFieldsSize(keyBytes, slot.revision, head, valueEnd);
    const need = 1 + varintSize(size) + size;
    if (need > this.#chunk.length - this.#at) this.#grow(need);
    const out = this.#chunk;
    const keyAt = putKvHead(out, this.#at, KVS_TAG, size, keyBytes);
    const keyEnd = writeUserKey(out, keyAt, slot.keyBytes, slot.keyEnd);
    if (keyEnd - keyAt !== keyBytes) return keyEnd - keyAt;
    const at = putKvRest(out, keyEnd, slot, head, valueEnd);
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
  const size = kvFieldsSize(key.length, slot.revision, head, valueEnd);
  const body = 1 + varintSize(size) + size;
  const bytes = roomFor(body);
  const keyAt = putKvHead(bytes, HEADER_ROOM, KVS_TAG, size, key.length);
  copyInto(bytes, keyAt, key, 0, key.length);
  const at = putKvRest(bytes, keyAt + key.length, slot, head, valueEnd);
  assert(at === HEADER_ROOM + body, `an answer of ${body} bytes was filled to ${at - HEADER_ROOM}`);
  return new PackedRange(bytes, revision, false, 1);
}
