import assert from 'node:assert/strict';
import { FaultDisk } from '../../base/disk/testing/fault-disk.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { codeOf } from '../../base/errors.js';
import { StorageError } from '../../storage/base/errors.js';
import type { Region } from '../../storage/table/block-faults.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import { REPAIRS_DIR, RepairStore } from './repair-store.js';
import { regionsOf, rot, World, type TestNode } from '../testing/world.js';

async function kept(node: TestNode): Promise<readonly string[]> {
  return node.disk.list(REPAIRS_DIR);
}

/** A read of one block: the error, or undefined. */
function read(node: TestNode, meta: TableMeta, offset: number): StorageError | undefined {
  try {
    node.tables.reader(meta).readPayload(offset);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof StorageError);
    return error;
  }
}

describe('repairs', () => {
  let world: World;
  let faulty: FaultDisk;
  beforeEach(() => {
    faulty = new FaultDisk(new MemoryDisk());
    world = new World((id) => (id === 3 ? faulty : new MemoryDisk()));
  });
  afterEach(() => world.stop());

  async function dataOf(meta: TableMeta): Promise<readonly Region[]> {
    return (await regionsOf(meta, world.files.get(meta.id) as Uint8Array)).filter((region) => region.kind === 'data');
  }

  /** Lets time pass until a node keeps `count` repairs. */
  async function untilKept(node: TestNode, count: number): Promise<void> {
    for (let i = 0; i < 2000; i++) {
      if ((await kept(node)).length === count) return;
      await world.step();
    }
    assert.fail(`node ${node.id} keeps ${(await kept(node)).join(', ')}`);
  }

  /**
   * Makes a whole block of a node's file unreadable, and reads it as a client would: repaired from
   * a peer.
   */
  async function repairOne(node: TestNode, meta: TableMeta, block: Region): Promise<void> {
    rot(node.disk, tablePath(meta.id), block.offset, block.length);
    const error = read(node, meta, block.offset);
    assert.ok(error);
    await node.healing.repair(error);
    assert.equal(read(node, meta, block.offset), undefined);
  }

  it('H2 S4 a repair goes when its table is healed, although the bytes live on under a new id, and hides no later rot', async () => {
    const [meta] = (await world.start()) as [TableMeta];
    const block = (await dataOf(meta))[1] as Region;
    const node = world.node(2);
    await repairOne(node, meta, block);
    assert.equal((await kept(node)).length, 1);
    await world.until('healed', () => world.log.length > 0 && world.healed());
    await untilKept(node, 0);
    const heir = node.durable.list()[0] as TableMeta;
    assert.equal(heir.fileDigest, meta.fileDigest);
    rot(node.disk, tablePath(heir.id), block.offset, block.length);
    assert.equal(codeOf(read(node, heir, block.offset)), 'BLOCK_UNREADABLE');
    await node.healing.quiet();
    assert.deepEqual(node.healing.hints().map((hint) => hint.tableId), [heir.id]);
    await world.until('healed again', () => world.log.length > 1 && world.healed());
    for (const each of world.nodes) await untilKept(each, 0);
  });

  it('S4 a repair is kept in memory of its own: the message that it came in is used again', async () => {
    const store = new RepairStore(world.node(1).env);
    const frame = Uint8Array.of(1, 2, 3);
    await store.put('a'.repeat(32), 4096, frame);
    frame.fill(9);
    assert.deepEqual(store.get('a'.repeat(32), 4096), Uint8Array.of(1, 2, 3));
  });

  it('H1 a repair goes when its fault turns out to be transient, also when it comes after that', async () => {
    const [meta] = (await world.start()) as [TableMeta];
    const [first, second] = (await dataOf(meta)) as [Region, Region];
    const node = world.node(2);
    // Gone before the second read: rot twice is no rot.
    await repairOne(node, meta, first).finally(() => rot(node.disk, tablePath(1), first.offset, first.length));
    rot(node.disk, tablePath(1), second.offset, second.length);
    const error = read(node, meta, second.offset);
    rot(node.disk, tablePath(1), second.offset, second.length);
    await node.healing.quiet();
    await untilKept(node, 0);
    assert.ok(error);
    await node.healing.repair(error);
    assert.equal((await kept(node)).length, 1);
    await untilKept(node, 0);
    assert.equal(node.healing.hints().length, 0);
  });

  it('D1 a table whose fault was transient while no peer could be reached is not blocked for ever', async () => {
    const [meta] = (await world.start()) as [TableMeta];
    const [block] = (await dataOf(meta)) as [Region];
    const node = world.node(2);
    world.network.fate = () => 'lost';
    rot(node.disk, tablePath(1), block.offset, block.length);
    const error = read(node, meta, block.offset);
    rot(node.disk, tablePath(1), block.offset, block.length);
    assert.ok(error);
    await assert.rejects(node.healing.repair(error), (why) => codeOf(why) === 'UNREACHABLE');
    assert.equal(node.healing.blocked(1), true);
    await world.until('free', () => !node.healing.blocked(1));
    assert.equal(node.healing.anyBlockLost(), false);
  });

  it('H1 D1 a crash between the repair and its hint: the fault is confirmed anew before the repair may go', async () => {
    const [meta] = (await world.start()) as [TableMeta];
    const [block] = (await dataOf(meta)) as [Region];
    const node = world.node(2);
    world.leader = 0;
    await repairOne(node, meta, block);
    await node.healing.quiet();
    await node.crash();
    await node.disk.unlink('hints');
    world.network.fate = () => 'lost';
    await node.start({ resendMs: 1000 });
    await node.healing.settled();
    for (let i = 0; i < 1000; i++) await world.step();
    assert.equal((await kept(node)).length, 1);
    assert.equal(read(node, meta, block.offset), undefined);
    assert.equal(node.healing.hints().length, 1, 'H2 the hint is there again');
    world.network.fate = () => 'ok';
    world.elect(1);
    await world.until('healed', () => world.log.length > 0 && world.healed());
    await untilKept(node, 0);
  });

  it('H2 what a crash left of a heal that is done goes after the restart', async () => {
    const [meta] = (await world.start()) as [TableMeta];
    const [block] = (await dataOf(meta)) as [Region];
    const node = world.node(2);
    world.leader = 0;
    await repairOne(node, meta, block);
    await node.healing.quiet();
    await node.crash();
    rot(node.disk, tablePath(1), block.offset, block.length);
    await node.disk.unlink('hints');
    await node.start({ resendMs: 1000 });
    await untilKept(node, 0);
    assert.equal(node.healing.hints().length, 0);
  });

  it('S4 a repair for a reader of a table that left every version stays until the read is through, and then goes', async () => {
    const [meta] = (await world.start()) as [TableMeta];
    const [block] = (await dataOf(meta)) as [Region];
    const node = world.node(2);
    rot(node.disk, tablePath(1), block.offset, block.length);
    const error = read(node, meta, block.offset);
    assert.ok(error);
    node.latest = node.materialized = node.durable = node.durable.with({ levels: node.durable.levels.map(() => []) });
    await node.healing.repair(error);
    // However often the durable manifest moves meanwhile: that neither hurries nor delays it.
    for (let i = 0; i < 10; i++) await node.healing.settled();
    await world.step();
    assert.equal(read(node, meta, block.offset), undefined);
    await node.healing.quiet();
    await untilKept(node, 0);
    assert.equal(node.healing.hints().length, 0);
  });

  it('H2 a disk that refuses to keep or to remove a repair leaves nothing behind in the end', async () => {
    const [meta] = (await world.start(2)) as [TableMeta];
    const [first, second] = (await dataOf(meta)) as [Region, Region];
    const node = world.node(3);
    faulty.inject({ kind: 'sync-error', path: (path) => path.startsWith(REPAIRS_DIR), times: 1 });
    await repairOne(node, meta, first);
    assert.deepEqual(await kept(node), [], 'an unfinished file is removed');
    const { unlink } = node.disk;
    let refusals = 0;
    node.disk.unlink = async (path) => {
      if (path.startsWith(REPAIRS_DIR) && refusals++ < 2) throw new StorageError('CANCELLED', 'refused by the test');
      await unlink.call(node.disk, path);
    };
    await repairOne(node, meta, second);
    await world.until('healed', () => world.log.length > 0 && world.healed());
    await untilKept(node, 0);
    assert.ok(refusals > 2);
  });
});
