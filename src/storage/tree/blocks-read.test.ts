/**
 * How many blocks counting and listing keys read: a count those at the borders, and at an older
 * revision those that straddle it, however many keys there are; a list of keys alone keeps no
 * large value in memory.
 */

import assert from 'node:assert/strict';
import { utf8 } from '../../base/bytes.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { USER_SPACE, type TreeWrite } from '../base/read-view.js';
import { TreeHarness } from '../testing/tree-harness.js';

const KEYS = 2_000;
/** Of a table besides its blocks: footer and index. */
const PARTS = 2;
const keyOf = (n: number): Uint8Array => utf8(`key-${String(n).padStart(5, '0')}`);

const put = (key: Uint8Array, revision: number, value: Uint8Array, liveDelta = 1): TreeWrite =>
  ({ space: USER_SPACE, key, revision, sub: 0, tombstone: false, liveDelta, value });

/** Payloads that are read from files of the disk, from now on, and where they are read to. */
function countReads(disk: MemoryDisk): { reads: number; bytes: number; readonly into: Set<ArrayBufferLike> } {
  const counted = { reads: 0, bytes: 0, into: new Set<ArrayBufferLike>() };
  const openSync = disk.openSync.bind(disk);
  disk.openSync = (path, mode) => {
    const file = openSync(path, mode);
    const readSync = file.readSync.bind(file);
    file.readSync = (into, offset) => {
      counted.reads += 1;
      counted.bytes += into.length;
      counted.into.add(into.buffer);
      return readSync(into, offset);
    };
    return file;
  };
  return counted;
}

/** One table in level 0 of all that is written. */
async function flushed(harness: TreeHarness, writes: readonly TreeWrite[]): Promise<void> {
  harness.write(writes);
  harness.seal();
  await harness.flush();
}

describe('blocks that are read', () => {
  it('a count reads the borders, at an older revision also what straddles it, and no more', async () => {
    const disk = new MemoryDisk();
    const harness = await TreeHarness.open(disk);
    // Revisions ascend with the keys; then every hundredth key is written again.
    await flushed(harness, Array.from({ length: KEYS }, (_, n) => put(keyOf(n), n + 1, utf8('a value of some bytes'))));
    await flushed(harness, Array.from({ length: KEYS / 100 }, (_, n) => put(keyOf(100 * n), KEYS + 1 + n, utf8('again'), 0)));
    const tables = 2;
    // Footer, index, and what a table tells of itself are read with the first block.
    harness.tree.current.countLive(keyOf(1), keyOf(KEYS - 1));
    const counted = countReads(disk);
    harness.tables.close();
    const view = harness.tree.view();
    const costOf = (count: () => number): [number, number] => {
      counted.reads = 0;
      return [count(), counted.reads];
    };
    const older = (at: number) => (): number => [...view.countLiveAt(keyOf(7), keyOf(KEYS - 7), at)].reduce((sum, part) => sum + part, 0);
    const parts = 2 * tables;
    const [all, allReads] = costOf(() => view.countLive(keyOf(7), keyOf(KEYS - 7)));
    assert.equal(all, KEYS - 14);
    assert.ok(allReads <= parts + 2 * tables, `${allReads} reads for ${all} keys`);
    const [whole, wholeReads] = costOf(() => view.countLive(new Uint8Array(0), undefined));
    assert.deepEqual([whole, wholeReads], [KEYS, 0]);
    const [half, halfReads] = costOf(older(KEYS / 2));
    assert.equal(half, KEYS / 2 - 7);
    assert.ok(halfReads <= parts + 1, `${halfReads} reads at an older revision`);
    view.release();
  });

  it('keys alone keep no large value: what was in the cache is there afterwards', async () => {
    const disk = new MemoryDisk();
    const harness = await TreeHarness.open(disk);
    const large = new Uint8Array(100 * 1024).fill(7);
    const many = Array.from({ length: 200 }, (_, n) => put(keyOf(n), n + 1, utf8('a value of some bytes')));
    await flushed(harness, [...many, ...Array.from({ length: 20 }, (_, n) => put(utf8(`large-${String(n).padStart(2, '0')}`), 1_000 + n, large))]);
    const counted = countReads(disk);
    harness.tables.close();
    const view = harness.tree.view();
    const walk = (from: string, to: string, keysOnly: boolean, reverse = false): [number, number] => {
      counted.reads = 0;
      const walked = view.walk(USER_SPACE, { from: utf8(from), to: utf8(to), atRevision: 9_999, keysOnly, reverse });
      let keys = 0;
      while (walked.next()) keys += 1;
      return [keys, counted.reads];
    };
    assert.ok(walk('key', 'kez', false)[1] > 10);
    assert.deepEqual(walk('key', 'kez', false), [200, 0]);
    for (const reverse of [false, true]) {
      const [keys, reads] = walk('large', 'larger', true, reverse);
      assert.deepEqual([keys, reads <= 21], [20, true], `each large block is read once: ${reads}`);
      assert.deepEqual(walk('key', 'kez', true), [200, 0], 'and takes no place from others');
    }
    // Who wants the values does fill the cache with them.
    walk('large', 'larger', false);
    assert.notEqual(walk('key', 'kez', false)[1], 0);
    view.release();
  });

  it('keys alone are read to two places in turn, and each version is whole while it is shown', async () => {
    const disk = new MemoryDisk();
    const harness = await TreeHarness.open(disk);
    const keys = 12;
    const versions = 3;
    const revisionOf = (n: number, version: number): number => 1 + version * keys + n;
    const valueOf = (revision: number): Uint8Array => new Uint8Array(100 * 1024).fill(revision);
    const largeKey = (n: number): Uint8Array => utf8(`large-${String(n).padStart(2, '0')}`);
    const all = Array.from({ length: keys * versions }, (_, i) => put(largeKey(i % keys), i + 1, valueOf(i + 1), i < keys ? 1 : 0));
    await flushed(harness, all);
    const counted = countReads(disk);
    const view = harness.tree.view();
    for (const reverse of [false, true]) {
      for (let version = 0; version < versions; version++) {
        const atRevision = revisionOf(keys - 1, version);
        harness.tables.close();
        view.countLive(utf8('large'), utf8('larger'));
        counted.into.clear();
        const walked = view.walk(USER_SPACE, { from: utf8('large'), to: utf8('larger'), atRevision, keysOnly: true, reverse });
        const { slot } = walked;
        const shown: number[] = [];
        while (walked.next()) {
          assert.deepEqual(slot.valueBytes.slice(slot.valueAt, slot.valueEnd), valueOf(slot.revision), 'its own value');
          shown.push(slot.revision);
        }
        const wanted = Array.from({ length: keys }, (_, n) => revisionOf(n, version));
        assert.deepEqual(shown, reverse ? wanted.reverse() : wanted);
        assert.ok(counted.into.size <= 2 + PARTS, `${counted.into.size} places, reverse ${reverse}, at ${atRevision}`);
      }
    }
    // Who keeps what it is given, keeps it whole.
    const kept = [...view.scan(USER_SPACE, { from: utf8('large'), to: utf8('larger'), atRevision: 9_999, keysOnly: true })];
    assert.deepEqual(kept.map(({ value }) => value[0]), kept.map(({ revision }) => revision));
    view.release();
  });
});
