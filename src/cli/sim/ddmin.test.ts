import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ddmin, type FirstFailing } from './ddmin.js';

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

function failsWhen(fails: (items: readonly number[]) => boolean, count = { runs: 0 }): FirstFailing<number> {
  return (candidates) => {
    for (const [i, items] of candidates.entries()) {
      count.runs++;
      if (fails(items)) return Promise.resolve(i);
    }
    return Promise.resolve('none');
  };
}

describe('ddmin', () => {
  it('what is left fails, and without any one of its items it passes', async () => {
    const someCauses = fc.array(fc.array(fc.nat(59), { maxLength: 4 }), { minLength: 1, maxLength: 4 });
    await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 60 }), someCauses, async (size, causes) => {
      // Any of several sets of items is a cause: not every part that fails holds the same minimum.
      const fails = (items: readonly number[]): boolean => causes.some((cause) => cause.every((item) => items.includes(item % size)));
      const { kept, minimal } = await ddmin(range(size), failsWhen(fails));
      assert.equal(minimal, true);
      assert.equal(fails(kept), true);
      for (const item of kept) assert.equal(fails(kept.filter((other) => other !== item)), false, `${item} can be left out of ${kept.join()}`);
    }));
  });

  it('a pair among seventy is found in well under two hundred runs', async () => {
    const count = { runs: 0 };
    const { kept } = await ddmin(range(70), failsWhen((items) => items.includes(11) && items.includes(64), count));
    assert.deepEqual(kept, [11, 64]);
    assert.ok(count.runs < 100, `${count.runs} runs`);
  });

  it('without any item is tried first', async () => {
    const count = { runs: 0 };
    assert.deepEqual(await ddmin(range(70), failsWhen(() => true, count)), { kept: [], minimal: true });
    assert.equal(count.runs, 1);
  });

  it('when no more runs are allowed it says so, and what is left is known to fail', async () => {
    let left = 6;
    const inner = failsWhen((items) => items.includes(3) && items.includes(40));
    const { kept, minimal } = await ddmin(range(64), (candidates) => (left-- > 0 ? inner(candidates) : Promise.resolve('spent')));
    assert.equal(minimal, false);
    assert.ok(kept.includes(3) && kept.includes(40) && kept.length < 64);
  });
});
