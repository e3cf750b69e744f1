import assert from 'node:assert/strict';
import fc from 'fast-check';
import { compareBytes, toHex } from '../../base/bytes.js';
import { encodeInternalKey, encodePrefix } from '../base/key.js';
import type { Disk, DiskFile } from '../../base/disk.js';
import { BlockCache } from '../cache/block-cache.js';
import { noFaults } from './block-faults.js';
import type { TableCursor } from '../base/table-entry.js';
import { SEQUENCE_BYTES } from '../base/table-entry.js';
import { FileDigest } from './file-digest.js';
import { tablePath } from './table-meta.js';
import type { TableReader } from './table-reader.js';
import { TableStore } from './table-store.js';
import { TableWriter } from './table-writer.js';
import { BIRTH, diskWith, formatWith, makeTable, openStore, RecordedFaults, sampleEntries } from './testing/sample-tables.js';
import { slotOf, type TableEntry } from './testing/table-entry.js';

const SCHEMES = ['none', 'secded', 'xor(8)', 'rs(8,2)', 'rs(3,4)'];

/** The files that are open, from now on. */
function countOpen(disk: Disk): ReadonlySet<DiskFile> {
  const open = new Set<DiskFile>();
  const openSync = disk.openSync.bind(disk);
  disk.openSync = (path, mode) => {
    const file = openSync(path, mode);
    const close = file.close.bind(file);
    open.add(file);
    file.close = () => {
      open.delete(file);
      close();
    };
    return file;
  };
  return open;
}

async function readerOf(entries: readonly TableEntry[], scheme: string, blockBytes = 256): Promise<TableReader> {
  const table = makeTable(entries, formatWith(scheme, blockBytes));
  return openStore(await diskWith(table), noFaults).reader(table.meta);
}

function assertAt(cursor: TableCursor, entry: TableEntry | undefined): void {
  assert.equal(cursor.valid, entry !== undefined);
  if (!entry) return;
  assert.equal(compareBytes(cursor.key, entry.internalKey), 0);
  assert.equal(compareBytes(cursor.value, entry.value), 0);
  assert.equal(cursor.tombstone, entry.tombstone);
  assert.equal(cursor.liveDelta, entry.liveDelta);
}

/** Random entries in order, of both spaces, with keys that share prefixes and hold zeros. */
const arbitraryEntries: fc.Arbitrary<TableEntry[]> = fc
  .array(
    fc.record({
      system: fc.boolean(),
      key: fc.array(fc.constantFrom(0, 1, 97, 98, 255), { maxLength: 6 }).map((bytes) => Uint8Array.from(bytes)),
      revision: fc.integer({ min: 1, max: 50 }),
      tombstone: fc.boolean(),
      liveDelta: fc.constantFrom(-1, 0, 1),
      value: fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ minLength: 300, maxLength: 700 })),
    }),
    { minLength: 1, maxLength: 120 },
  )
  .map((records) => {
    const entries = records.map(({ system, key, revision, tombstone, liveDelta, value }) => ({
      internalKey: encodeInternalKey(system ? 0 : 1, key, revision, 0),
      tombstone,
      liveDelta: system ? 0 : liveDelta,
      value,
      revision,
      userSpace: !system,
    }));
    entries.sort((a, b) => compareBytes(a.internalKey, b.internalKey));
    return entries.filter((entry, i) => i === 0 || compareBytes(entries[i - 1]?.internalKey ?? entry.internalKey, entry.internalKey) < 0);
  });

