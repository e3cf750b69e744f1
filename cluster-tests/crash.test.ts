import assert from 'node:assert/strict';
import { crashRound } from '../scripts/lib/crash.js';
import { SMALL, withCluster } from './harness.js';

describe('kill -9 of all three processes', function () {
  this.timeout(90_000);
  const fixture = withCluster('crash', { load: true, extraArgs: SMALL });

  for (const round of [1, 2]) {
    it(`D1 every acknowledged write is there after restart ${round}, and the history is linearizable`, async () => {
      const { cluster, load } = fixture;
      const result = await crashRound(cluster, load, { round, clients: 32, loadMs: 1500, writes: 200, valueBytes: 512 });
      assert.ok(result.acknowledged > 100, `only ${result.acknowledged} writes were acknowledged`);
      assert.equal(result.missing + result.wrong + result.errors, 0, result.firstFault);
      assert.ok(result.linearizable, result.summary);
    });
  }
});
