/**
 * Encodes events of history from where they lie, into one buffer that is used again: whoever wants
 * one copies it. Nothing is allocated for an event.
 *
 *   events (11): type 1 (1: delete) | kv 2 | prev_kv 3; of a delete kv has the key and the revision
 */

import { assert } from '../../base/assert.js';
import { KiB } from '../../base/bytes.js';
import { chunkOf } from '../../api/wire/packed-range.js';
import { EVENTS_TAG } from '../../api/wire/watch-event.js';
import { messageFieldSize, putVarint } from '../../api/wire/proto-writer.js';
import { writeUserKey } from '../../storage/base/key.js';
import type { VersionSlot } from '../../storage/base/version-slot.js';
import { copyInto, kvFieldsSize, putKvHead, putKvRest } from '../kv/kv-field.js';
import { readHeadWithin, RecordHead } from '../kv/value-record.js';

const KV_TAG = 18;
const PREV_KV_TAG = 26;
/** Of a delete. */
const NO_RECORD = new RecordHead();

export class EventPacker {
  /** Events, one after the other up to `end`. */
  bytes = chunkOf(4 * KiB);
  end = 0;
  /** The key of the change at hand is [0, keyEnd) of it. */
  key = chunkOf(KiB);
  keyEnd = 0;
  #slot: VersionSlot | undefined;
  readonly #head = new RecordHead();
  readonly #prevHead = new RecordHead();

  clear(): void {
    this.end = 0;
  }

  /** The change that is packed next, as it is in the slot; its key is then in `key`. */
  take(slot: VersionSlot): void {
    if (slot.keyEnd > this.key.length) this.key = chunkOf(2 * slot.keyEnd);
    this.keyEnd = writeUserKey(this.key, 0, slot.keyBytes, slot.keyEnd);
    this.#slot = slot;
    if (!slot.tombstone) readHeadWithin(slot.valueBytes, slot.valueAt, slot.valueEnd, slot.revision, this.#head);
  }

  /** The change made the key anew: there was nothing before it. */
  get isCreate(): boolean {
    const slot = this.#slot as VersionSlot;
    return !slot.tombstone && this.#head.createRevision === slot.revision;
  }

  /** Once more, at the end of `bytes`; with what was there before, if it is told. */
  pack(prev: VersionSlot | undefined): void {
    const slot = this.#slot as VersionSlot;
    const head = slot.tombstone ? NO_RECORD : this.#head;
    const valueEnd = slot.tombstone ? 0 : slot.valueEnd;
    const kvSize = kvFieldsSize(this.keyEnd, slot.revision, head, valueEnd);
    let prevSize = 0;
    if (prev !== undefined) {
      readHeadWithin(prev.valueBytes, prev.valueAt, prev.valueEnd, prev.revision, this.#prevHead);
      prevSize = kvFieldsSize(this.keyEnd, prev.revision, this.#prevHead, prev.valueEnd);
    }
    const size = (slot.tombstone ? 2 : 0) + messageFieldSize(kvSize) + (prev === undefined ? 0 : messageFieldSize(prevSize));
    const out = this.#room(messageFieldSize(size));
    let at = this.end;
    const wanted = at + messageFieldSize(size);
    out[at++] = EVENTS_TAG;
    at = putVarint(out, at, size);
    if (slot.tombstone) {
      out[at++] = 8;
      out[at++] = 1;
    }
    at = this.#putKv(at, KV_TAG, kvSize, slot, head, valueEnd);
    if (prev !== undefined) at = this.#putKv(at, PREV_KV_TAG, prevSize, prev, this.#prevHead, prev.valueEnd);
    assert(at === wanted, `an event of ${wanted - this.end} bytes was filled to ${at - this.end}`);
    this.end = at;
  }

  #putKv(from: number, tag: number, size: number, slot: VersionSlot, head: RecordHead, valueEnd: number): number {
    const out = this.bytes;
    const at = putKvHead(out, from, tag, size, this.keyEnd);
    copyInto(out, at, this.key, 0, this.keyEnd);
    return putKvRest(out, at + this.keyEnd, slot, head, valueEnd);
  }

  #room(bytes: number): Uint8Array {
    if (this.end + bytes > this.bytes.length) {
      const grown = chunkOf(Math.max(2 * this.bytes.length, this.end + bytes));
      grown.set(this.bytes.subarray(0, this.end));
      this.bytes = grown;
    }
    return this.bytes;
  }
}
