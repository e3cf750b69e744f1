import assert from 'node:assert/strict';
import fc from 'fast-check';
import { DeletedRanges } from './deleted-ranges.js';

const KEYS = 12;
const keyOf = (n: number): Uint8Array => Uint8Array.of(n);
/** [from, to) over small keys; `KEYS` as `to`: the end of the space. */
const range = fc.tuple(fc.nat(KEYS - 1), fc.nat(KEYS)).filter(([from, to]) => from < to);
const bounds = ([from, to]: readonly [number, number]): { from: Uint8Array; to: Uint8Array | undefined } => ({
  from: keyOf(from), to: to === KEYS ? undefined : keyOf(to),
});

/** Every key is live. */
const base = { countLive: (from: Uint8Array, to: Uint8Array | undefined) => (to?.[0] ?? KEYS) - (from[0] as number) };

describe('DeletedRanges', () => {
  it('holds the keys of all ranges that were added, and leaves what is between them', () => {
    fc.assert(fc.property(fc.array(range, { maxLength: 8 }), range, (added, asked) => {
      const ranges = new DeletedRanges(base);
      const deleted = new Set<number>();
      for (const one of added) {
        ranges.add(bounds(one));
        for (let n = one[0]; n < one[1]; n++) deleted.add(n);
      }
      for (let n = 0; n < KEYS; n++) assert.equal(ranges.has(keyOf(n)), deleted.has(n), `key ${n}`);
      for (let again = 0; again < 2; again++) {
        const inside = [...deleted].filter((n) => n >= asked[0] && n < asked[1]);
        assert.equal(ranges.countLive(bounds(asked)), inside.length);
      }
      const left: number[] = [];
      for (const gap of ranges.between(bounds(asked))) {
        const to = gap.to === undefined ? KEYS : (gap.to[0] as number);
        for (let n = gap.from[0] as number; n < to; n++) left.push(n);
      }
      const expected = Array.from({ length: asked[1] - asked[0] }, (_, i) => asked[0] + i).filter((n) => !deleted.has(n));
      assert.deepEqual(left, expected);
    }), { numRuns: 500 });
  });

  it('becomes one range where they meet', () => {
    const ranges = new DeletedRanges(base);
    ranges.add(bounds([0, 3]));
    ranges.add(bounds([6, 9]));
    ranges.add(bounds([2, 7]));
    assert.equal(ranges.size, 1);
    assert.deepEqual(ranges.between(bounds([0, 12])), [bounds([9, 12])]);
  });
});
