import assert from 'node:assert/strict';
import fc from 'fast-check';
import { VersionSlot } from '../../storage/base/version-slot.js';
import { ChangeBuffer } from './change-buffer.js';

const KEY = Uint8Array.of(1, 0x61, 0, 0);

const given = new VersionSlot();

function push(into: ChangeBuffer, revision: number, value: Uint8Array): void {
  given.copyKey(KEY, 0, KEY.length);
  given.set(revision, 1, false, 0, value, 0, value.length);
  into.push(given);
}

describe('a buffer of changes', () => {
  it('gives each change as it was put in, also after it was used before and for what was copied', () => {
    const buffer = new ChangeBuffer();
    const copy = new ChangeBuffer();
    const slot = new VersionSlot();
    const size = fc.oneof(fc.nat(300), fc.nat(9_000), fc.constantFrom(262_139, 262_140, 262_141, 300_000));
    fc.assert(fc.property(fc.array(size, { maxLength: 30, size: 'max' }), (sizes) => {
      buffer.clear();
      copy.clear();
      sizes.forEach((bytes, n) => push(buffer, n + 1, new Uint8Array(bytes).fill(n)));
      sizes.forEach((_, n) => copy.append(buffer, n));
      assert.equal(buffer.bytes, sizes.reduce((sum, _, n) => sum + buffer.bytesAt(n), 0));
      for (const from of [buffer, copy]) {
        sizes.forEach((bytes, n) => {
          from.fill(n, slot);
          assert.deepEqual([slot.revision, slot.sub, slot.valueEnd - slot.valueAt], [n + 1, 1, bytes]);
          const value = Buffer.from(slot.valueBytes.subarray(slot.valueAt, slot.valueEnd));
          assert.ok(value.equals(Buffer.alloc(bytes, n)), `the value ${n} of ${bytes} bytes`);
          assert.deepEqual(slot.keyBytes.subarray(0, slot.keyEnd), KEY);
        });
      }
    }), { numRuns: 30 });
  });

  it('C1 takes what it has room for without making room, and keeps none for what was large', () => {
    const buffer = new ChangeBuffer();
    const made: number[] = [];
    const Real = globalThis.Uint8Array;
    const small = new Real(1_000);
    const large = new Real(1_000_000);
    class Counted extends Real {
      constructor(length: number) {
        super(length);
        made.push(length);
      }
    }
    const fill = (value: Uint8Array, count: number): number => {
      made.length = 0;
      buffer.clear();
      globalThis.Uint8Array = Counted as unknown as typeof Uint8Array;
      try {
        for (let n = 0; n < count; n++) push(buffer, n + 1, value);
      } finally {
        globalThis.Uint8Array = Real;
      }
      return made.reduce((sum, bytes) => sum + bytes, 0);
    };
    const first = fill(small, 4_000);
    assert.ok(first < 1.1 * 4_000 * 1_004 + 262_144, `4 MB of changes made ${first} bytes`);
    assert.ok(Math.max(...made) <= 262_144, 'in no step is much made');
    assert.ok(fill(small, 4_000) < 1_000);
    assert.ok(fill(large, 1) >= 1_000_000);
    assert.ok(fill(large, 1) >= 1_000_000, 'it was let go');
  });
});
