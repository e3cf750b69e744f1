import assert from 'node:assert/strict';
import fc from 'fast-check';
import { tablePath, type TableMeta } from '../storage/table/table-meta.js';
import { readFile, regionsOf, rot, seeded, World } from './testing/world.js';

/**
 * Rots all three nodes at random, leaving of each region at least one copy alone; loses calls;
 * kills nodes.
 */
async function run(seed: number): Promise<void> {
  const random = seeded(seed);
  const world = new World();
  const metas = await world.start(3);
  const where = `seed ${seed}`;
  for (const meta of metas) {
    const whole = random.below(4) === 0 ? 1 + random.below(3) : 0;
    if (whole > 0) await world.node(whole).disk.unlink(tablePath(meta.id));
    for (const region of await regionsOf(meta, world.files.get(meta.id) as Uint8Array)) {
      const spared = 1 + random.below(3);
      for (const node of world.nodes) {
        if (node.id === spared || node.id === whole || (whole > 0 && node.id !== 1 + (whole % 3)) || random.below(3) > 0) continue;
        const length = random.below(2) === 0 ? 1 + random.below(20) : region.length;
        rot(node.disk, tablePath(meta.id), region.offset + random.below(region.length - length + 1), length);
      }
    }
  }
  let losses = random.below(30);
  world.network.fate = () => (losses > 0 && random.below(3) === 0 && losses-- > 0 ? (random.below(2) === 0 ? 'lost' : 'answer-lost') : 'ok');
  const scrubAll = async (): Promise<void> => {
    let done = 0;
    for (const node of world.nodes) void node.healing.scrub(() => undefined).finally(() => done++);
    await world.until(`${where}: scrubbed`, () => done === world.nodes.length);
  };
  await scrubAll();
  const victim = world.node(1 + random.below(3));
  for (let steps = random.below(40); steps > 0; steps--) await world.step();
  await victim.crash();
  if (victim.id === world.leader) world.elect(1 + (victim.id % 3));
  for (let steps = random.below(40); steps > 0; steps--) await world.step();
  await victim.start({ resendMs: 1000, pollMs: 100, proposalTimeoutMs: 2000 });
  await world.until(`${where}: healed`, () => world.healed(), 20_000);
  await scrubAll();
  for (const node of world.nodes) {
    assert.equal(node.healing.scrubStatus().faults, 0, `${where}: node ${node.id} is clean`);
    for (const meta of metas) {
      const current = node.durable.list().find((table) => table.fileDigest === meta.fileDigest) as TableMeta;
      assert.deepEqual(await readFile(node.disk, tablePath(current.id)), world.files.get(meta.id), `${where}: node ${node.id}, table ${current.id}`);
    }
  }
  await world.stop();
}

describe('healing of random rot', () => {
  it('D1 H2 H4 while of each block one copy is good, every table on every node becomes what it was, whatever is lost or dies', async () => {
    await fc.assert(fc.asyncProperty(fc.nat(1e6), run), { numRuns: 12 });
  });
});
