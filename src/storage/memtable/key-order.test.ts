import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { compareBytes, equalBytes, toHex } from '../../base/bytes.js';
import { encodePrefix } from '../base/key.js';
import { SYSTEM_SPACE, USER_SPACE } from '../base/read-view.js';
import { KeyOrder } from './key-order.js';
import { KeyRecords } from './key-records.js';

/** Few letters, zeros among them, after beginnings that are alike for longer than is kept. */
const keyArbitrary = fc.record({
  space: fc.constantFrom(USER_SPACE, USER_SPACE, USER_SPACE, SYSTEM_SPACE),
  head: fc.constantFrom('', '/a/', '/registry/pods/', '/'.repeat(63), 'x'.repeat(130)),
  tail: fc.array(fc.constantFrom(0, 1, 97, 98, 255), { maxLength: 8 }),
});

function prefixOf({ space, head, tail }: { space: typeof USER_SPACE | typeof SYSTEM_SPACE; head: string; tail: number[] }): Uint8Array {
  return encodePrefix(space, Uint8Array.from([...Buffer.from(head), ...tail]));
}

function walk(records: KeyRecords, order: KeyOrder): Uint8Array[] {
  const out: Uint8Array[] = [];
  const start = Uint8Array.of(0);
  for (let leaf: ReturnType<KeyOrder['leafFor']> | undefined = order.leafFor(start, 0, 0); leaf !== undefined; leaf = leaf.next) {
    assert(leaf.next === undefined || leaf.next.previous === leaf);
    for (let i = 0; i < leaf.count; i++) {
      assert.equal(order.leafOf(leaf.key(i)), leaf, 'a key knows its leaf');
      out.push(records.prefix(leaf.key(i)));
    }
  }
  return out;
}

describe('KeyOrder', () => {
  it('holds any keys in byte order, and finds where any bytes would be', () => {
    const keys = fc.array(keyArbitrary, { minLength: 1, maxLength: 1200, size: 'max' });
    fc.assert(
      fc.property(keys, fc.array(keyArbitrary, { maxLength: 50 }), (written, probes) => {
        const records = new KeyRecords();
        const order = new KeyOrder(records);
        const unique = new Map(written.map((key) => [toHex(prefixOf(key)), prefixOf(key)]));
        for (const prefix of unique.values()) order.insert(records.addKey(prefix, prefix.length));
        const sorted = [...unique.values()].sort(compareBytes);
        assert.deepEqual(walk(records, order).map(toHex), sorted.map(toHex));
        for (const probe of [...probes.map(prefixOf), ...sorted, Uint8Array.of(2), Uint8Array.of(1, 47)]) {
          const padded = Uint8Array.from([9, ...probe, 9]);
          const leaf = order.leafFor(padded, 1, probe.length);
          const at = leaf.lowerBound(padded, 1, probe.length);
          const found = at < leaf.count ? leaf.key(at) : leaf.next?.key(0);
          const want = sorted.find((prefix) => compareBytes(prefix, probe) >= 0);
          assert.equal(found === undefined, want === undefined);
          if (found !== undefined && want !== undefined) assert(equalBytes(records.prefix(found), want));
        }
      }),
      { numRuns: 40 },
    );
  });

  it('ascending, descending and mixed inserts split nodes of every height', () => {
    const count = 40_000;
    const key = (n: number): Uint8Array => encodePrefix(USER_SPACE, Buffer.from(n.toString().padStart(9, '0')));
    for (const nth of [(i: number) => i, (i: number) => count - i, (i: number) => (i * 7919) % count]) {
      const records = new KeyRecords();
      const order = new KeyOrder(records);
      for (let i = 0; i < count; i++) {
        const prefix = key(nth(i));
        order.insert(records.addKey(prefix, prefix.length));
      }
      const walked = walk(records, order);
      assert.equal(walked.length, count);
      for (let i = 1; i < count; i++) assert(compareBytes(walked[i - 1] as Uint8Array, walked[i] as Uint8Array) < 0);
    }
  });
});
