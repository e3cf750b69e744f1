import assert from 'node:assert/strict';
import { CrashDisk } from '../base/disk/testing/crash-disk.js';
import { MemoryDisk } from '../base/disk/memory-disk.js';
import { DiskError } from '../base/errors.js';
import { tablePath, type TableMeta } from '../storage/table/table-meta.js';
import { readFile, regionsOf, rot, seeded, World } from './testing/world.js';

type Rot = 'within parity' | 'beyond parity' | 'no file';

interface Sweep {
  readonly victim: number;
  readonly rot: Rot;
}

function powerIsOff(disk: CrashDisk): boolean {
  try {
    disk.sizeOf('hints');
    return false;
  } catch (error) {
    assert.ok(error instanceof DiskError);
    return true;
  }
}

/** One run that loses power after `k` changes; true if the heal was through before that. */
async function run({ victim, rot: kind }: Sweep, k: number, seed: number): Promise<boolean> {
  const power = new CrashDisk();
  const world = new World((id) => (id === victim ? power : new MemoryDisk()));
  const [meta] = (await world.start()) as [TableMeta];
  const node = world.node(victim);
  const regions = await regionsOf(meta, world.files.get(1) as Uint8Array);
  const bad = regions.filter((region) => region.kind === 'data')[1] as { offset: number; length: number };
  if (kind === 'no file') {
    await power.unlink(tablePath(1));
    await power.syncDir('tables');
  } else {
    rot(power, tablePath(1), bad.offset + 200, kind === 'beyond parity' ? bad.length - 200 : 3);
    const file = await power.open(tablePath(1), 'write');
    await file.sync();
    file.close();
  }
  power.powerOffAfter(k);
  const { healing } = node;
  const scrubbed = healing.scrub(() => undefined).then(() => healing.quiet());
  await world.until('healed or without power', () => powerIsOff(power) || (world.log.length > 0 && world.healed()));
  const hinted = await scrubbed.catch(() => false);
  const through = !powerIsOff(power);
  if (!through) {
    const healed = node.durable.list().every((table) => table.id !== 1);
    await node.crash();
    power.crash(seeded(seed));
    // H5: alone, the node reads all that it could read before.
    world.network.fate = () => 'lost';
    await node.start({ resendMs: 1000, pollMs: 100 });
    const current = node.durable.list()[0] as TableMeta;
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
    const current = each.durable.list()[0] as TableMeta;
    assert.deepEqual(await readFile(each.disk, tablePath(current.id)), world.files.get(1), `change ${k}: node ${each.id}`);
  }
  await world.stop();
  return through;
}

describe('healing through power loss', () => {
  const kinds: readonly Rot[] = ['within parity', 'beyond parity', 'no file'];
  for (const rotKind of kinds) {
    for (const victim of [2, 1]) {
      const who = victim === 1 ? 'leader' : 'follower';
      it(`H2 H5 ${who}, ${rotKind}: power lost after any change leaves all readable and the hint, and the heal goes on`, async () => {
        let through = false;
        let k = 1;
        for (; !through && k < 200; k++) {
          for (let seed = 0; seed < 2; seed++) through = await run({ victim, rot: rotKind }, k, seed * 1000 + k);
        }
        assert.ok(through, 'the sweep covered every change');
        assert.ok(k > 10, `only ${k} changes`);
      });
    }
  }
});
