import assert from 'node:assert/strict';
import fc from 'fast-check';
import { EMPTY, utf8 } from '../../base/bytes.js';
import { atOnce } from '../../base/drive.js';
import { KeyRanges, type KeyRange } from '../auth/key-ranges.js';
import { LeaseChanges } from './lease-changes.js';
import { LeasedKeysIn } from './leased-keys.js';
import { Pace, SLICE_KEYS } from './pace.js';
import { MemoryTree } from './testing/memory-tree.js';

type Attached = readonly [lease: bigint, key: string];

/** `gone`: were attached once, and their tombstones are there still. */
function treeOf(attached: readonly Attached[], gone: readonly Attached[] = []): MemoryTree {
  const tree = new MemoryTree();
  const all = new LeaseChanges();
  for (const [lease, key] of [...gone, ...attached]) all.move(utf8(key), 0n, lease);
  tree.write([...all.writes(1)]);
  const there = new Set(attached.map(String));
  const changes = new LeaseChanges();
  for (const [lease, key] of new Map(gone.map((each) => [String(each), each])).values()) {
    if (!there.has(String([lease, key]))) changes.detach(lease, utf8(key));
  }
  tree.write([...changes.writes(2)]);
  tree.reads = 0;
  return tree;
}

const within = (key: string, { key: from, rangeEnd }: KeyRange): boolean => {
  const [low, high] = [Buffer.from(from).toString(), Buffer.from(rangeEnd).toString()];
  if (high === '\0') return key >= low;
  return high === '' || high <= low ? key === low : key >= low && key < high;
};

const LEASES = [1n, 2n, -3n, 0x7fff_ffff_ffff_ffffn, -1n] as const;
const lease = fc.constantFrom(...LEASES);
const name = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '\0'), minLength: 1, maxLength: 3 });
const attached = fc.array(fc.tuple(lease, name), { maxLength: 60 });
const ranges: fc.Arbitrary<KeyRange[]> = fc.array(
  fc.record({ key: name.map(utf8), rangeEnd: fc.oneof(fc.constantFrom(EMPTY, Uint8Array.of(0)), name.map(utf8)) }), { maxLength: 5 },
);

describe('the keys of leases', () => {
  it('are within a set of ranges if, and only if, each one of them is, whatever lies deleted between them', () => {
    let held = 0;
    fc.assert(fc.property(attached, attached, ranges, fc.oneof(lease, fc.constant('all' as const)), (there, gone, set, which) => {
      const view = treeOf(there, gone).view();
      const expected = there.every(([of, key]) => (which !== 'all' && of !== which) || set.some((range) => within(key, range)));
      assert.equal(atOnce(new LeasedKeysIn(view).areWithin(new KeyRanges(set), which)), expected);
      held += Number(expected && there.length > 3);
    }), { numRuns: 3_000 });
    assert.ok(held > 30, `${held} were within`);
  });

  it('C1 what is known to be allowed is not looked at key by key, of one lease or of all', () => {
    const keys = Array.from({ length: 20_000 }, (_, i): Attached => [BigInt(1 + (i % 2)), `k${String(i).padStart(6, '0')}`]);
    const tree = treeOf(keys);
    const set = new KeyRanges([{ key: utf8('a'), rangeEnd: utf8('b') }, { key: utf8('k'), rangeEnd: utf8('l') }]);
    for (const which of [1n, 'all'] as const) {
      tree.reads = 0;
      assert.equal(atOnce(new LeasedKeysIn(tree.view()).areWithin(set, which)), true);
      assert.ok(tree.reads < 100, `${tree.reads} keys were looked at`);
    }
    assert.equal(atOnce(new LeasedKeysIn(tree.view()).areWithin(new KeyRanges([{ key: utf8('k'), rangeEnd: utf8('k019') }]), 1n)), false);
  });

  it('C1 is found out in slices, whether there are many ranges, many leases, or many keys that were deleted', () => {
    const many = Array.from({ length: 5_000 }, (_, i) => `k${String(i).padStart(6, '0')}`);
    const each = new KeyRanges(many.map((key) => ({ key: utf8(key), rangeEnd: EMPTY })));
    const one = new KeyRanges([{ key: utf8('k'), rangeEnd: EMPTY }]);
    for (const [what, tree, set] of [
      ['ranges', treeOf(many.map((key): Attached => [1n, key])), each],
      ['leases', treeOf(many.map((_, i): Attached => [BigInt(i), 'k'])), one],
      ['deleted keys', treeOf([], many.map((key): Attached => [1n, key])), one],
    ] as const) {
      const walk = new LeasedKeysIn(tree.view(), new Pace()).areWithin(set, 'all');
      let slices = 1;
      let result = walk.next();
      for (let last = tree.reads; result.done !== true; result = walk.next(), slices++) {
        assert.ok(tree.reads - last <= 2 * SLICE_KEYS, `${what}: ${tree.reads - last} keys in one slice`);
        last = tree.reads;
      }
      assert.equal(result.value, true);
      assert.ok(slices > many.length / (2 * SLICE_KEYS), `${what}: ${slices} slices`);
    }
  });
});
