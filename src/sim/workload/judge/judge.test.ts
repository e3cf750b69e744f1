import assert from 'node:assert/strict';
import { runs } from '../../../base/testing/runs.js';
import { World } from '../../world/world.js';
import type { OpRecord } from '../history/history.js';
import { judge } from './judge.js';
import { FakeCluster } from '../testing/fake-cluster.js';
import { forgetOutcomes, MUTATIONS } from '../testing/mutations.js';

async function goodHistory(seed: number): Promise<readonly OpRecord[]> {
  const cluster = new FakeCluster({ seed, keys: 20, unknownIn1000: 20, crashSeconds: 30 });
  await cluster.run();
  return cluster.workload.history.records;
}

describe('judge', function () {
  this.timeout(60_000);
  const histories: (readonly OpRecord[])[] = [];

  before(async () => {
    for (let seed = 1; seed <= 4; seed++) histories.push(await goodHistory(seed));
  });

  for (const [name, mutate] of Object.entries(MUTATIONS)) {
    it(`rejects good histories after ${name}`, () => {
      let tried = 0;
      histories.forEach((history, i) => {
        for (let seed = 1; seed <= runs(3, 6); seed++) {
          const bad = mutate(history, new World({ seed }).stream('mutation'));
          if (bad === undefined) continue;
          tried++;
          const { passed, faults } = judge(bad);
          assert.ok(!passed, `history ${i}, mutation ${seed} was not noticed`);
          assert.ok(faults[0]?.message.includes('operation'), faults[0]?.message);
        }
      });
      assert.ok(tried >= runs(8, 16), `only ${tried} histories could be damaged`);
    });
  }

  it('passes good histories of which it hears less', () => {
    histories.forEach((history, i) => {
      for (const of of [4, 20]) {
        const less = forgetOutcomes(history, new World({ seed: i }).stream('forget'), of);
        const { passed, faults } = judge(less);
        assert.ok(passed, `history ${i}, one in ${of} forgotten: ${faults[0]?.check}: ${faults[0]?.message}`);
      }
    });
  });
});
