/** What is packed is byte for byte what the codec writes for the same keys and values. */

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { EMPTY } from '../../base/bytes.js';
import { encodeHeaderPrefix, encodeRangeResponse, encodeTxnResponse } from '../../api/wire/encode-response.js';
import type { PackedRange } from '../../api/wire/packed-range.js';
import type { KeyValue, RangeResponse } from '../../api/requests.js';
import { encodePrefix } from '../../storage/base/key.js';
import { USER_SPACE } from '../../storage/base/read-view.js';
import { VersionSlot } from '../../storage/base/version-slot.js';
import { RangePacker, packOne } from './range-packer.js';
import { runToEnd } from './testing/run-to-end.js';
import { RecordHead, encodeRecord, readHeadWithin } from './value-record.js';

const bytes = (maxLength: number): fc.Arbitrary<Uint8Array> =>
  fc.oneof(fc.uint8Array({ maxLength }), fc.array(fc.constantFrom(0, 1, 255), { maxLength }).map((list) => Uint8Array.from(list)));

const revision = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }));

const keyValue: fc.Arbitrary<KeyValue> = fc
  .record({
    key: bytes(200),
    revisions: fc.tuple(revision, revision),
    version: revision,
    value: fc.oneof(bytes(40), bytes(300), fc.nat(40_000).map((n) => new Uint8Array(n).fill(n))),
    lease: fc.oneof(fc.constant(0n), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: 1n, max: 2n ** 33n })),
  })
  .map(({ key, revisions: [a, b], version, value, lease }) => (
    { key, createRevision: Math.min(a, b), modRevision: Math.max(a, b), version, value, lease }
  ));

/** As a block holds it: in the midst of other bytes. */
function slotOf(kv: KeyValue): VersionSlot {
  const record = encodeRecord(kv.createRevision, kv.modRevision, kv.version, kv.lease, kv.value);
  const around = new Uint8Array(record.length + 10).fill(0xee);
  around.set(record, 7);
  const slot = new VersionSlot();
  const prefix = encodePrefix(USER_SPACE, kv.key);
  slot.copyKey(prefix, 0, prefix.length);
  slot.set(kv.modRevision, 0, false, 0, around, 7, 7 + record.length);
  return slot;
}

function headOf(slot: VersionSlot): RecordHead {
  const head = new RecordHead();
  readHeadWithin(slot.valueBytes, slot.valueAt, slot.valueEnd, slot.revision, head);
  return head;
}

function pack(kvs: readonly KeyValue[], keysOnly: boolean, more: boolean, count: number): PackedRange {
  const packer = new RangePacker();
  for (const kv of kvs) {
    const slot = slotOf(kv);
    packer.add(slot, headOf(slot), !keysOnly);
  }
  return runToEnd(packer.finish(77, more, count));
}

const PREFIX = encodeHeaderPrefix(0xffff_ffff_ffff_ffffn, 0xffff_ffff_ffff_ffffn);

describe('RangePacker', () => {
  it('writes what the codec writes for objects, alone and inside of a transaction', () => {
    fc.assert(
      fc.property(fc.array(keyValue, { maxLength: 12 }), fc.boolean(), fc.boolean(), fc.maxSafeNat(), fc.maxSafeNat(),
        (kvs, keysOnly, more, count, term) => {
          const shown = kvs.map((kv) => ({ ...kv, value: keysOnly ? EMPTY : kv.value }));
          const plain: RangeResponse = { revision: 77, kvs: shown, more, count };
          const packed = pack(kvs, keysOnly, more, count);
          const expected = encodeRangeResponse(PREFIX, term, plain);
          const txn = (response: RangeResponse): Buffer =>
            encodeTxnResponse(PREFIX, term, { revision: 78, succeeded: true, responses: [{ kind: 'range', response }] });
          assert(txn(packed).equals(txn(plain)));
          const first = encodeRangeResponse(PREFIX, term, packed);
          assert(first.equals(expected));
          const other = encodeHeaderPrefix(1n, 2n);
          assert(encodeRangeResponse(other, 3, packed).equals(encodeRangeResponse(other, 3, plain)));
          assert(first.equals(expected), 'what was given away stays as it is');
          assert.deepEqual(packed.kvs.map((kv) => ({ ...kv })), shown);
        }),
      { numRuns: 400 },
    );
  });

  it('writes one key as a range of one', () => {
    fc.assert(
      fc.property(keyValue, fc.boolean(), (kv, keysOnly) => {
        const slot = slotOf(kv);
        const one = packOne(kv.key, slot, headOf(slot), !keysOnly, 77);
        assert(encodeRangeResponse(PREFIX, 5, one).equals(encodeRangeResponse(PREFIX, 5, pack([kv], keysOnly, false, 1))));
      }),
    );
  });

  it('gives keys and values to who copies it', () => {
    fc.assert(
      fc.property(fc.array(keyValue, { maxLength: 4 }), (kvs) => {
        const packed = pack(kvs, false, true, 9);
        const copy = { ...packed.plain(), revision: 78 };
        assert.deepEqual({ ...copy, kvs: copy.kvs.map((kv) => ({ ...kv })) }, { revision: 78, kvs, more: true, count: 9 });
        assert.deepEqual(Object.keys(packed.toJSON()), ['revision', 'kvs', 'more', 'count']);
      }),
    );
  });

  it('grows in chunks, which two packers at a time do not share', () => {
    const kvs = Array.from({ length: 40 }, (_, i): KeyValue => (
      { key: Uint8Array.of(i), createRevision: 1, modRevision: 2, version: 2, value: new Uint8Array(70_000).fill(i), lease: 0n }
    ));
    const one = new RangePacker();
    const other = new RangePacker();
    for (const kv of kvs) {
      const slot = slotOf(kv);
      one.add(slot, headOf(slot), true);
      if (kv.key[0] !== 0) continue;
      other.add(slot, headOf(slot), false);
      other.add(slot, headOf(slot), false);
    }
    assert.deepEqual(runToEnd(other.finish(1, false, 2)).kvs.map(({ key, value }) => [key[0], value.length]), [[0, 0], [0, 0]]);
    const work = one.finish(3, false, 40);
    let pauses = 0;
    let step = work.next();
    for (; step.done !== true; step = work.next()) pauses += 1;
    assert(pauses >= 2, 'a large answer is put together in slices');
    assert.deepEqual(step.value.kvs.map((kv) => ({ ...kv })), kvs);
  });
});
