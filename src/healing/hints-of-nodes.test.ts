import assert from 'node:assert/strict';
import { codeOf } from '../base/errors.js';
import { tablePath, type TableMeta } from '../storage/table/table-meta.js';
import { layoutOf, readAll, same, type Layout } from './testing/tables-of-nodes.js';
import { readFile, rot, World } from './testing/world.js';

describe('hints and scrubs of three nodes', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.stop());

  const layout = (meta: TableMeta): Promise<Layout> => layoutOf(world, meta);

  it('H2 lost calls, lost answers and a leader that dies lose no hint', async () => {
    const [meta] = (await world.start()) as [TableMeta];
    const offset = (await layout(meta)).data[0]?.offset ?? 0;
    rot(world.node(2).disk, tablePath(1), offset + 200);
    let hintCalls = 0;
    world.network.fate = (_from, _to, method) => {
      if (method !== 'heal.hints') return 'ok';
      hintCalls++;
      return hintCalls <= 2 ? 'lost' : hintCalls <= 4 ? 'answer-lost' : 'ok';
    };
    // The first leader takes the hint and dies before anything comes of it.
    const old = world.node(1);
    world.propose = () => false;
    readAll(world.node(2), meta, [offset]);
    await world.until('the old leader has the hint', () => old.healing.hints().length === 1 && hintCalls > 4);
    await old.crash();
    delete (world as Partial<Pick<World, 'propose'>>).propose;
    world.elect(3);
    await world.until('healed under the new leader', () => world.log.length > 0 && world.healed());
    await same(world, world.node(2), meta);
    assert.equal(world.node(3).healing.counters.healsProposed, 1);
    await old.start({ resendMs: 1000 });
    await world.until('the old leader follows', () => old.durable === old.latest && old.applied === world.log.length);
    await same(world, old, meta);
  });

  it('H2 a crash of the node between the edit and its files keeps the hint, and the rewrite follows', async () => {
    const [meta] = (await world.start()) as [TableMeta];
    const node = world.node(2);
    const offset = (await layout(meta)).data[0]?.offset ?? 0;
    rot(node.disk, tablePath(1), offset + 200);
    node.holdFiles = true;
    readAll(node, meta, [offset]);
    await world.until('applied', () => node.applied === 1);
    await node.crash();
    node.holdFiles = false;
    await node.start({ resendMs: 1000 });
    assert.equal(node.healing.hints().length, 1);
    await world.until('healed', () => world.healed());
    await same(world, node, meta);
  });

  it('H1 H2 a fault in a file that was relinked follows it to the new id', async () => {
    const [meta] = (await world.start()) as [TableMeta];
    const node = world.node(3);
    const offset = (await layout(meta)).data[0]?.offset ?? 0;
    rot(world.node(2).disk, tablePath(1), offset + 200);
    readAll(world.node(2), meta, [offset]);
    // The relink is done when the fault appears, and the durable manifest does not have it yet.
    const materialize = node.healing.materializeHeal.bind(node.healing);
    node.healing.materializeHeal = async (removed, added) => {
      const how = await materialize(removed, added);
      assert.equal(how, 'relink');
      node.healing.materializeHeal = materialize;
      rot(node.disk, tablePath(1), offset + 200);
      readAll(node, meta, [offset]);
      await node.healing.quiet();
      assert.deepEqual(node.healing.hints().map((hint) => hint.tableId), [1]);
      return how;
    };
    await world.until('followed', () => node.healing.hints().some((hint) => hint.tableId === 2));
    await world.until('healed', () => world.log.length === 2 && world.healed());
    for (const each of world.nodes) await same(world, each, meta);
  });

  it('H1 a fault gone at the second read is transient, the third at one block is a hint, and hinted bytes are rewritten however clean', async () => {
    const [meta] = (await world.start()) as [TableMeta];
    world.leader = 0;
    const node = world.node(2);
    const region = (await layout(meta)).data[0];
    assert.ok(region);
    for (let i = 1; i <= 3; i++) {
      node.healing.faults.corrected(meta, region, 'test');
      await node.healing.quiet();
      assert.equal(node.healing.counters.transientFaults, i);
      assert.equal(node.healing.hints().length, i === 3 ? 1 : 0);
    }
    await node.healing.settled();
    assert.equal(node.healing.hints().length, 1, 'H2 the durable manifest still has the table');
    const sectors = node.sectors(tablePath(1));
    world.elect(1);
    await world.until('healed', () => world.log.length > 0 && world.healed());
    assert.notEqual(node.sectors(tablePath(2)), sectors);
    assert.deepEqual(node.events.filter((event) => event.type === 'heal-applied').length, 1);
  });

  it('H1 a fault that a scrub reads once and not again is no hint', async () => {
    const [meta] = (await world.start()) as [TableMeta];
    world.leader = 0;
    const node = world.node(2);
    const at = ((await layout(meta)).data[0]?.offset ?? 0) + 200;
    const { disk } = node;
    const read = disk.readDirect.bind(disk);
    let misread = 1;
    disk.readDirect = async (path, offset, length) => {
      const got = await read(path, offset, length);
      if (path === tablePath(1) && offset <= at && at < offset + got.bytes.length && misread-- > 0) {
        got.bytes[at - offset] = (got.bytes[at - offset] as number) ^ 1;
      }
      return got;
    };
    const report = await node.healing.scrub(() => undefined);
    assert.ok(misread < 0, 'it was read twice');
    assert.deepEqual([report.faults, node.healing.hints().length], [0, 0]);
  });

  it('H2 a damaged hints file counts as empty, with a warning, and a scrub finds its faults again', async () => {
    const [meta] = (await world.start()) as [TableMeta];
    world.leader = 0;
    const node = world.node(2);
    rot(node.disk, tablePath(1), ((await layout(meta)).data[0]?.offset ?? 0) + 200);
    await node.healing.scrub(() => undefined);
    await node.crash();
    rot(node.disk, 'hints', 20);
    await node.start();
    assert.equal(node.healing.hints().length, 0);
    assert.ok(node.events.some((event) => event.type === 'warning' && event.message.includes('hints file')));
    await node.healing.scrub(() => undefined);
    assert.equal(node.healing.hints().length, 1);
  });

  it('H2 a scrub notices that the hints file rotted under a running node and writes it again', async () => {
    const [meta] = (await world.start()) as [TableMeta];
    world.leader = 0;
    const node = world.node(2);
    rot(node.disk, tablePath(1), ((await layout(meta)).data[0]?.offset ?? 0) + 200);
    await node.healing.scrub(() => undefined);
    const good = await readFile(node.disk, 'hints');
    rot(node.disk, 'hints', 20);
    await node.healing.scrub(() => undefined);
    assert.deepEqual(await readFile(node.disk, 'hints'), good);
  });

  it('scrub keeps to its rate, tells its progress, and refuses a second one meanwhile', async () => {
    const [meta] = (await world.start(3)) as [TableMeta];
    const node = world.node(1);
    const began = world.clock.now();
    const seen: number[] = [];
    let report: { bytes: number } | undefined;
    const options = { bytesPerSecond: meta.bytes };
    const scrub = node.healing.scrub((status) => seen.push(status.scannedTables), options).then((done) => (report = done));
    await assert.rejects(node.healing.scrub(() => undefined), (why) => codeOf(why) === 'SCRUB_RUNNING');
    await world.until('scrubbed', () => report !== undefined);
    await scrub;
    assert.ok(world.clock.now() - began >= 2500, `${world.clock.now() - began} ms for three tables at one a second`);
    assert.deepEqual([...new Set(seen)], [1, 2, 3]);
    assert.equal(node.healing.scrubStatus().state, 'idle');
    assert.notEqual(node.healing.scrubStatus().lastCompletedAt, null);
  });
});
