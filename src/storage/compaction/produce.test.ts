import { strict as assert } from 'node:assert';
import { utf8 } from '../../base/bytes.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import type { DirectRead } from '../../base/disk.js';
import { digest128 } from '../../base/digest.js';
import { codeOf } from '../../base/errors.js';
import type { Version } from '../version/version.js';
import { SYSTEM_SPACE, USER_SPACE } from '../base/read-view.js';
import { outputPath, tablePath, type TableMeta } from '../table/table-meta.js';
import { SMALL_FORMAT, TreeHarness } from '../testing/tree-harness.js';
import { produceCompaction, produceFlush } from './produce.js';

type Change = readonly [key: string, delta: 1 | 0 | -1];

/** One revision each, from `revision` on; then a seal. */
function write(harness: TreeHarness, revision: number, changes: readonly Change[]): void {
  changes.forEach(([key, liveDelta], i) => {
    const tombstone = liveDelta === -1;
    const value = tombstone ? new Uint8Array(0) : utf8(`${key}@${revision + i}`);
    harness.write([{ space: USER_SPACE, key: utf8(key), revision: revision + i, sub: 0, tombstone, liveDelta, value }]);
  });
  harness.seal();
}

function plan(harness: TreeHarness, inputs: readonly TableMeta[], outputLevel: number, gcRevision: number): number {
  const refs = inputs.map((t) => ({ id: t.id, digest: t.fileDigest }));
  const outcome = harness.apply({ kind: 'plan', proposer: 7, purpose: 'compact', inputs: refs, outputLevel, gcRevision, format: SMALL_FORMAT });
  assert.equal(outcome.kind, 'planned');
  return harness.lastIndex;
}

function dump(harness: TreeHarness, manifest: Version = harness.manifest): string[] {
  const out: string[] = [];
  for (const meta of manifest.list()) {
    const cursor = harness.tables.reader(meta).cursor();
    for (cursor.seekToFirst(); cursor.valid; cursor.next()) {
      const value = new TextDecoder().decode(cursor.value);
      out.push(`${meta.id} ${value === '' ? `tombstone ${cursor.tombstone}` : value} ${cursor.liveDelta}`);
    }
  }
  return out;
}

const HISTORY: readonly Change[] = [['a', 1], ['a', 0], ['b', 1], ['b', -1], ['c', 1], ['b', 1], ['c', -1], ['a', 0]];

/** Of the file digests of what is made in the test of bytes below. */
const FLUSHED = '63b824b5e1a86643cbab8666695f1530';
const MERGED = 'af25bea1a6d01677467cc9fe8c0aee00';

