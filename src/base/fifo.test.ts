import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Fifo } from './fifo.js';
import { Watched } from './testing/garbage.js';

describe('a queue', () => {
  it('gives what was put in, in that order, whatever the mix of the two', () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: -3, max: 4 }), { maxLength: 400 }), (steps) => {
      const queue = new Fifo<{ n: number }>();
      const model: { n: number }[] = [];
      let n = 0;
      for (const step of steps) {
        for (let i = 0; i < step * 10; i++) {
          const item = { n: n++ };
          queue.push(item);
          model.push(item);
        }
        for (let i = 0; i < -step * 10; i++) assert.equal(queue.shift(), model.shift());
        if (step === 0) {
          queue.clear();
          model.length = 0;
        }
        assert.deepEqual([queue.length, queue.first, queue.last], [model.length, model[0], model.at(-1)]);
      }
    }));
  });

  it('holds only what waits, although it is never empty', async () => {
    const queue = new Fifo<object>();
    const watched = new Watched();
    for (let i = 0; i < 5; i++) queue.push(watched.watch({}));
    for (let i = 0; i < 1_000; i++) {
      queue.push(watched.watch({}));
      queue.shift();
    }
    assert.deepEqual([queue.length, await watched.held()], [5, 5]);
  });
});
