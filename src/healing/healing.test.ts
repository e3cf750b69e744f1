import assert from 'node:assert/strict';
import { codeOf, DiskError } from '../base/errors.js';
import { StorageError } from '../storage/base/errors.js';
import { tablePath, type TableMeta } from '../storage/table/table-meta.js';
import { layoutOf, readAll, same, type Layout } from './testing/tables-of-nodes.js';
import { rot, World } from './testing/world.js';

describe('healing', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.stop());

  const layout = (meta: TableMeta): Promise<Layout> => layoutOf(world, meta);

  it('H1 H2 H3 a corrected read on a follower leads to a heal: rewritten there, relinked on the others', async () => {
    const [meta] = (await world.start(2)) as [TableMeta, TableMeta];
    const { data } = await layout(meta);
    const offset = data[2]?.offset ?? 0;
    rot(world.node(2).disk, tablePath(1), offset + 200, 3);
    const clean = world.node(3).sectors(tablePath(1));
    assert.deepEqual(readAll(world.node(2), meta, [offset]), []);
    await world.node(2).healing.quiet();
    assert.deepEqual(world.node(2).healing.hints().map((hint) => [hint.tableId, hint.kind, hint.offsets]), [[1, 'corrected', [offset]]]);
    await world.until('healed', () => world.log.length > 0 && world.healed());
    for (const node of world.nodes) await same(world, node, meta);
    assert.deepEqual(world.log, [1]);
    assert.equal(world.node(3).sectors(tablePath(3)), clean, 'good sectors are not rewritten');
    assert.equal(world.node(2).healing.counters.correctedBlocks, 1);
    assert.equal(world.node(1).healing.counters.healsProposed, 1);
    assert.equal(world.node(1).healing.counters.hintsReceived, 1);
    assert.equal(world.node(2).healing.counters.hintsForwarded, 1);
    assert.equal(world.node(2).healing.counters.healsApplied, 1);
  });

  it('H1 a fault that a read met before there was a replica is confirmed once there is one', async () => {
    const [meta] = (await world.start()) as [TableMeta];
    const region = (await layout(meta)).data[0];
    assert.ok(region);
    const node = world.node(2);
    await node.crash();
    world.leader = 0;
    rot(node.disk, tablePath(1), region.offset + 200);
    const starting = node.start();
    // As the state machine does, which reads its tables before anything else is there.
    node.healing.faults.corrected(meta, region, 'by its parity');
    await starting;
    await node.healing.quiet();
    assert.deepEqual(node.healing.hints().map(({ tableId, kind }) => [tableId, kind]), [[1, 'corrected']]);
  });

  it('H1 a scrub finds rot that is in parity only, and after the heal it finds nothing', async () => {
    const [meta] = (await world.start()) as [TableMeta];
    const { data } = await layout(meta);
    const block = data[1] as { offset: number; length: number };
    rot(world.node(1).disk, tablePath(1), block.offset + block.length - 60, 2);
    const first = await world.node(1).healing.scrub(() => undefined);
    assert.equal(first.faults, 1);
    assert.equal(first.bytes, meta.bytes);
    await world.until('healed', () => world.log.length > 0 && world.healed());
    for (const node of world.nodes) {
      assert.equal((await node.healing.scrub(() => undefined)).faults, 0);
      await same(world, node, meta);
    }
  });

  it('S4 D1 different blocks beyond parity on all three nodes: every read succeeds after repair, and all nodes heal', async () => {
    const [meta] = (await world.start()) as [TableMeta];
    const { data } = await layout(meta);
    for (const node of world.nodes) {
      const block = data[node.id] as { offset: number; length: number };
      rot(node.disk, tablePath(1), block.offset, block.length);
    }
    for (const node of world.nodes) {
      const offset = data[node.id]?.offset ?? 0;
      const [error] = readAll(node, meta, [offset]);
      assert.equal(codeOf(error), 'BLOCK_UNREADABLE');
      await node.healing.repair(error as StorageError);
      assert.deepEqual(readAll(node, meta, [offset]), []);
      assert.equal(node.healing.blocked(1), false);
    }
    await world.until('healed', () => world.log.length > 0 && world.healed());
    for (const node of world.nodes) await same(world, node, meta);
  });

  it('S4 D1 one node has no index, the others no footer: each has what the other waits for, and nothing counts as lost', async () => {
    const [meta] = (await world.start()) as [TableMeta];
    const { all } = await layout(meta);
    for (const { kind, offset, length } of all) {
      for (const node of world.nodes) if (kind === (node.id === 3 ? 'index' : 'footer')) rot(node.disk, tablePath(1), offset, length);
    }
    const [error] = readAll(world.node(1), meta, [all[1]?.offset ?? 0]);
    assert.equal(codeOf(error), 'TABLE_UNREADABLE');
    await world.node(1).healing.repair(error as StorageError);
    assert.deepEqual(readAll(world.node(1), meta, [all[1]?.offset ?? 0]), []);
    for (const node of world.nodes.slice(1)) readAll(node, meta, [all[1]?.offset ?? 0]);
    await world.until('healed', () => world.log.length > 0 && world.healed());
    for (const node of world.nodes) await same(world, node, meta);
  });

  it('D1 H4 a block that is bad on every node is DATA_LOSS for that block only, and other tables heal', async () => {
    const [lost, other] = (await world.start(2)) as [TableMeta, TableMeta];
    const { data } = await layout(lost);
    const block = data[0] as { offset: number; length: number };
    for (const node of world.nodes) rot(node.disk, tablePath(1), block.offset, block.length);
    const otherBlock = (await layout(other)).data[0] as { offset: number };
    rot(world.node(2).disk, tablePath(2), otherBlock.offset + 200);
    const node = world.node(2);
    const [error] = readAll(node, lost, [block.offset]);
    await assert.rejects(node.healing.repair(error as StorageError), (why) => codeOf(why) === 'DATA_LOSS');
    assert.equal(node.healing.blocked(1), true);
    assert.equal(node.healing.blocked(2), false);
    assert.deepEqual(readAll(node, lost, data.slice(1).map((region) => region.offset)), []);
    readAll(node, other, [otherBlock.offset]);
    await world.until('the other table is healed', () => world.nodes.every((n) => n.durable.list().some((t) => t.id === 3)));
    for (const each of world.nodes) await same(world, each, other);
    assert.deepEqual(world.log, [2]);
    assert.ok(world.node(1).healing.counters.healsFailed >= 1);
  });

  it('D1 while a peer cannot be asked, a bad block is "try again" and never DATA_LOSS', async () => {
    const [meta] = (await world.start()) as [TableMeta];
    const { data } = await layout(meta);
    const block = data[0] as { offset: number; length: number };
    for (const node of world.nodes.slice(0, 2)) rot(node.disk, tablePath(1), block.offset, block.length);
    world.network.fate = (_from, to) => (to === 3 ? 'lost' : 'ok');
    const [error] = readAll(world.node(1), meta, [block.offset]);
    await assert.rejects(world.node(1).healing.repair(error as StorageError), (why) => codeOf(why) === 'UNREACHABLE');
    world.network.fate = () => 'ok';
    await world.node(1).healing.repair(error as StorageError);
    assert.deepEqual(readAll(world.node(1), meta, [block.offset]), []);
  });

  it('D1 H4 a heal that lacked a block of a peer that was away goes on when the peer is back, however long it had backed off', async () => {
    const [meta] = (await world.start()) as [TableMeta];
    const { data } = await layout(meta);
    const block = data[0] as { offset: number; length: number };
    for (const node of world.nodes.slice(0, 2)) rot(node.disk, tablePath(1), block.offset, block.length);
    world.network.fate = (from, to) => (from === 3 || to === 3 ? 'lost' : 'ok');
    const leader = world.node(1);
    readAll(leader, meta, [block.offset]);
    let since = 0;
    for (let failed = 0; failed < 9; ) {
      await world.step(250);
      if (leader.healing.counters.healsFailed > failed) since = world.clock.now();
      failed = leader.healing.counters.healsFailed;
    }
    assert.ok(world.clock.now() - since < 1000, 'the next attempt is a minute away at least');
    world.network.fate = () => 'ok';
    const back = world.clock.now();
    await world.until('healed', () => world.log.length > 0 && world.healed());
    assert.ok(world.clock.now() - back < 15_000, `${world.clock.now() - back} ms`);
    for (const node of world.nodes) await same(world, node, meta);
  });

  it('H1 a block that a hint names as unreadable is asked for at every read, and its file is not verified again', async () => {
    const [meta] = (await world.start()) as [TableMeta];
    const { data } = await layout(meta);
    const block = data[0] as { offset: number; length: number };
    const node = world.node(2);
    rot(node.disk, tablePath(1), block.offset, block.length);
    world.leader = 0;
    world.network.fate = () => 'lost';
    let verified = 0;
    const readDirect = node.disk.readDirect.bind(node.disk);
    node.disk.readDirect = (path, offset, length) => {
      if (path === tablePath(1)) verified++;
      return readDirect(path, offset, length);
    };
    const reads: number[] = [];
    for (let i = 0; i < 3; i++) {
      const before = world.network.calls.length;
      readAll(node, meta, [block.offset]);
      await node.healing.quiet();
      reads.push(verified);
      assert.ok(world.network.calls.length > before, 'the peers were asked');
      await world.step(3000);
    }
    assert.ok((reads[0] as number) > 0);
    assert.deepEqual(reads, [reads[0], reads[0], reads[0]]);
    assert.equal(node.healing.hints().length, 1);
  });

  it('D1 a block is not lost that this node can read after all, or a peer at its second try', async () => {
    const [meta] = (await world.start()) as [TableMeta];
    const { data } = await layout(meta);
    const block = data[0] as { offset: number; length: number };
    world.leader = 0;
    /** How many reads of the block fail from now on, by node. */
    const failing = new Map<number, number>();
    for (const { id, disk } of world.nodes) {
      const openSync = disk.openSync.bind(disk);
      disk.openSync = (path, mode) => {
        const file = openSync(path, mode);
        const readSync = file.readSync.bind(file);
        file.readSync = (into, offset) => {
          const left = failing.get(id) ?? 0;
          const hit = path === tablePath(1) && offset < block.offset + block.length && offset + into.length > block.offset;
          if (!hit || left === 0) return readSync(into, offset);
          failing.set(id, left - 1);
          throw new DiskError('READ_FAILED', 'EIO', { path, offset });
        };
        return file;
      };
    }
    for (const good of [1, 2]) {
      for (const { id } of world.nodes) failing.set(id, id === good ? 3 : Infinity);
      const [error] = readAll(world.node(1), meta, [block.offset]);
      assert.ok(error instanceof StorageError && error.code === 'BLOCK_UNREADABLE');
      await world.node(1).healing.repair(error);
      await world.node(1).healing.quiet();
      assert.equal(failing.get(good), 0);
    }
  });

  it('H1 a bad sector that the other footer makes up for is a hint: a disk that refuses a second time confirms the first', async () => {
    const [meta] = (await world.start()) as [TableMeta];
    world.leader = 0;
    const { disk, healing } = world.node(2);
    const refuse = (path: string, offset: number): void => {
      if (path === tablePath(1) && offset < 4096) throw new DiskError('READ_FAILED', 'EIO', { path, offset });
    };
    const openSync = disk.openSync.bind(disk);
    disk.openSync = (path, mode) => {
      const file = openSync(path, mode);
      const readSync = file.readSync.bind(file);
      file.readSync = (into, offset) => {
        refuse(path, offset);
        return readSync(into, offset);
      };
      return file;
    };
    const readDirect = disk.readDirect.bind(disk);
    disk.readDirect = (path, offset, length) => {
      refuse(path, offset);
      return readDirect(path, offset, length);
    };
    assert.deepEqual(readAll(world.node(2), meta, [0]), []);
    await healing.quiet();
    assert.deepEqual(healing.hints().map((hint) => [hint.tableId, hint.offsets]), [[1, [0]]]);
  });

  it('D1 a repaired block survives a restart with all peers away', async () => {
    const [meta] = (await world.start()) as [TableMeta];
    const { data } = await layout(meta);
    const block = data[0] as { offset: number; length: number };
    rot(world.node(2).disk, tablePath(1), block.offset, block.length);
    world.leader = 0;
    const [error] = readAll(world.node(2), meta, [block.offset]);
    await world.node(2).healing.repair(error as StorageError);
    await world.node(2).healing.quiet();
    await world.node(2).crash();
    world.network.fate = () => 'lost';
    await world.node(2).start();
    assert.deepEqual(readAll(world.node(2), meta, [block.offset]), []);
    assert.equal(world.node(2).healing.hints().length, 1, 'H2 the hint is still there');
  });

  it('H1 a missing file and a file cut short are found by scrub and restored by the heal', async () => {
    const [first, second] = (await world.start(2)) as [TableMeta, TableMeta];
    await world.node(3).disk.unlink(tablePath(1));
    const cut = world.node(3).disk.openSync(tablePath(2), 'write');
    await cut.truncate(Math.floor(second.bytes / 2));
    cut.close();
    const report = await world.node(3).healing.scrub(() => undefined);
    assert.ok(report.faults >= 2);
    assert.deepEqual(world.node(3).healing.hints().map((hint) => [hint.tableId, hint.kind]), [[1, 'missing'], [2, 'missing']]);
    await world.until('healed', () => world.log.length === 2 && world.healed());
    for (const node of world.nodes) for (const meta of [first, second]) await same(world, node, meta);
  });

  it('S4 a read of a table whose file is missing succeeds once repair restored the file', async () => {
    const [meta] = (await world.start()) as [TableMeta];
    await world.node(1).disk.unlink(tablePath(1));
    const { all } = await layout(meta);
    const [error] = readAll(world.node(1), meta, [0]);
    assert.equal(codeOf(error), 'TABLE_UNREADABLE');
    await world.node(1).healing.repair(error as StorageError);
    assert.deepEqual(readAll(world.node(1), meta, all.map((region) => region.offset)), []);
  });

  it('S4 both footers beyond parity: one patched footer makes the table readable again', async () => {
    const [meta] = (await world.start()) as [TableMeta];
    const { all, data } = await layout(meta);
    const [head, tail] = [all[0], all.at(-1)] as [{ offset: number; length: number }, { offset: number; length: number }];
    for (const region of [head, tail]) rot(world.node(2).disk, tablePath(1), region.offset, region.length);
    const [error] = readAll(world.node(2), meta, [data[0]?.offset ?? 0]);
    assert.equal(codeOf(error), 'TABLE_UNREADABLE');
    await world.node(2).healing.repair(error as StorageError);
    assert.deepEqual(readAll(world.node(2), meta, data.map((region) => region.offset)), []);
    await world.until('healed', () => world.log.length > 0 && world.healed());
    for (const node of world.nodes) await same(world, node, meta);
  });

  it('H4 a table that is input of a pending plan does not hold up the others, and heals when it is free', async () => {
    const [busy, free] = (await world.start(2)) as [TableMeta, TableMeta];
    const plan = {
      index: 1, term: 1, proposer: 1, purpose: 'compact', inputs: [{ id: 1, digest: busy.fileDigest }], outputLevel: 1, gcRevision: 0, format: {},
    } as unknown as World['nodes'][0]['latest']['plans'][0];
    for (const node of world.nodes) node.latest = node.materialized = node.durable = node.latest.with({ plans: [plan] });
    for (const meta of [busy, free]) {
      const offset = (await layout(meta)).data[0]?.offset ?? 0;
      rot(world.node(2).disk, tablePath(meta.id), offset + 200);
      readAll(world.node(2), meta, [offset]);
    }
    await world.until('the free one is healed', () => world.node(2).durable.list().every((meta) => meta.id !== 2));
    assert.deepEqual(world.log, [2]);
    assert.deepEqual(world.node(2).healing.hints().map((hint) => hint.tableId), [1]);
    for (const node of world.nodes) node.latest = node.latest.with({ plans: [] });
    await world.until('both are healed', () => world.log.length === 2 && world.healed());
  });
});