describe('produce', () => {
  it('a flush keeps all history', async () => {
    const harness = await TreeHarness.open();
    write(harness, 10, HISTORY);
    await harness.flush();
    assert.deepEqual(dump(harness), ['1 a@17 0', '1 a@11 0', '1 a@10 1', '1 b@15 1', '1 tombstone true -1', '1 b@12 1', '1 tombstone true -1', '1 c@14 1']);
  });

  it('GC keeps what any revision from the compact revision on shows, and folds live deltas', async () => {
    const cases: readonly (readonly [number, readonly string[]])[] = [
      [0, ['2 a@17 0', '2 a@11 0', '2 a@10 1', '2 b@15 1', '2 tombstone true -1', '2 b@12 1', '2 tombstone true -1', '2 c@14 1']],
      [12, ['2 a@17 0', '2 a@11 1', '2 b@15 1', '2 tombstone true -1', '2 b@12 1', '2 tombstone true -1', '2 c@14 1']],
      // b's tombstone of revision 13 is its newest version there: with nothing below, it and what
      // it hides may go.
      [14, ['2 a@17 0', '2 a@11 1', '2 b@15 1', '2 tombstone true -1', '2 c@14 1']],
      [99, ['2 a@17 1', '2 b@15 1']],
    ];
    for (const [gcRevision, want] of cases) {
      const harness = await TreeHarness.open();
      write(harness, 10, HISTORY);
      await harness.flush();
      const index = plan(harness, harness.manifest.list(), 1, gcRevision);
      await harness.compact(index);
      assert.deepEqual(dump(harness), want, `at ${gcRevision}`);
      assert.equal(harness.tree.current.countLive(new Uint8Array(0), undefined), 2);
    }
  });

  it('a tombstone stays while older data of its span lies below', async () => {
    const harness = await TreeHarness.open();
    write(harness, 10, [['a', 1], ['b', 1]]);
    await harness.flush();
    await harness.compact(plan(harness, harness.manifest.list(), 2, 0));
    write(harness, 20, [['b', -1]]);
    await harness.flush();
    await harness.compact(plan(harness, harness.manifest.levels[0] as TableMeta[], 1, 99));
    assert.deepEqual(dump(harness), ['4 tombstone true -1', '2 a@10 1', '2 b@11 1']);
    await harness.compact(plan(harness, harness.manifest.list(), 2, 99));
    assert.deepEqual(dump(harness), ['5 a@10 1']);
  });

  it('no key is split between tables, however long its history', async () => {
    const harness = await TreeHarness.open();
    const changes: Change[] = Array.from({ length: 3000 }, (_, i) => [`k${Math.floor(i / 700)}-${'x'.repeat(30)}`, i % 700 === 0 ? 1 : 0]);
    write(harness, 10, changes);
    await harness.flush();
    assert.equal(harness.manifest.levels[0]?.length, 1, 'a flush gives one table');
    await harness.compact(plan(harness, harness.manifest.list(), 1, 0));
    assert.equal(harness.manifest.levels[1]?.length, 5, 'each key fills a table');
  });

  it('S2 the bytes of flushes and of their compactions are these for ever', async () => {
    const harness = await TreeHarness.open();
    let state = 1;
    const below = (n: number): number => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) % n;
    let revision = 1;
    const live = new Set<string>();
    for (let run = 0; run < 5; run++) {
      for (let i = 0; i < 240; i++) {
        const key = Uint8Array.from([...utf8('k/'.repeat(below(3))), ...Array.from({ length: below(5) }, () => below(4))]);
        const name = key.join();
        const tombstone = live.has(name) && below(4) === 0;
        const liveDelta = tombstone ? -1 : live.has(name) ? 0 : 1;
        if (tombstone) live.delete(name);
        else live.add(name);
        const value = new Uint8Array(tombstone ? 0 : [below(20), 120 + below(60), 700][below(3)] as number).fill(i);
        harness.write([
          { space: USER_SPACE, key, revision: ++revision, sub: 0, tombstone, liveDelta, value },
          { space: SYSTEM_SPACE, key: utf8(`s${below(9)}`), revision, sub: 0, tombstone: below(9) === 0, liveDelta: 0, value: utf8(`${i}`) },
        ]);
      }
      harness.seal();
      await harness.flush();
    }
    const flushed = harness.manifest.list().map((table) => table.fileDigest);
    const [newest, ...others] = harness.manifest.list() as [TableMeta, ...TableMeta[]];
    await harness.compact(plan(harness, others.slice(1), 2, 0));
    await harness.compact(plan(harness, [newest, ...others.slice(0, 1)], 1, 900));
    await harness.compact(plan(harness, harness.manifest.list(), 2, 1_000));
    const merged = harness.manifest.list().map((table) => table.fileDigest);
    assert.equal(digest128(utf8(flushed.join())), FLUSHED);
    assert.equal(digest128(utf8(merged.join())), MERGED);
  });

  it('a compaction finds no place in the cache, and takes none from what is read', async () => {
    const harness = await TreeHarness.open();
    write(harness, 10, Array.from({ length: 300 }, (_, i) => [`key-${i}`, 1]));
    await harness.flush();
    const { cache } = harness.tables;
    assert.equal(cache.blocks, 0);
    assert.notEqual(harness.tree.current.get(USER_SPACE, utf8('key-7'), 999), undefined);
    assert.equal(cache.blocks, 1);
    await harness.produce(plan(harness, harness.manifest.list(), 1, 0));
    assert.equal(cache.blocks, 1);
    assert.equal(cache.hits, 0, 'and counts as no read');
  });

  it('an empty memtable gives no table, and so do inputs of which nothing stays', async () => {
    const harness = await TreeHarness.open();
    harness.seal();
    assert.equal((await harness.flush())?.kind, 'edited');
    assert.deepEqual(dump(harness), []);
    write(harness, 10, [['a', 1], ['a', -1]]);
    await harness.flush();
    await harness.compact(plan(harness, harness.manifest.list(), 1, 99));
    assert.deepEqual(harness.manifest.list(), []);
  });

  it('a cancelled run rejects and leaves nothing', async () => {
    const harness = await TreeHarness.open();
    write(harness, 10, HISTORY);
    const seal = harness.manifest.seals[0];
    const memtable = seal && harness.tree.sealed(seal.index);
    assert(seal !== undefined && memtable !== undefined);
    await assert.rejects(produceFlush(memtable, seal, { ...harness.context, job: { cancelled: true } }), (e) => codeOf(e) === 'CANCELLED');
    assert.deepEqual(await harness.disk.list('tables'), []);
  });

  it('work between two breaths is bounded by versions and bytes: of a hot key, of big values, of what GC drops', async () => {
    const hot = (n: number): readonly Change[] => Array.from({ length: n }, (_, i) => ['hot', i === 0 ? 1 : 0] as const);
    const breaths = async (harness: TreeHarness, work: () => Promise<unknown>): Promise<number> => {
      let count = 0;
      const before = harness.context;
      harness.context = { ...before, workers: { breathe: () => void count++ } };
      await work();
      harness.context = before;
      return count;
    };
    const versions = await TreeHarness.open();
    write(versions, 10, hot(5000));
    assert(await breaths(versions, () => versions.flush()) >= 5000 / 256, 'a flush of one key with many versions');
    const drop = plan(versions, versions.manifest.list(), 1, 99_999);
    assert(await breaths(versions, () => versions.compact(drop)) >= 5000 / 256, 'a compaction that keeps one version of many');
    assert.deepEqual(dump(versions), ['2 hot@5009 1']);
    const bytes = await TreeHarness.open();
    const value = new Uint8Array(48 * 1024).fill(7);
    for (let i = 0; i < 60; i++) {
      bytes.write([{ space: USER_SPACE, key: utf8(`key-${i % 3}`), revision: i + 1, sub: 0, tombstone: false, liveDelta: 0, value }]);
    }
    bytes.seal();
    assert(await breaths(bytes, () => bytes.flush()) >= 30, 'few versions of many bytes');
    const move = plan(bytes, bytes.manifest.list(), 1, 0);
    assert(await breaths(bytes, () => bytes.compact(move)) >= 30);
    const large = await TreeHarness.open();
    large.write([{ space: USER_SPACE, key: utf8('large'), revision: 1, sub: 0, tombstone: false, liveDelta: 1, value: new Uint8Array(8 << 20) }]);
    large.seal();
    assert(await breaths(large, () => large.flush()) >= 100, 'one large value');
    const moved = plan(large, large.manifest.list(), 1, 0);
    assert(await breaths(large, () => large.compact(moved)) >= 100);
  });

  it('S5 running a plan again never touches a table that is linked to its old output', async () => {
    const harness = await TreeHarness.open();
    write(harness, 10, HISTORY);
    await harness.flush();
    const before = dump(harness);
    const index = plan(harness, harness.manifest.list(), 1, 0);
    const pending = harness.manifest.plans[0];
    const inputs = harness.manifest.list();
    assert(pending !== undefined);
    await harness.produce(index);
    await harness.disk.link(outputPath(index, 0), tablePath(77));
    await assert.rejects(produceCompaction(pending, inputs, { ...harness.context, job: { cancelled: true } }), (e) => codeOf(e) === 'CANCELLED');
    assert.equal(harness.disk.sizeOf(outputPath(index, 0)), undefined);
    await harness.produce(index);
    assert((harness.disk.sizeOf(tablePath(77)) ?? 0) > 0);
    assert.deepEqual(dump(harness), before);
  });

  it('S6 a write that did not arrive is caught when the file is read back', async () => {
    class LossyDisk extends MemoryDisk {
      override async readDirect(path: string, offset: number, length: number): Promise<DirectRead> {
        const read = await super.readDirect(path, offset, length);
        if (path.includes('plan-')) read.bytes[read.bytes.length >> 1] = (read.bytes[read.bytes.length >> 1] as number) ^ 1;
        return read;
      }
    }
    const harness = await TreeHarness.open(new LossyDisk());
    write(harness, 10, HISTORY);
    await assert.rejects(harness.flush(), (e) => codeOf(e) === 'DIGEST_MISMATCH');
  });

  it('a block beyond parity rejects with BLOCK_UNREADABLE, and the run succeeds once it is repaired', async () => {
    const harness = await TreeHarness.open();
    write(harness, 10, Array.from({ length: 300 }, (_, i) => [`key-${i}`, 1]));
    await harness.flush();
    const [meta] = harness.manifest.list();
    assert(meta !== undefined);
    const index = plan(harness, [meta], 1, 0);
    const reader = harness.tables.reader(meta);
    const block = reader.regions().find((region) => region.kind === 'data');
    assert(block !== undefined);
    harness.tables.forget(meta.id);
    const file = harness.disk.openSync(tablePath(meta.id), 'write');
    const good = new Uint8Array(block.length);
    file.readSync(good, block.offset);
    file.writeSync(new Uint8Array(block.length), block.offset);
    // A tree opened later knows nothing of what was cached.
    await harness.reopen();
    await assert.rejects(harness.produce(index), (e) => codeOf(e) === 'BLOCK_UNREADABLE');
    assert.deepEqual((await harness.disk.list('tables')).filter((name) => name.startsWith(`plan-${index}`)), []);
    file.writeSync(good, block.offset);
    assert.equal((await harness.compact(index)).kind, 'edited');
    assert.equal(harness.tree.current.countLive(new Uint8Array(0), undefined), 300);
  });
});
