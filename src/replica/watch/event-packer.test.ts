import assert from 'node:assert/strict';
import fc from 'fast-check';
import { EMPTY } from '../../base/bytes.js';
import { SharedEvent } from '../../api/wire/watch-event.js';
import { encodePrefix } from '../../storage/base/key.js';
import { USER_SPACE } from '../../storage/base/read-view.js';
import { VersionSlot } from '../../storage/base/version-slot.js';
import { decodeKeyValue, encodeRecord } from '../kv/value-record.js';
import { EventPacker } from './event-packer.js';

const version = fc.record({
  age: fc.nat(2 ** 20), revision: fc.integer({ min: 2 ** 20 + 1, max: 2 ** 40 }), version: fc.integer({ min: 1, max: 2 ** 33 }),
  lease: fc.oneof(fc.constant(0n), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })), value: fc.uint8Array({ maxLength: 300 }),
});
const change = fc.record({
  key: fc.uint8Array({ maxLength: 40 }), tombstone: fc.boolean(), now: version, prev: fc.option(version, { nil: undefined }),
});

describe('events of history', () => {
  it('are the bytes that the event as an object has', () => {
    const packer = new EventPacker();
    fc.assert(fc.property(fc.array(change, { maxLength: 6 }), (changes) => {
      packer.clear();
      const objects: Uint8Array[] = [];
      for (const { key, tombstone, now, prev } of changes) {
        const slotOf = (of: typeof now, dead: boolean): VersionSlot => {
          const slot = new VersionSlot();
          const record = dead ? EMPTY : encodeRecord(of.revision - of.age, of.revision, of.version, of.lease, of.value);
          const within = Uint8Array.of(9, ...record, 9);
          slot.keyBytes = encodePrefix(USER_SPACE, key);
          slot.keyEnd = slot.keyBytes.length;
          slot.set(of.revision, 0, dead, 0, within, 1, 1 + record.length);
          return slot;
        };
        const kvOf = ({ valueBytes, valueAt, valueEnd, revision }: VersionSlot): SharedEvent['kv'] =>
          decodeKeyValue(key, revision, valueBytes.subarray(valueAt, valueEnd));
        const slot = slotOf(now, tombstone);
        const before = prev && slotOf(prev, false);
        packer.take(slot);
        assert.equal(packer.isCreate, !tombstone && now.age === 0);
        packer.pack(before);
        const kv = tombstone ? { key, createRevision: 0, modRevision: now.revision, version: 0, value: EMPTY, lease: 0n } : kvOf(slot);
        objects.push(new SharedEvent(tombstone ? 'delete' : 'put', kv, before && kvOf(before)).encoded);
      }
      assert.deepEqual(Buffer.from(packer.bytes.subarray(0, packer.end)), Buffer.concat(objects));
    }), { numRuns: 300 });
  });
});
