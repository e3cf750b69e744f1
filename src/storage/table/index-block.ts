/**
 * The payload of the index block: one record of fixed size per data block, then their keys, so that
 * a lookup is a binary search over records without decoding the others. Each record is its block's
 * handle (type, codec and scheme are the table's) with the block's bounds and sums.
 *
 *   count u32 | records | keys
 *   record: offset u53 | digest u64 | min revision u53 | max revision u53 | payload bytes u32
 *           | entries u32 | live delta i32 | key offset u32 | first key bytes u32
 *           | last key bytes u32
 */

import { assert } from '../../base/assert.js';
import { ByteWriter, compareBytes, EMPTY } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import type { Digest64 } from '../../base/ids.js';
import type { EccScheme } from '../../ecc/scheme.js';
import type { BlockHandle } from '../block/handle.js';
import { headOf } from '../base/key-head.js';
import { regionBytes } from '../block/layout.js';
import type { BlockCodec } from '../base/settings.js';

const RECORD_BYTES = 56;
const HEAD_BYTES = 4;
const TWO_32 = 0x1_0000_0000;

interface IndexRecord {
  readonly offset: number;
  readonly payloadBytes: number;
  readonly digest: Digest64;
  readonly entries: number;
  readonly liveDelta: number;
  /** Of the user space, 0 if the block has none of it. */
  readonly minRevision: number;
  readonly maxRevision: number;
  readonly firstKey: Uint8Array;
  readonly lastKey: Uint8Array;
}

export class IndexBlockBuilder {
  readonly #records = new ByteWriter(16 * 1024);
  readonly #keys = new ByteWriter(16 * 1024);
  #count = 0;
  #lastOffset = -1;
  #lastKey = EMPTY;

  /** Of the payload if it were finished now. */
  get bytes(): number {
    return HEAD_BYTES + this.#records.length + this.#keys.length;
  }

