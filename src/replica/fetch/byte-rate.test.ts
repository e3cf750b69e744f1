import assert from 'node:assert/strict';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { ByteRate } from './byte-rate.js';

describe('a rate of bytes', () => {
  it('lets a moment\'s worth go at once, and makes the rest wait its turn', async () => {
    const clock = new ManualClock();
    const rate = new ByteRate(clock, 1_000_000);
    const done: number[] = [];
    for (let i = 0; i < 5; i++) {
      const wait = rate.take(100_000);
      if (wait === undefined) done.push(i);
      else void wait.then(() => done.push(i));
    }
    assert.deepEqual(done, [0, 1]);
    for (const expected of [[0, 1, 2], [0, 1, 2, 3], [0, 1, 2, 3, 4]]) {
      clock.advance(100);
      await Promise.resolve();
      await Promise.resolve();
      assert.deepEqual(done, expected);
    }
  });

  it('does not save up what nobody used for long', () => {
    const clock = new ManualClock();
    const rate = new ByteRate(clock, 1_000_000);
    clock.advance(60_000);
    assert.equal(rate.take(100_000), undefined);
    assert.equal(rate.take(100_000), undefined);
    assert.ok(rate.take(100_000) instanceof Promise);
  });
});
