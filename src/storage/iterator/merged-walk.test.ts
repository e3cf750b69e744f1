import { strict as assert } from 'node:assert';
import { fromUtf8, utf8 } from '../../base/bytes.js';
import { codeOf } from '../../base/errors.js';
import { USER_SPACE, type VersionedEntry } from '../base/read-view.js';
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

describe('MergedScan', () => {
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
});
