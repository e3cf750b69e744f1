import { strict as assert } from 'node:assert';
import { utf8 } from '../../base/bytes.js';
import { USER_SPACE } from '../base/read-view.js';
import { tablePath, type TableMeta } from '../table/table-meta.js';
import { SMALL_FORMAT, TreeHarness } from '../testing/tree-harness.js';

let revision = 10;

async function flushOne(harness: TreeHarness, key: string, materialize = true): Promise<void> {
  const live = harness.tree.current.get(USER_SPACE, utf8(key), Number.MAX_SAFE_INTEGER) !== undefined;
  const write = { key: utf8(key), sub: 0, tombstone: false, liveDelta: live ? 0 : 1, value: utf8(`v${revision}`) };
  harness.write([{ ...write, space: USER_SPACE, revision: ++revision }]);
  harness.seal();
  await harness.flush(materialize);
}

function planAll(harness: TreeHarness): number {
  const inputs = harness.manifest.list().map((t) => ({ id: t.id, digest: t.fileDigest }));
  const outcome = harness.apply({ kind: 'plan', proposer: 7, purpose: 'compact', inputs, outputLevel: 1, gcRevision: 0, format: SMALL_FORMAT });
  assert.equal(outcome.kind, 'planned');
  return harness.lastIndex;
}

const exists = (harness: TreeHarness, id: number): boolean => harness.disk.sizeOf(tablePath(id)) !== undefined;

