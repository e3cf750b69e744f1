import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { compareBytes, fromUtf8, toHex, utf8 } from '../../base/bytes.js';
import { codeOf } from '../../base/errors.js';
import { USER_SPACE, type TreeWrite, type VersionedEntry } from '../base/read-view.js';
import { tablePath, type TableMeta } from '../table/table-meta.js';
import { TreeHarness } from '../testing/tree-harness.js';

const LAST = Number.MAX_SAFE_INTEGER;
const name = (i: number): string => `key-${i.toString().padStart(4, '0')}`;

async function filled(): Promise<TreeHarness> {
  const harness = await TreeHarness.open();
  for (let i = 0; i < 300; i++) {
    harness.write([{ space: USER_SPACE, key: utf8(name(i)), revision: i + 2, sub: 0, tombstone: false, liveDelta: 1, value: utf8(`v${i}`) }]);
  }
  harness.seal();
  await harness.flush();
  await harness.record();
  await harness.reopen();
  return harness;
}

describe('MergedWalk', () => {
  it('S4 stops with an error at a block beyond parity, and goes on behind the last key once it is repaired', async () => {
    for (const reverse of [false, true]) {
      const harness = await filled();
      const meta = harness.manifest.list()[0] as TableMeta;
      const blocks = harness.tables.reader(meta).regions().filter((region) => region.kind === 'data');
      const block = blocks[blocks.length >> 1];
      assert(block !== undefined);
      const file = harness.disk.openSync(tablePath(meta.id), 'write');
      const good = new Uint8Array(block.length);
      file.readSync(good, block.offset);
      file.writeSync(new Uint8Array(block.length), block.offset);
      const scan = harness.tree.current.scan(USER_SPACE, { from: utf8(''), to: undefined, atRevision: LAST, reverse });
      const seen: string[] = [];
      const drain = (): void => {
        for (let next = scan.next(); next.done !== true; next = scan.next()) seen.push(fromUtf8((next.value as VersionedEntry).key));
      };
      assert.throws(drain, (error) => codeOf(error) === 'BLOCK_UNREADABLE');
      assert(seen.length > 0 && seen.length < 300);
      assert.throws(drain, (error) => codeOf(error) === 'BLOCK_UNREADABLE', 'it is not skipped');
      file.writeSync(good, block.offset);
      drain();
      const all = Array.from({ length: 300 }, (_, i) => name(i));
      assert.deepEqual(seen, reverse ? all.reverse() : all);
      assert.equal(scan.next().done, true);
    }
  });

  it('gives tombstones if asked, and nothing for an empty range', async () => {
    const harness = await filled();
    harness.write([{ space: USER_SPACE, key: utf8(name(5)), revision: 999, sub: 0, tombstone: true, liveDelta: -1, value: utf8('') }]);
    const view = harness.tree.current;
    const range = { from: utf8(name(4)), to: utf8(name(7)), atRevision: LAST };
    assert.deepEqual([...view.scan(USER_SPACE, range)].map((e) => e.revision), [6, 8]);
    assert.deepEqual([...view.scan(USER_SPACE, { ...range, tombstones: true, reverse: true })].map((e) => e.revision), [8, 999, 6]);
    assert.deepEqual([...view.scan(USER_SPACE, { ...range, to: range.from })], []);
    assert.deepEqual([...view.scan(USER_SPACE, { ...range, from: range.to, to: range.from })], []);
    assert.equal(view.countLive(range.to, range.from), 0);
  });

  it('gives the newest version at every revision, both ways, of histories that fill many blocks', async () => {
    const harness = await TreeHarness.open();
    const history: TreeWrite[] = [];
    const add = (key: string, revision: number, sub: number, tombstone = false): void => {
      const live = history.filter((w) => fromUtf8(w.key) === key).at(-1)?.tombstone === false;
      const liveDelta = tombstone ? -1 : live ? 0 : 1;
      const value = utf8(tombstone ? '' : `${key}@${revision}.${sub}`.padEnd(40, '.'));
      history.push({ space: USER_SPACE, key: utf8(key), revision, sub, tombstone, liveDelta, value });
    };
    // More versions than are stepped over, at some revisions two of a key: deleted, put again.
    for (let revision = 2; revision < 42; revision++) {
      add('b', revision, 0, revision % 4 === 1 && revision > 2);
      if (revision % 4 === 1) add('b', revision, 1);
      if (revision % 3 === 0) add('a', revision, 2);
      if (revision === 20) add('bb', revision, 3);
      if (revision % 5 === 0) add('c', revision, 3, revision === 40);
    }
    const flush = async (): Promise<void> => {
      harness.seal();
      await harness.flush();
    };
    for (const half of [history.slice(0, 40), history.slice(40)]) {
      for (const write of half) harness.write([write]);
      if (half[0] === history[0]) await flush();
    }
    const check = (): void => {
      const view = harness.tree.current;
      for (let at = 1; at < 44; at++) {
        const newest = new Map<string, TreeWrite>();
        for (const write of history) if (write.revision <= at) newest.set(fromUtf8(write.key), write);
        const want = [...newest].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, w]) => [fromUtf8(w.value), w.revision, w.sub]);
        const options = { from: utf8(''), to: undefined, atRevision: at, tombstones: true };
        const got = (reverse: boolean): unknown[] =>
          [...view.scan(USER_SPACE, { ...options, reverse })].map((e) => [fromUtf8(e.value), e.revision, e.sub]);
        assert.deepEqual(got(false), want, `at ${at}`);
        assert.deepEqual(got(true), [...want].reverse(), `at ${at}, backward`);
        for (const [key, w] of newest) assert.equal(view.get(USER_SPACE, utf8(key), at)?.sub, w.sub);
        let count = 0;
        for (const part of view.countLiveAt(utf8(''), undefined, at)) count += part;
        assert.equal(count, [...newest.values()].filter((w) => !w.tombstone).length, `live at ${at}`);
      }
    };
    check();
    await flush();
    check();
  });

  it('agrees with a sorted map in both directions, over any sources', async () => {
    const key = fc.array(fc.constantFrom(0, 1, 97, 255), { maxLength: 8 }).map((list) => Uint8Array.from([107, ...list]));
    const batch = fc.array(fc.record({ key, tombstone: fc.boolean() }), { minLength: 1, maxLength: 60, size: 'max' });
    const border = fc.oneof(key, fc.constantFrom(Uint8Array.of(), Uint8Array.of(107), Uint8Array.of(108)));
    type Batch = { key: Uint8Array; tombstone: boolean }[];
    const run = async (batches: Batch[], borders: [Uint8Array, Uint8Array][], back: number): Promise<void> => {
      const harness = await TreeHarness.open();
      const versions: TreeWrite[] = [];
      let revision = 1;
      for (const [n, list] of batches.entries()) {
        for (const one of list) {
          const live = versions.findLast((w) => compareBytes(w.key, one.key) === 0)?.tombstone === false;
          if (one.tombstone && !live) continue;
          const write: TreeWrite = {
            space: USER_SPACE, key: one.key, revision: ++revision, sub: 0, tombstone: one.tombstone,
            liveDelta: one.tombstone ? -1 : live ? 0 : 1, value: utf8(`v${revision}`),
          };
          versions.push(write);
          harness.write([write]);
        }
        if (n === batches.length - 1) continue;
        harness.seal();
        if (n % 2 === 0) while (harness.manifest.seals.length > 0) await harness.flush();
      }
      const view = harness.tree.current;
      for (const at of [revision, Math.max(1, revision - back)]) {
        for (const [from, to] of borders) {
          const newest = new Map<string, TreeWrite>();
          for (const w of versions) {
            if (w.revision <= at && compareBytes(w.key, from) >= 0 && compareBytes(w.key, to) < 0) newest.set(toHex(w.key), w);
          }
          const want = [...newest.values()].filter((w) => !w.tombstone).sort((a, b) => compareBytes(a.key, b.key)).map((w) => w.revision);
          const got = (reverse: boolean): number[] =>
            [...view.scan(USER_SPACE, { from, to, atRevision: at, reverse })].map((e) => e.revision);
          assert.deepEqual(got(false), want);
          assert.deepEqual(got(true), want.reverse());
          let count = 0;
          for (const part of view.countLiveAt(from, to, at)) count += part;
          assert.equal(count, want.length);
        }
      }
    };
    await fc.assert(
      fc.asyncProperty(
        fc.array(batch, { minLength: 1, maxLength: 6 }),
        fc.array(fc.tuple(border, border), { minLength: 1, maxLength: 6 }),
        fc.nat(150),
        run,
      ),
      { numRuns: 120 },
    );
  }).timeout(60_000);
});