describe('tables', () => {
  it('S2 equal input gives equal bytes, whatever the chunks', () => {
    const entries = sampleEntries(200);
    const a = makeTable(entries, formatWith('rs(8,2)'));
    const b = makeTable(entries, formatWith('rs(8,2)'));
    assert.deepEqual(a.bytes, b.bytes);
    assert.deepEqual(a.meta, b.meta);
    assert.equal(new FileDigest().update(a.bytes).digest(), a.meta.fileDigest);
    const later = makeTable(entries, formatWith('rs(8,2)'), 1, { ...BIRTH, ordinal: 2 });
    assert.notEqual(later.meta.fileDigest, a.meta.fileDigest);
  });

  it('S2 a large block that is made in slices has the bytes of one that is made at once', () => {
    const entries = sampleEntries(30).map((entry, i) => (i % 7 === 3 ? { ...entry, value: new Uint8Array(700_000 + i).fill(i) } : entry));
    for (const scheme of SCHEMES) {
      const once = makeTable(entries, formatWith(scheme));
      const writer = new TableWriter(formatWith(scheme), BIRTH);
      let slices = 0;
      for (const entry of entries) {
        writer.add(slotOf(entry));
        assert.equal(writer.unsettled, entry.value.length > 512 * 1024);
        for (const work = writer.settle(); work.next().done !== true; ) slices++;
      }
      assert.ok(slices > 30, `${slices} slices`);
      assert.deepEqual({ ...writer.finish(), id: 1 }, once.meta);
      assert.equal(new FileDigest().update(once.bytes).digest(), once.meta.fileDigest);
    }
  });

  it('S2 the bytes of a small table are these for ever', () => {
    const { meta, bytes } = makeTable(sampleEntries(3), formatWith('rs(2,2)', 128));
    assert.equal(bytes.length, 3776);
    assert.equal(meta.fileDigest, 'bf5e0002f388e6bad965d1bd160cb230');
    assert.equal(meta.rootDigest, '1c6e1f3aa1a0269967f628f68f58cca3');
    const footer = [
      '4b424c4b040003020200000000010000c014bd99e066859c48c7190adb64270848c7190a48c7190ab14637e000000000',
      '4b54424cc00e000000000000030000000000000000686421c50502006712000000000000010000000000000001800104',
      '6e6f6e6507727328322c32290a8080800402000700000000',
    ];
    assert.equal(toHex(bytes.subarray(0, 120)), footer.join(''));
    const firstBlock = [
      '4b424c4b00000302020000009f0000002d0a5582fe64c4e7465da7d2cae61260905980922bd1f4e5c4b0e8ee00000000',
      '00230215012f72656769737472792f706f64732f30303030300001fffffffffffffffcfffffffd76616c75652030206f',
      '662076657273696f6e2032201e050415fdfffffffe76616c75652030206f662076657273696f6e203120140f022a3100',
      '01fffffffffffffff9fffffffc76616c75652031206f662076657273696f6e20332076616c75652031206f6620766572',
      '73696f6e2033200000000001000000007646706668401c455649677b70531e706e9b8cd0cfcfcfcfc9fffe0003899e93',
      '8a9adccedf909b5617090716495f4e4f550000041e060c4f5f005d463e7361678e969091de45416c75652031206f6620',
      'ece9e6f3d3f1ae2505295b6a762d4d706d8790ccd3d3d3d3dfe3e21c1a133d271535bc9dbf2131368da69183f2eefc2f',
      '00609aa7aa99a32f0c60ecec5ee9cef11b2d2123be10216c75652032206f66204b424c4b00000302020000009f000000',
      '2d0a5582fe64c4e7465da7d2cae61260905980922bd1f4e5c4b0e8ee000000004b424c4b00000302020000008c000000',
      'b6cbb3c6526c31277ebdc6627f24b21a1d7b415823c87d1e5dace376000000000023022a012f72656769737472792f70',
      '6f64732f30303030310001fffffffffffffffaff',
    ];
    assert.equal(toHex(bytes.subarray(608, 1108)), firstBlock.join(''));
  });

  it('cursors agree with a sorted array: seek, next, prev, both ends', () => {
    return fc.assert(
      fc.asyncProperty(
        arbitraryEntries,
        fc.constantFrom(...SCHEMES),
        fc.array(fc.oneof(fc.constantFrom('next', 'prev', 'first', 'last'), fc.nat(200)), { maxLength: 60 }),
        async (entries, scheme, moves) => {
          const reader = await readerOf(entries, scheme);
          const cursor = reader.cursor();
          let at = -1;
          const oracle = (): TableEntry | undefined => entries[at];
          for (const move of moves) {
            if (move === 'next') {
              cursor.next();
              if (at >= 0) at = at + 1 < entries.length ? at + 1 : -1;
            } else if (move === 'prev') {
              cursor.prev();
              if (at >= 0) at--;
            } else if (move === 'first') {
              cursor.seekToFirst();
              at = 0;
            } else if (move === 'last') {
              cursor.seekToLast();
              at = entries.length - 1;
            } else {
              const known = (entries[Number(move) % entries.length] as TableEntry).internalKey;
              const target = Number(move) % 3 === 0 ? known : known.slice(0, Number(move) % (known.length + 1));
              cursor.seek(target);
              at = entries.findIndex((entry) => compareBytes(entry.internalKey, target) >= 0);
            }
            assertAt(cursor, oracle());
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  it('a walk over the whole table gives every entry, both ways', async () => {
    const entries = sampleEntries(700);
    const reader = await readerOf(entries, 'rs(8,2)', 1024);
    const cursor = reader.cursor();
    cursor.seekToFirst();
    for (const entry of entries) {
      assertAt(cursor, entry);
      cursor.next();
    }
    assert.equal(cursor.valid, false);
    cursor.seekToLast();
    for (const entry of [...entries].reverse()) {
      assertAt(cursor, entry);
      cursor.prev();
    }
    assert.equal(cursor.valid, false);
  });

  it('live deltas of a range are summed as if it had been walked', () => {
    return fc.assert(
      fc.asyncProperty(arbitraryEntries, fc.nat(200), fc.option(fc.nat(200), { nil: undefined }), async (entries, a, b) => {
        const reader = await readerOf(entries, 'xor(8)');
        const keyAt = (n: number): Uint8Array => (entries[n % entries.length] as TableEntry).internalKey;
        const from = a % 4 === 0 ? keyAt(a).slice(0, a % 9) : keyAt(a);
        const to = b === undefined ? undefined : keyAt(b);
        let expected = 0;
        for (const { internalKey, liveDelta } of entries) {
          if (compareBytes(internalKey, from) >= 0 && (!to || compareBytes(internalKey, to) < 0)) expected += liveDelta;
        }
        assert.equal(reader.liveDeltaSum(from, to), expected);
      }),
      { numRuns: 150 },
    );
  });

  it('the filter holds every key, and few others', async () => {
    const entries = sampleEntries(1000);
    const reader = await readerOf(entries, 'rs(8,2)', 4096);
    for (const { internalKey } of entries) assert.ok(reader.mayContain(internalKey.subarray(0, internalKey.length - SEQUENCE_BYTES)));
    let wrong = 0;
    for (let i = 0; i < 10_000; i++) if (reader.mayContain(encodePrefix(1, Buffer.from(`/absent/${i}`)))) wrong++;
    assert.ok(wrong < 300, `${wrong} of 10000`);
  });

  it('without filter bits every key may be there', async () => {
    const table = makeTable(sampleEntries(20), formatWith('rs(8,2)', 256, 0));
    const reader = openStore(await diskWith(table), noFaults).reader(table.meta);
    assert.equal(reader.mayContain(Buffer.from('x')), true);
  });

  it('the meta, the properties and the index say the same of counts and bounds', async () => {
    const entries = sampleEntries(300);
    const reader = await readerOf(entries, 'rs(8,2)', 1024);
    const { meta } = reader;
    const { dataBlocks, rawBytes, ...properties } = reader.properties();
    assert.deepEqual({ ...meta, ...properties }, { ...meta });
    assert.equal(dataBlocks, reader.blocks);
    assert.equal(rawBytes, entries.reduce((n, e) => n + e.internalKey.length + e.value.length, 0));
    assert.equal(meta.entries, entries.length);
    assert.equal(meta.liveDelta, entries.reduce((n, e) => n + e.liveDelta, 0));
    assert.equal(meta.minRevision, Math.min(...entries.map((e) => e.revision)));
    assert.equal(meta.maxRevision, Math.max(...entries.map((e) => e.revision)));
    const bounds = Array.from({ length: reader.blocks }, (_, i) => reader.blockRevisions(i));
    assert.equal(Math.max(...bounds.map((b) => b.max)), meta.maxRevision);
    assert.equal(reader.regions().reduce((n, region) => n + region.length, 0), meta.bytes);
    for (const region of reader.regions()) assert.ok(reader.accepts(region.offset, reader.readPayload(region.offset)), region.kind);
  });

  it('a corrected block stays marked in the cache until it is dropped and read again', async () => {
    const table = makeTable(sampleEntries(50), formatWith('rs(8,2)'));
    const disk = await diskWith(table);
    const faults = new RecordedFaults();
    const store = openStore(disk, faults);
    const reader = store.reader(table.meta);
    const data = reader.regions().find((region) => region.kind === 'data');
    assert.ok(data);
    const node = disk.node('tables/1.sst');
    assert.ok(node);
    node.write(Uint8Array.of(0x5a, 0x5a, 0x5a), data.offset + 100);
    reader.block(0);
    reader.block(0);
    assert.equal(faults.correctedAt.length, 1);
    assert.equal(store.cache.dropCorrected(), 1);
    reader.block(0);
    assert.equal(faults.correctedAt.length, 2);
  });

  it('a table under a new id keeps the cached blocks of its bytes', async () => {
    const table = makeTable(sampleEntries(50), formatWith('rs(8,2)'));
    const disk = await diskWith(table, { ...table, meta: { ...table.meta, id: 2 } });
    const store = openStore(disk, noFaults);
    const payload = store.reader(table.meta).block(1);
    store.forget(1);
    assert.equal(store.reader({ ...table.meta, id: 2 }).block(1), payload);
  });

  it('a file that was replaced under a table that versions read leaves no descriptor behind', async () => {
    const table = makeTable(sampleEntries(20), formatWith('rs(8,2)'), 1);
    const disk = await diskWith(table);
    const open = countOpen(disk);
    const store = new TableStore(disk, new BlockCache(0), noFaults);
    const reader = store.reader(table.meta);
    reader.cursor().seekToFirst();
    assert.equal(open.size, 1);
    await disk.rename(tablePath(1), 'tables/new.tmp');
    await disk.rename('tables/new.tmp', tablePath(1));
    store.replaced(1);
    assert.equal(open.size, 0, 'nobody reads on in the file that went');
    reader.cursor().seekToFirst();
    store.reader(table.meta).cursor().seekToFirst();
    assert.deepEqual([open.size, store.open.size], [1, 1]);
    store.forget(1);
    assert.deepEqual([open.size, store.open.size], [0, 0]);
  });

  it('no more tables are open than allowed, and closed ones open again', async () => {
    const tables = [1, 2, 3, 4, 5].map((id) => makeTable(sampleEntries(20, id), formatWith('rs(8,2)'), id));
    const disk = await diskWith(...tables);
    const store = new TableStore(disk, new BlockCache(0), noFaults, { maxOpenTables: 2 });
    for (let round = 0; round < 3; round++) {
      for (const { meta } of tables) {
        const cursor = store.reader(meta).cursor();
        cursor.seekToFirst();
        assert.equal(compareBytes(cursor.key, meta.smallest), 0);
        assert.ok(store.open.size <= 2);
      }
    }
    store.close();
    assert.equal(store.open.size, 0);
  });
});