describe('the files of a tree', () => {
  it('S5 inputs stay until a durable manifest without them', async () => {
    const harness = await TreeHarness.open();
    await flushOne(harness, 'a');
    await flushOne(harness, 'b');
    await harness.record();
    await harness.compact(planAll(harness));
    assert.deepEqual(harness.tree.materialized.levels[0], []);
    assert.deepEqual(harness.tree.deletable(), [], 'the durable manifest still names them');
    const unrecorded = harness.tree.unrecorded();
    assert(unrecorded !== undefined);
    await harness.store.append(unrecorded.ops, unrecorded.manifest);
    assert.deepEqual(harness.tree.deletable(), []);
    harness.tree.setDurable(unrecorded.manifest);
    assert.deepEqual(harness.tree.deletable(), [1, 2]);
    assert.deepEqual(await harness.tree.collect(), [1, 2]);
    assert(!exists(harness, 1) && !exists(harness, 2) && exists(harness, 3));
    assert.equal(harness.tree.unrecorded(), undefined);
  });

  it('S5 a reader and a transfer keep the tables that they began with', async () => {
    const harness = await TreeHarness.open();
    await flushOne(harness, 'a');
    await flushOne(harness, 'b');
    const view = harness.tree.view();
    const unpin = harness.tree.pin(harness.manifest.list().slice(0, 1));
    await harness.compact(planAll(harness));
    await harness.record();
    assert(exists(harness, 1) && exists(harness, 2));
    assert.equal([...view.scan(USER_SPACE, { from: utf8(''), to: undefined, atRevision: revision })].length, 2);
    view.release();
    await harness.record();
    assert(!exists(harness, 1) && exists(harness, 2), 'the newest flush, table 2, is still pinned');
    unpin();
    await harness.record();
    assert(!exists(harness, 2));
    assert.throws(() => view.release(), /S5/);
    assert.throws(() => unpin(), /S5/);
    assert.throws(() => view.get(USER_SPACE, utf8('a'), 1), /S5/);
  });

  it('S5 tables of a version that is not materialized yet, and inputs of what is owed, are never deleted', async () => {
    const harness = await TreeHarness.open();
    await flushOne(harness, 'a');
    await flushOne(harness, 'b');
    await harness.record();
    const index = planAll(harness);
    await harness.compact(index, false);
    await flushOne(harness, 'c', false);
    assert.deepEqual(harness.tree.owed().map((t) => t.id), [3, 4]);
    await harness.record();
    assert(exists(harness, 1) && exists(harness, 2), 'the output of the plan is owed');
    assert.equal(harness.tree.current.countLive(utf8(''), undefined), 3, 'reads go on from what is local');
    // The later table comes first: reads cannot move before all of a version is there.
    const [owed3, owed4] = harness.tree.owed() as [TableMeta, TableMeta];
    await harness.disk.link(`tables/plan-${owed4.birth.sequence}-0.tmp`, tablePath(4));
    harness.tree.markLocal(4);
    assert.deepEqual(harness.tree.materialized.levels[1], []);
    await harness.record();
    assert(exists(harness, 4), 'a later version names it');
    await harness.disk.link(`tables/plan-${owed3.birth.sequence}-0.tmp`, tablePath(3));
    harness.tree.markLocal(3);
    assert.equal(harness.tree.materialized, harness.tree.latest);
    assert.equal(harness.tree.sealedMemtables, 0);
    await harness.record();
    assert.deepEqual(await harness.disk.list('tables'), ['3.sst', '4.sst']);
  });

  it('S5 a restart before the durable manifest moved finds all that it names', async () => {
    const harness = await TreeHarness.open();
    await flushOne(harness, 'a');
    await flushOne(harness, 'b');
    await harness.record();
    await harness.compact(planAll(harness));
    for (const path of await harness.tree.orphans()) await harness.disk.unlink(path);
    await harness.tree.collect();
    const durable = harness.store.manifest;
    assert(durable.list().every((t) => exists(harness, t.id)));
    await harness.reopen();
    assert.deepEqual(harness.tree.owed(), [], 'the output is found again');
    assert.equal(harness.tree.current.countLive(utf8(''), undefined), 2);
  });

  it('orphans are files that nothing names and no replay will', async () => {
    const harness = await TreeHarness.open();
    await flushOne(harness, 'a');
    await flushOne(harness, 'b', false);
    const leftovers = ['99.sst', 'plan-1-0.tmp', 'plan-900-0.tmp', 'notes.txt'];
    for (const name of leftovers) harness.disk.openSync(`tables/${name}`, 'create').close();
    await harness.disk.link(tablePath(1), tablePath(2));
    const seal = harness.manifest.flushed.index;
    assert.deepEqual(await harness.tree.orphans(), ['tables/plan-1-0.tmp', 'tables/plan-2-0.tmp'], `of the flush at ${seal} the table is owed`);
    await harness.materialize();
    const index = planAll(harness);
    await harness.compact(index);
    await harness.record();
    harness.disk.openSync(tablePath(1), 'create').close();
    assert.deepEqual(await harness.tree.orphans(), ['tables/1.sst']);
  });

  it('a snapshot replaces everything, and readers from before keep what they had', async () => {
    const source = await TreeHarness.open();
    const harness = await TreeHarness.open();
    await flushOne(source, 'x');
    await flushOne(harness, 'a');
    const unflushed = { key: utf8('m'), sub: 0, tombstone: false, liveDelta: 1, value: utf8('mem') };
    harness.write([{ ...unflushed, space: USER_SPACE, revision: ++revision }]);
    const view = harness.tree.view();
    const meta = source.manifest.list()[0] as TableMeta;
    // Another table, of another id: as a later version of the same log would have it.
    const levels = [[{ ...meta, id: 50 }], ...source.manifest.levels.slice(1)];
    const manifest = source.manifest.with({ nextTableId: 51, levels, last: { index: 90, term: 2 } });
    const { bytes } = await source.disk.readDirect(tablePath(1), 0, meta.bytes);
    harness.disk.openSync(tablePath(50), 'create').writeSync(bytes, 0);
    await harness.store.replace(manifest);
    harness.tree.reset(manifest);
    assert.equal(harness.tree.current.countLive(utf8(''), undefined), 1);
    assert.notEqual(harness.tree.current.get(USER_SPACE, utf8('x'), revision), undefined);
    assert.equal(harness.tree.current.get(USER_SPACE, utf8('m'), revision), undefined);
    assert.equal(view.countLive(utf8(''), undefined), 2);
    assert.deepEqual(await harness.tree.collect(), []);
    view.release();
    assert.deepEqual(await harness.tree.collect(), [1]);
  });

  it('S5 what was on its way here is swept, and what may still be replayed is not', async () => {
    const harness = await TreeHarness.open();
    await flushOne(harness, 'a');
    await harness.record();
    for (const name of ['fetch-7.tmp', 'recv-7-3.tmp', '7.sst.link', '7.sst', 'plan-900-0.tmp']) {
      (await harness.disk.open(`tables/${name}`, 'create')).close();
    }
    assert.deepEqual(await harness.tree.orphans(), ['tables/7.sst.link', 'tables/fetch-7.tmp', 'tables/recv-7-3.tmp']);
  });
});
