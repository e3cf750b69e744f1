import assert from 'node:assert/strict';
import { runs } from '../../base/testing/runs.js';
import { readJoined } from '../../replica/state/joined.js';
import { testPump } from '../testing/pump.js';
import type { FaultAction } from '../model/fault.js';
import { kindsOf } from './cells.js';
import { strikeDisk } from './strike-disk.js';
import { restedCluster, trialOf, type Rested, type Trial } from './testing/struck-nodes.js';

const SECOND_US = 1_000_000;
const NAMES = ['joined', 'joined.copy'];
const BYTES = Uint8Array.from({ length: 100 }, (_, i) => i);

describe('a strike on the files that say who a member is', function () {
  this.timeout(60_000);
  let rested: Rested;

  before(async () => {
    rested = await restedCluster(3);
  });

  /** How many of the two each node has lost. */
  const lost = ({ context }: Trial): number[] => context.nodes.map(({ disk }) =>
    NAMES.filter((name) => Buffer.compare(disk.medium(name) ?? Buffer.alloc(0), BYTES) !== 0).length);

  async function strike(trial: Trial, action: Pick<FaultAction, 'kind' | 'id'>): Promise<void> {
    strikeDisk(trial.context, { atUs: 0, class: 'disk', structure: 'joined-file', spread: 'one', ...action });
    await trial.world.run(testPump, trial.world.nowUs + 4 * SECOND_US);
  }

  it('R5 leaves one copy, or takes both from one node of a minority, in each cell', async () => {
    const kinds = kindsOf('joined-file', 'full');
    assert.equal(kinds.length, 8);
    for (const kind of kinds) {
      const seen = new Set<number>();
      for (let seed = 1; seed <= runs(6, 12); seed++) {
        const trial = trialOf(rested, seed, 'full', 'up');
        for (const { disk } of trial.context.nodes) for (const name of NAMES) disk.put(name, BYTES);
        for (let id = 1; id <= 6; id++) await strike(trial, { kind, id });
        assert.ok(trial.context.coverage.count(`fault ${kind} joined-file`) > 0, kind);
        for (const [i, n] of lost(trial).entries()) {
          seen.add(n);
          assert.equal(trial.context.oracle.verdict.beyondRecall(i + 1), n === 2, `${kind}, seed ${seed}, node ${i + 1}`);
        }
        assert.ok(lost(trial).filter((n) => n === 2).length <= 1);
      }
      assert.ok(seen.has(1) && seen.has(2), kind);
    }
  });

  it('R5 makes both copies of what says that a member is re-admitted unreadable, takes neither, and only of one that is beyond recall', async () => {
    const both = new Set<string>();
    const INTENT = ['recovering', 'recovering.copy'];
    for (const kind of kindsOf('joined-file', 'full')) {
      for (let seed = 1; seed <= 12; seed++) {
        const trial = trialOf(rested, seed, 'full', 'up');
        const { context: { nodes, oracle } } = trial;
        const [node = assert.fail()] = nodes;
        oracle.noteDamage(node.id, 'hardstate', 0, 1, 'junk', true);
        for (const { disk } of nodes) for (const name of INTENT) disk.put(name, BYTES);
        for (let id = 1; id <= 6; id++) await strike(trial, { kind, id });
        for (const each of nodes) {
          const left = INTENT.map((name) => each.disk.medium(name)).filter((bytes) => bytes !== undefined);
          const whole = left.filter((bytes) => Buffer.compare(bytes, BYTES) === 0);
          assert.ok(left.length > 0, `${kind} leaves one`);
          if (whole.length > 0) continue;
          assert.equal(each, node, `${kind}, seed ${seed}`);
          both.add(kind);
        }
      }
    }
    assert.deepEqual([...both].sort(), ['bit-flip', 'burst', 'extended', 'junk', 'truncated', 'zeroed']);
  });

  it('waits for one, and strikes nothing instead', async () => {
    const trial = trialOf(rested, 1, 'full', 'up');
    await strike(trial, { kind: 'missing', id: 1 });
    await trial.world.run(testPump, trial.world.nowUs + 60 * SECOND_US);
    assert.deepEqual(trial.context.coverage.toJSON(), {});
    const [node = assert.fail()] = trial.context.nodes;
    assert.equal(await readJoined(node.disk.attach({ node: 1, alive: true, stalledUntilUs: 0 }, () => undefined)), undefined);
    for (const name of NAMES) node.disk.put(name, BYTES);
    await trial.world.run(testPump, trial.world.nowUs + 4 * SECOND_US);
    assert.equal(trial.context.coverage.count('fault missing joined-file') > 0, true);
  });
});
