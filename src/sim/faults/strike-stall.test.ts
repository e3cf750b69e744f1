import assert from 'node:assert/strict';
import type { NodeId } from '../../base/ids.js';
import type { SimNode } from '../cluster/sim-node.js';
import { Coverage } from '../model/coverage.js';
import { testPump } from '../testing/pump.js';
import { World } from '../world/world.js';
import type { Strike } from './context.js';
import { moveLeaderMeanwhile } from './strike-stall.js';

const STALL_US = 500_000;
const SEEDS = 40;

/** Three members of which `leader` leads; each transfer succeeds 5 ms later. */
async function stall(seed: number, stalled: NodeId, endsUs = Infinity): Promise<{ moves: NodeId[]; lastUs: number }> {
  const world = new World({ seed });
  const moves: NodeId[] = [];
  let leader: NodeId = 1;
  let term = 1;
  let lastUs = 0;
  const node = (id: NodeId): SimNode => {
    const leadership = {};
    Object.defineProperty(leadership, 'mayShapeTree', { get: () => leader === id });
    Object.defineProperty(leadership, 'term', { get: () => term });
    const moveLeader = (to: NodeId): Promise<void> => {
      assert.equal(leader, id);
      moves.push(to);
      lastUs = world.nowUs;
      world.schedule(5_000, () => {
        leader = to;
        term++;
      });
      return Promise.resolve();
    };
    const running = { process: { alive: true }, store: { moveLeader }, replica: { leadership } };
    return { id, member: id, state: 'up', running } as unknown as SimNode;
  };
  const nodes = [1, 2, 3].map(node);
  const context = { world, nodes, coverage: new Coverage(), untilUs: endsUs };
  const strike = { context, random: world.stream('fault 1') } as unknown as Strike;
  moveLeaderMeanwhile(strike, nodes[stalled - 1] as SimNode, STALL_US);
  await world.run(testPump, 2 * STALL_US);
  return { moves, lastUs };
}

describe('while a disk stalls', () => {
  it('the lead goes to and fro among the others in some seeds, a bounded number of times, until the stall is over', async () => {
    const all = await Promise.all(Array.from({ length: SEEDS }, (_, seed) => stall(seed, 3)));
    const moved = all.filter(({ moves }) => moves.length > 0);
    assert.ok(moved.length > SEEDS / 4 && moved.length < SEEDS, `${moved.length} of ${SEEDS}`);
    for (const { moves, lastUs } of moved) {
      assert.ok(moves.length > 2 && moves.length <= 12, `${moves.length} moves`);
      assert.ok(!moves.includes(3), 'the stalled one gets nothing');
      assert.ok(moves.every((to, i) => to !== moves[i - 1]) && lastUs < STALL_US);
    }
  });

  it('a stalled leader keeps the lead, and nothing moves once faults are over', async () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      assert.deepEqual((await stall(seed, 1)).moves, []);
      assert.ok((await stall(seed, 3, 20_000)).lastUs < 20_000);
    }
  });
});
