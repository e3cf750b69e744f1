import assert from 'node:assert/strict';
import { runPass } from '../scripts/lib/bitrot.js';
import { loadFixedData, type FixedData } from '../scripts/lib/fixed-data.js';
import { waitQuiet } from '../scripts/lib/heal.js';
import { kintsugiOnly, SMALL, withCluster } from './harness.js';

const DATA: FixedData = { keys: 5000, valueBytes: 1024, seed: 5 };

describe('bit rot in real table files', function () {
  this.timeout(120_000);
  const fixture = withCluster('bitrot', { extraArgs: SMALL });

  before(async function () {
    kintsugiOnly(this);
    const { cluster } = fixture;
    await loadFixedData(cluster.nodes.map((node) => node.endpoint), DATA);
    const rest = await waitQuiet(cluster);
    assert.ok(rest.quiet, rest.why);
    assert.ok(rest.tables.tables >= 7, `only ${rest.tables.tables} tables`);
  });

  for (const scenario of ['follower-running', 'leader-stopped', 'stripes-running']) {
    it(`S4 H1 H2 ${scenario}: every read is right, heals go through the log, all table files end equal`, async () => {
      const pass = await runPass(fixture.cluster, scenario, DATA, 3, () => undefined);
      assert.deepEqual(pass.faults, []);
      assert.equal(pass.reads, DATA.keys * 6);
    });
  }
});
