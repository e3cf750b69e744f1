import assert from 'node:assert/strict';
import { tablePath, type TableMeta } from '../storage/version/table-meta.js';
import { PowerLossDisk } from './testing/power-loss.js';
import { readFile, regionsOf, rot, World } from './testing/world.js';

type Rot = 'within parity' | 'beyond parity' | 'no file';

interface Sweep {
  readonly victim: number;
  readonly rot: Rot;
  readonly names: 'synced' | 'all';
}

/** One run that loses power before change `k`; true if the heal was through before that. */
async function run({ victim, rot: kind, names }: Sweep, k: number): Promise<boolean> {
  const power = new PowerLossDisk();
  const world = new World((id) => (id === victim ? power.disk : new PowerLossDisk().disk));
  const [meta] = (await world.start()) as [TableMeta];
  const node = world.node(victim);
  const regions = await regionsOf(meta, world.files.get(1) as Uint8Array);
  const bad = regions.filter((region) => region.kind === 'data')[1] as { offset: number; length: number };
  if (kind === 'no file') await node.disk.unlink(tablePath(1));
  else rot(node.disk, tablePath(1), bad.offset + 200, kind === 'beyond parity' ? bad.length - 200 : 3);
  power.settle();
  power.left = k;
  const { healing } = node;
  const scrubbed = healing.scrub(() => undefined).then(() => healing.quiet());
  await world.until('healed or without power', () => power.dead || (world.log.length > 0 && world.healed()));
  const hinted = await scrubbed;
  const through = !power.dead;
  if (power.dead) {
    const healed = node.durable.levels.flat().every((table) => table.id !== 1);
    await node.crash();
    power.restart(names);
    // H5: alone, the node reads all that it could read before.
    world.network.fate = () => 'lost';
    await node.start({ resendMs: 1000, pollMs: 100 });
    const current = node.durable.levels.flat()[0] as TableMeta;
    for (const region of regions) {
      if (!healed && kind !== 'within parity' && (kind === 'no file' || region.offset === bad.offset)) continue;
      assert.doesNotThrow(() => node.tables.reader(current).readPayload(region.offset), `H5 change ${k}: region at ${region.offset}`);
    }
    if (!healed && hinted) assert.equal(node.healing.hints().length, 1, `H2 change ${k}: the hint is there`);
    world.network.fate = () => 'ok';
    if (victim === world.leader) world.elect(3);
    await node.healing.scrub(() => undefined);
    await world.until(`healed after change ${k}`, () => world.log.length > 0 && world.healed());
  }
  for (const each of world.nodes) {
    const current = each.durable.levels.flat()[0] as TableMeta;
    assert.deepEqual(await readFile(each.disk, tablePath(current.id)), world.files.get(1), `change ${k}: node ${each.id}`);
  }
  await world.stop();
  return through;
}

describe('healing through power loss', () => {
  const kinds: readonly Rot[] = ['within parity', 'beyond parity', 'no file'];
  for (const rotKind of kinds) {
    for (const victim of [2, 1]) {
      for (const names of ['synced', 'all'] as const) {
        const who = victim === 1 ? 'leader' : 'follower';
        it(`H2 H5 ${who}, ${rotKind}, names ${names}: power lost before any change leaves all readable and the hint`, async () => {
          let through = false;
          let k = 0;
          for (; !through && k < 200; k++) through = await run({ victim, rot: rotKind, names }, k);
          assert.ok(through, 'the sweep covered every change');
          assert.ok(k > 10, `only ${k} changes`);
        });
      }
    }
  }
});
