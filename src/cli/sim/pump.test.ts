import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { nodePump } from './pump.js';

describe('the pump of simulated runs', () => {
  for (const batch of [1, 3, 256]) {
    it(`takes each step once, in turns of their own, in batches of ${batch}`, async () => {
      let steps = 0;
      let settled = 0;
      await nodePump(batch).pump(() => {
        assert.equal(settled, steps, 'the promise callbacks of the step before have run');
        steps++;
        void Promise.resolve().then(() => Promise.resolve()).then(() => settled++);
        return steps < 10;
      });
      assert.equal(steps, 10);
      for (let i = 0; i < 5; i++) await turn();
      assert.equal(steps, 10, 'and none after the last');
    });

    it(`ends with what a step throws, in batches of ${batch}`, async () => {
      let steps = 0;
      await assert.rejects(nodePump(batch).pump(() => {
        if (++steps === 4) throw new Error('the fourth');
        return true;
      }), /the fourth/);
      for (let i = 0; i < 5; i++) await turn();
      assert.equal(steps, 4);
    });
  }

  it('takes no step after it was stopped', async () => {
    const { pump, stop } = nodePump();
    let steps = 0;
    void pump(() => {
      if (++steps === 5) stop();
      return true;
    });
    for (let i = 0; i < 10; i++) await turn();
    assert.equal(steps, 5);
  });
});
