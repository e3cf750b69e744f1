import assert from 'node:assert/strict';
import type { NodeId } from '../../base/ids.js';
import type { Entry } from '../../raft/types.js';
import type { SimNode } from '../cluster/sim-node.js';
import { Coverage } from '../model/coverage.js';
import { PATHS } from '../model/paths.js';
import { testPump } from '../testing/pump.js';
import { World } from '../world/world.js';
import { flipInMemory } from './strike-memory.js';

const SEEDS = 20;

/** Entries 1 to 9, of which the followers have these; the first is empty, as a new leader's is. */
async function flips(
  seed: number, matches: Readonly<Record<number, number>>, leads = true, applier = { index: 5, backlog: 0 },
): Promise<{ changed: number[]; told: number }> {
  const world = new World({ seed });
  const log = Array.from({ length: 9 }, (_, i): Entry => ({ index: i + 1, term: 1, type: 'normal', data: new Uint8Array(i === 0 ? 0 : 20) }));
  const replica = {
    log: { firstIndex: () => 1, lastIndex: () => log.length, entries: (from: number, to: number) => log.slice(from - 1, to - 1) },
    applier,
    driver: { node: { isLeader: leads, matchOf: (id: NodeId) => matches[id] ?? 0 } },
  };
  const nodes = [1, 2, 3].map((id) => ({ id, state: 'up', running: id === 1 ? { replica } : undefined }) as unknown as SimNode);
  const coverage = new Coverage();
  flipInMemory({ world, nodes, coverage, untilUs: 60_000_000 }, world.stream('memory 1'));
  await world.run(testPump, 70_000_000);
  const bits = (data: Uint8Array): number => data.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);
  assert.ok(log.every(({ data }) => bits(data) <= 1));
  return { changed: log.filter(({ data }) => bits(data) > 0).map(({ index }) => index), told: coverage.count(PATHS.flippedInMemory) };
}

describe('a flip in the memory of a leader', () => {
  it('strikes one bit of the next entry that a follower needs, once', async () => {
    for (let seed = 0; seed < SEEDS; seed++) assert.deepEqual(await flips(seed, { 2: 9, 3: 5 }), { changed: [6], told: 1 });
  });

  it('strikes no entry that is being carried out: its bytes were read before', async () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      assert.deepEqual(await flips(seed, { 2: 9, 3: 5 }, true, { index: 5, backlog: 2 }), { changed: [], told: 0 });
      assert.deepEqual(await flips(seed, { 2: 9, 3: 5 }, true, { index: 4, backlog: 2 }), { changed: [6], told: 1 });
      assert.deepEqual(await flips(seed, { 2: 9, 3: 5 }, true, { index: 9, backlog: 0 }), { changed: [6], told: 1 });
    }
  });

  it('strikes nothing while everybody has everything, nobody leads, or the entry is empty', async () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      assert.deepEqual(await flips(seed, { 2: 9, 3: 9 }), { changed: [], told: 0 });
      assert.deepEqual(await flips(seed, { 2: 9, 3: 5 }, false), { changed: [], told: 0 });
      assert.deepEqual(await flips(seed, { 2: 9, 3: 0 }), { changed: [], told: 0 });
    }
  });
});