  add(record: IndexRecord): void {
    const { entries, liveDelta, minRevision, maxRevision } = record;
    assert(record.offset > this.#lastOffset, 'S2 blocks are indexed in file order');
    assert(compareBytes(record.firstKey, record.lastKey) <= 0, 'a block ends where it begins or later');
    assert(this.#count === 0 || compareBytes(this.#lastKey, record.firstKey) < 0, 'S2 blocks are indexed in key order');
    assert(entries > 0 && Math.abs(liveDelta) <= entries && minRevision <= maxRevision, 'sums of a block fit together');
    this.#lastOffset = record.offset;
    this.#lastKey = record.lastKey.slice();
    const out = this.#records;
    out.u53(record.offset).u64(record.digest).u53(record.minRevision).u53(record.maxRevision);
    out.u32(record.payloadBytes).u32(record.entries).u32(record.liveDelta >>> 0);
    out.u32(this.#keys.length).u32(record.firstKey.length).u32(record.lastKey.length);
    this.#keys.raw(record.firstKey).raw(record.lastKey);
    this.#count++;
  }

  finish(): Uint8Array {
    assert(this.#records.length === this.#count * RECORD_BYTES, 'records have a fixed size');
    return new ByteWriter(this.bytes).u32(this.#count).raw(this.#records.view()).raw(this.#keys.view()).finish();
  }
}

export class IndexBlock {
  readonly #payload: Uint8Array;
  readonly #view: DataView;
  readonly #keysAt: number;
  readonly #codec: BlockCodec;
  readonly #scheme: EccScheme;
  readonly count: number;
  /** sums[i]: live deltas of all blocks before i. */
  readonly #sums: Float64Array;
  /** Bytes that all keys of the table begin with. */
  readonly #common: Uint8Array;
  /**
   * Of each block's last key, what follows those as a number: a search stays within this array, and
   * looks at keys only where six bytes do not decide.
   */
  readonly #heads: Float64Array;

  /** Checks every length, so that accessors cannot run out of the payload. Throws CodecError. */
  constructor(payload: Uint8Array, codec: BlockCodec, scheme: EccScheme) {
    if (payload.length < HEAD_BYTES) throw new CodecError('index block is too short');
    this.#payload = payload;
    this.#view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    this.#codec = codec;
    this.#scheme = scheme;
    this.count = this.#view.getUint32(0, true);
    this.#keysAt = HEAD_BYTES + this.count * RECORD_BYTES;
    if (this.#keysAt > payload.length) throw new CodecError(`index block of ${payload.length} bytes claims ${this.count} blocks`);
    this.#sums = new Float64Array(this.count + 1);
    for (let i = 0; i < this.count; i++) {
      const at = this.#at(i);
      if (this.#lastKeyAt(at) + this.#view.getUint32(at + 52, true) > payload.length) throw new CodecError(`index block: keys of block ${i} lie outside`);
      this.#sums[i + 1] = (this.#sums[i] as number) + this.#view.getInt32(at + 40, true);
    }
    this.#common = this.count === 0 ? EMPTY : commonPrefix(this.firstKey(0), this.lastKey(this.count - 1));
    this.#heads = Float64Array.from({ length: this.count }, (_, i) => headOf(this.lastKey(i), this.#common.length));
  }

  #at(i: number): number {
    return HEAD_BYTES + i * RECORD_BYTES;
  }

  /** Where the last key of the record at `at` begins: after its first key. */
  #lastKeyAt(at: number): number {
    return this.#keysAt + this.#view.getUint32(at + 44, true) + this.#view.getUint32(at + 48, true);
  }

  #u53(at: number): number {
    return this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * TWO_32;
  }

  offset(i: number): number {
    return this.#u53(this.#at(i));
  }

  payloadBytes(i: number): number {
    return this.#view.getUint32(this.#at(i) + 32, true);
  }

  digest(i: number): Digest64 {
    return this.#view.getBigUint64(this.#at(i) + 8, true);
  }

  minRevision(i: number): number {
    return this.#u53(this.#at(i) + 16);
  }

  maxRevision(i: number): number {
    return this.#u53(this.#at(i) + 24);
  }

  entries(i: number): number {
    return this.#view.getUint32(this.#at(i) + 36, true);
  }

  /** Live deltas of the blocks [from, to). */
  liveDelta(from: number, to: number): number {
    assert(from <= to && to <= this.count, 'blocks of this table');
    return (this.#sums[to] as number) - (this.#sums[from] as number);
  }

  firstKey(i: number): Uint8Array {
    const at = this.#at(i);
    const start = this.#keysAt + this.#view.getUint32(at + 44, true);
    return this.#payload.subarray(start, start + this.#view.getUint32(at + 48, true));
  }

  lastKey(i: number): Uint8Array {
    const at = this.#at(i);
    const start = this.#lastKeyAt(at);
    return this.#payload.subarray(start, start + this.#view.getUint32(at + 52, true));
  }

  handle(i: number): BlockHandle {
    assert(i >= 0 && i < this.count, 'a block of this table');
    const payloadBytes = this.payloadBytes(i);
    const length = regionBytes(payloadBytes, this.#scheme);
    const offset = this.offset(i);
    return { type: 'data', codec: this.#codec, scheme: this.#scheme, payloadBytes, digest: this.digest(i), offset, length };
  }

  /**
   * The first block whose last key is at or after `target`: the one that holds it if any does.
   * `count` if there is none.
   */
  find(target: Uint8Array): number {
    const common = this.#common;
    for (let i = 0; i < common.length; i++) {
      const difference = i < target.length ? (target[i] as number) - (common[i] as number) : -1;
      if (difference !== 0) return difference < 0 ? 0 : this.count;
    }
    const head = headOf(target, common.length);
    let low = -1;
    let high = this.count;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      const order = (this.#heads[middle] as number) - head || this.#compareLast(middle, target);
      if (order < 0) low = middle;
      else high = middle;
    }
    return high;
  }

  #compareLast(i: number, target: Uint8Array): number {
    const at = this.#at(i);
    const start = this.#lastKeyAt(at);
    const length = this.#view.getUint32(at + 52, true);
    const payload = this.#payload;
    const n = length < target.length ? length : target.length;
    for (let j = 0; j < n; j++) {
      const difference = (payload[start + j] as number) - (target[j] as number);
      if (difference !== 0) return difference;
    }
    return length - target.length;
  }
}

function commonPrefix(a: Uint8Array, b: Uint8Array): Uint8Array {
  const n = Math.min(a.length, b.length);
  let i = 0;
  while (i < n && a[i] === b[i]) i++;
  return a.subarray(0, i);
}
