import assert from 'node:assert/strict';
import { tablePath } from '../../storage/table/table-meta.js';
import { SimNetwork } from '../network/sim-network.js';
import { testPump } from '../testing/pump.js';
import { readSegments } from './log-places.js';
import { cutOffLoneCopy } from './strike-lone-copy.js';
import { restedCluster, trialOf, type Rested, type Trial } from './testing/struck-nodes.js';

const SECOND_US = 1_000_000;

describe('cutting off a lone copy', function () {
  this.timeout(60_000);
  let rested: Rested;
  let trial: Trial;
  let network: SimNetwork;

  before(async () => {
    rested = await restedCluster(3);
  });

  beforeEach(() => {
    trial = trialOf(rested, 1, 'full', 'up');
    network = new SimNetwork(trial.world, [1, 2, 3], trial.context.coverage);
    cutOffLoneCopy(trial.context, network, trial.world.stream('trial'));
  });

  const areCut = (one: number, other: number): boolean => network.cuts.isCut(one, other) && network.cuts.isCut(other, one);
  const cutOff = (): number[] => [1, 2, 3].filter((id) => [1, 2, 3].every((other) => id === other || areCut(id, other)));
  const pass = (seconds: number): Promise<void> => trial.world.run(testPump, trial.world.nowUs + seconds * SECOND_US);

  it('waits for one, cuts off who has it, both ways, and mends that again', async () => {
    const { oracle, nodes, coverage } = trial.context;
    const meta = rested.durable[0]?.levels.flat()[0] ?? assert.fail();
    const block = oracle.census.pristine(meta.fileDigest)?.regions.find(({ kind }) => kind === 'data') ?? assert.fail();
    const rot = (node: number): void => {
      nodes[node - 1]?.disk.alter(tablePath(meta.id), block.offset, (bytes) => void bytes.fill(0), block.length, false);
    };
    rot(1);
    await pass(2);
    assert.deepEqual([cutOff(), coverage.count('fault lone-copy-cut')], [[], 0], 'two have it');
    rot(3);
    await pass(2);
    assert.deepEqual([cutOff(), coverage.count('fault lone-copy-cut')], [[2], 1]);
    await pass(40);
    assert.deepEqual(cutOff(), []);
  });

  it('knows the only log that has an entry which another has lost', async () => {
    const { oracle, nodes, settings } = trial.context;
    const flushed = rested.durable[0]?.flushed.index ?? 0;
    for (const id of [1, 3]) {
      const { disk } = nodes[id - 1] ?? assert.fail();
      // The entry is the same on both; which batch it came in is each member's own matter.
      const segments = readSegments(disk, settings.logSegmentBytes);
      const batches = segments.flatMap(({ path, batches }) => batches.map((batch) => ({ path, ...batch })));
      const before = batches.filter(({ previousIndex }) => previousIndex < flushed + 3);
      const { path, offset, length } = before.reduce((last, batch) => (batch.previousIndex > last.previousIndex ? batch : last));
      disk.alter(path, offset, (bytes) => void bytes.fill(0), length, true);
      oracle.noteDamage(id, path, offset, length, 'zeroed', true);
      await pass(1);
      assert.deepEqual(cutOff(), id === 1 ? [] : [2]);
    }
  });

  it('strikes nothing where nothing is damaged', async () => {
    await pass(90);
    assert.deepEqual([cutOff(), trial.context.coverage.count('fault lone-copy-cut')], [[], 0]);
  });
});
