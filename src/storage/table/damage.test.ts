import assert from 'node:assert/strict';
import { compareBytes } from '../../base/bytes.js';
import type { MemoryDisk } from '../../base/disk/memory-disk.js';
import { DiskError } from '../../base/errors.js';
import type { DiskFile } from '../../base/disk.js';
import { StorageError } from '../base/errors.js';
import { tablePath, type TableMeta } from './table-meta.js';
import type { BlockFaults, Region } from './block-faults.js';
import { noFaults } from './block-faults.js';
import { SEQUENCE_BYTES } from '../base/table-entry.js';
import { rebuildTable } from './rebuild-table.js';
import { nameOf } from './table-image.js';
import type { TableReader } from './table-reader.js';
import { diskWith, formatWith, makeTable, openStore, putFile, RecordedFaults, sampleEntries, type MadeTable } from './testing/sample-tables.js';
import type { TableEntry } from './testing/table-entry.js';
import { recheckRegion, verifyTable } from './verify-table.js';

const entries = sampleEntries(8);

/**
 * Reads all there is: entries forward, filter, sums, properties. Fails if anything is wrong; throws
 * what reads throw.
 */
function readAll(reader: TableReader, expected: readonly TableEntry[]): void {
  const cursor = reader.cursor();
  cursor.seekToFirst();
  for (const entry of expected) {
    assert.ok(cursor.valid);
    assert.equal(compareBytes(cursor.key, entry.internalKey), 0);
    assert.equal(compareBytes(cursor.value, entry.value), 0);
    assert.ok(reader.mayContain(entry.internalKey.subarray(0, entry.internalKey.length - SEQUENCE_BYTES)));
    cursor.next();
  }
  assert.equal(cursor.valid, false);
  assert.equal(reader.liveDeltaSum(new Uint8Array(0), undefined), reader.meta.liveDelta);
  assert.equal(reader.properties().entries, expected.length);
}

function isTyped(error: unknown): boolean {
  return error instanceof StorageError && (error.code === 'BLOCK_UNREADABLE' || error.code === 'TABLE_UNREADABLE');
}

function read(disk: MemoryDisk, meta: TableMeta, faults: BlockFaults = noFaults): void {
  const store = openStore(disk, faults);
  readAll(store.reader(meta), entries);
  store.close();
}

/** Runs `body` with the file of the table damaged, then mends it. */
function withDamage(disk: MemoryDisk, table: MadeTable, at: number, bytes: Uint8Array, body: () => void): void {
  const node = disk.node(tablePath(table.meta.id));
  assert.ok(node);
  node.write(bytes, at);
  try {
    body();
  } finally {
    node.write(table.bytes.subarray(at, at + bytes.length), at);
  }
}

async function fetchFrom(table: MadeTable): Promise<(block: { offset: number }) => Promise<Uint8Array>> {
  const reader = openStore(await diskWith(table), noFaults).reader(table.meta);
  return (block) => Promise.resolve(reader.readPayload(block.offset).slice());
}

describe('a damaged table', () => {
  it('S4 no flip of a byte gives wrong data: right bytes or a typed error, without any parity', async () => {
    const table = makeTable(entries, formatWith('none'));
    const disk = await diskWith(table);
    let refused = 0;
    for (let at = 0; at < table.bytes.length; at++) {
      withDamage(disk, table, at, Uint8Array.of((table.bytes[at] as number) ^ 0x10), () => {
        try {
          read(disk, table.meta);
        } catch (error) {
          if (!isTyped(error)) throw error;
          refused++;
        }
      });
    }
    assert.ok(refused > 500, `${refused} of ${table.bytes.length} flips were refused`);
  });

  for (const scheme of ['secded', 'xor(8)', 'rs(8,2)']) {
    it(`every flip of a bit anywhere in the file is served right by ${scheme}`, async () => {
      const table = makeTable(entries, formatWith(scheme));
      const disk = await diskWith(table);
      for (let at = 0; at < table.bytes.length; at++) {
        withDamage(disk, table, at, Uint8Array.of((table.bytes[at] as number) ^ (1 << at % 8)), () => read(disk, table.meta));
      }
    });
  }

  it('a burst of 32 bytes is served right by rs(8,2) wherever it begins', async () => {
    const table = makeTable(entries, formatWith('rs(8,2)'));
    const disk = await diskWith(table);
    for (let at = 0; at + 32 <= table.bytes.length; at++) {
      withDamage(disk, table, at, new Uint8Array(32).fill(0xdb), () => read(disk, table.meta));
    }
  });

  it('beyond parity a read names the block, a patch from a peer serves it, a wrong patch does not', async () => {
    const table = makeTable(entries, formatWith('rs(8,2)'));
    const disk = await diskWith(table);
    const good = openStore(disk, noFaults).reader(table.meta);
    const [region, next] = good.regions().filter(({ kind }) => kind === 'data');
    assert.ok(region && next);
    const payload = good.readPayload(region.offset).slice();
    const wrong = good.readPayload(next.offset).slice();
    withDamage(disk, table, region.offset, new Uint8Array(region.length - 40).fill(0), () => {
      const faults = new RecordedFaults();
      const lost = (error: unknown): boolean =>
        isTyped(error) && error instanceof StorageError && error.code === 'BLOCK_UNREADABLE' && error.data['tableId'] === 1 && error.data['offset'] === region.offset;
      assert.throws(() => read(disk, table.meta, faults), lost);
      assert.deepEqual(faults.unreadableAt, [region]);
      faults.patches.set(region.offset, wrong);
      assert.throws(() => read(disk, table.meta, faults), lost);
      faults.patches.set(region.offset, payload);
      read(disk, table.meta, faults);
    });
  });

  it('bytes that no correction could make good are tried once, however many readers ask; other bytes are tried', async () => {
    const table = makeTable(entries, formatWith('rs(8,2)'));
    const disk = await diskWith(table);
    const region = openStore(disk, noFaults).reader(table.meta).regions().find(({ kind }) => kind === 'data');
    assert.ok(region);
    const faults = new RecordedFaults();
    const store = openStore(disk, faults);
    const ask = (): Uint8Array => store.reader(table.meta).readPayload(region.offset);
    withDamage(disk, table, region.offset, new Uint8Array(region.length - 40).fill(0), () => {
      for (let reader = 0; reader < 5; reader++) assert.throws(ask, isTyped);
      assert.equal(store.beyondParity.tried, 1);
      assert.equal(faults.unreadableAt.length, 5, 'each read says so');
      withDamage(disk, table, region.offset + 200, Uint8Array.of(1), () => assert.throws(ask, isTyped));
      assert.equal(store.beyondParity.tried, 2);
    });
    withDamage(disk, table, region.offset + 200, Uint8Array.of(0xde, 0xad), () => assert.equal(ask().length > 0, true));
    assert.equal(faults.correctedAt.length, 1, 'within parity it is corrected as ever');
    store.close();
  });

  it('a table with a footer beyond parity is read by the one at its other end', async () => {
    const table = makeTable(entries, formatWith('none'));
    const disk = await diskWith(table);
    const footers = openStore(disk, noFaults).reader(table.meta).regions().filter(({ kind }) => kind === 'footer');
    assert.equal(footers.length, 2);
    for (const { offset, length } of footers) {
      withDamage(disk, table, offset, new Uint8Array(length), () => {
        const faults = new RecordedFaults();
        read(disk, table.meta, faults);
        assert.deepEqual(faults.unreadableAt, []);
        assert.equal(faults.correctedAt.length, offset === 0 ? 1 : 0);
      });
    }
  });

  it('a filter beyond parity answers maybe and fails no read', async () => {
    const table = makeTable(entries, formatWith('none'));
    const disk = await diskWith(table);
    const filter = openStore(disk, noFaults).reader(table.meta).regions().find(({ kind }) => kind === 'filter');
    assert.ok(filter);
    withDamage(disk, table, filter.offset, new Uint8Array(filter.length), () => {
      const faults = new RecordedFaults();
      read(disk, table.meta, faults);
      assert.equal(faults.unreadableAt[0]?.kind, 'filter');
    });
  });

  it('S4 swapped, misdirected and stale blocks are caught, also without parity', async () => {
    for (const scheme of ['none', 'rs(8,2)']) {
      // Values of one size, so that blocks fit in each other's place.
      const fixed = (fill: number): TableEntry[] =>
        entries.map((entry) => ({ ...entry, tombstone: false, liveDelta: 0, value: new Uint8Array(60).fill(fill) }));
      const table = makeTable(fixed(1), formatWith(scheme));
      const stale = makeTable(fixed(2), formatWith(scheme));
      const disk = await diskWith(table);
      const regions = openStore(disk, noFaults).reader(table.meta).regions().filter(({ kind }) => kind === 'data');
      const [a, b] = [regions[0], regions.find((region, i) => i > 0 && region.length === regions[0]?.length)];
      assert.ok(a && b && stale.bytes.length === table.bytes.length);
      const image = (made: MadeTable, { offset, length }: Region): Uint8Array => made.bytes.slice(offset, offset + length);
      const lost = (): void => assert.throws(() => openStore(disk, noFaults).reader(table.meta).cursor().seekToFirst(), isTyped);
      withDamage(disk, table, a.offset, image(table, b), lost);
      withDamage(disk, table, a.offset, image(stale, a), lost);
      withDamage(disk, table, 0, stale.bytes, lost);
    }
  });

  it('a missing, empty or short file is a typed error, and peers can stand in for all of it', async () => {
    const table = makeTable(entries, formatWith('rs(8,2)'));
    const regions = openStore(await diskWith(table), noFaults).reader(table.meta).regions();
    const fetch = await fetchFrom(table);
    const patched = new RecordedFaults();
    for (const region of regions) patched.patches.set(region.offset, await fetch(region));
    for (const length of [undefined, 0, 100, table.bytes.length >> 1, table.bytes.length - 700]) {
      const disk = await diskWith();
      if (length !== undefined) putFile(disk, 1, table.bytes.subarray(0, length));
      assert.throws(() => read(disk, table.meta), isTyped, `cut to ${length}`);
      read(disk, table.meta, patched);
      const report = await verifyTable(disk, tablePath(1), table.meta);
      assert.ok(report.faults.some(({ kind }) => kind === 'missing'), `cut to ${length}`);
    }
  });

  it('sectors that the disk refuses to read are restored by parity', async () => {
    const many = sampleEntries(400);
    const table = makeTable(many, formatWith('rs(8,2)', 16 * 1024));
    const disk = await diskWith(table);
    const open = disk.openSync.bind(disk);
    const bad = 8192;
    disk.openSync = (path, mode): DiskFile => {
      const file = open(path, mode);
      const readSync = file.readSync.bind(file);
      file.readSync = (into, offset): number => {
        if (offset < bad + 4096 && offset + into.length > bad) throw new DiskError('READ_FAILED', 'EIO');
        return readSync(into, offset);
      };
      return file;
    };
    const faults = new RecordedFaults();
    readAll(openStore(disk, faults).reader(table.meta), many);
    assert.equal(faults.correctedAt.length, 1);
  });
});

describe('verifying a table', () => {
  for (const scheme of ['none', 'rs(8,2)', 'secded']) {
    it(`finds every flipped byte of the file, parity and padding included (${scheme})`, async () => {
      const table = makeTable(entries.slice(0, 6), formatWith(scheme));
      const disk = await diskWith(table);
      const clean = await verifyTable(disk, tablePath(1), table.meta);
      assert.deepEqual(clean, { bytes: table.bytes.length, faults: [], pristine: true, pastCache: true });
      const node = disk.node(tablePath(1));
      assert.ok(node);
      for (let at = 0; at < table.bytes.length; at++) {
        node.write(Uint8Array.of((table.bytes[at] as number) ^ 0x04), at);
        const { faults, pristine } = await verifyTable(disk, tablePath(1), table.meta, { readDirect: at % 2 === 0 });
        assert.ok(!pristine && faults.length > 0, `flip at ${at}`);
        const [fault] = faults;
        assert.ok(fault && fault.offset <= at && at < fault.offset + fault.length, `flip at ${at} found at ${fault?.offset}`);
        if (scheme !== 'none') assert.ok(fault.kind === 'corrected' || fault.kind === 'parity');
        node.write(table.bytes.subarray(at, at + 1), at);
      }
    });
  }

  it('reports bytes after the end, and a region looked at again by itself', async () => {
    const table = makeTable(entries, formatWith('rs(8,2)'));
    const disk = await diskWith({ ...table, bytes: new Uint8Array([...table.bytes, 0]) });
    const { faults } = await verifyTable(disk, tablePath(1), table.meta);
    assert.deepEqual(faults.map(({ kind, region, offset }) => [kind, region, offset]), [['parity', 'file', table.bytes.length]]);
    const reader = openStore(disk, noFaults).reader(table.meta);
    const region = reader.specAt(reader.regions()[1]?.offset ?? 0);
    assert.ok(region);
    assert.equal((await recheckRegion(disk, tablePath(1), table.meta, region)).fault, undefined);
    disk.node(tablePath(1))?.write(Uint8Array.of(9), region.offset + 99);
    assert.equal((await recheckRegion(disk, tablePath(1), table.meta, region)).fault?.kind, 'corrected');
  });
});

describe('rebuilding a table', () => {
  const nowhere = { write: () => Promise.resolve() };

  async function rebuilt(disk: MemoryDisk, table: MadeTable, fetch?: Awaited<ReturnType<typeof fetchFrom>>): Promise<Uint8Array> {
    const out = new Uint8Array(table.meta.bytes);
    const copy = { write: (bytes: Uint8Array, offset: number) => Promise.resolve(out.set(bytes, offset)) };
    await rebuildTable(disk, tablePath(1), table.meta, { fetch, out: copy });
    return out;
  }

  it('H3 gives the same bytes from a pristine, a corrected, a lost and a missing file', async () => {
    const table = makeTable(sampleEntries(60), formatWith('rs(8,2)'));
    const fetch = await fetchFrom(table);
    const damage: ((bytes: Uint8Array) => Uint8Array | undefined)[] = [
      (bytes) => bytes,
      (bytes) => bytes.map((byte, at) => (at % 400 === 7 ? byte ^ 0x20 : byte)),
      (bytes) => bytes.fill(0, 2000, 9000),
      (bytes) => bytes.fill(0, 0, 300).fill(0, bytes.length - 300),
      (bytes) => bytes.fill(0xff, bytes.length - 3000),
      (bytes) => bytes.slice(0, 5000),
      () => new Uint8Array(0),
      () => undefined,
    ];
    for (const [n, change] of damage.entries()) {
      const disk = await diskWith();
      const bytes = change(table.bytes.slice());
      if (bytes) putFile(disk, 1, bytes);
      assert.equal(Buffer.compare(await rebuilt(disk, table, fetch), table.bytes), 0, `damage ${n}`);
    }
  });

  it('fails with the block that nobody has, and takes no wrong payload', async () => {
    const table = makeTable(sampleEntries(60), formatWith('rs(8,2)'));
    const disk = await diskWith({ ...table, bytes: table.bytes.slice().fill(0, 3000, 6000) });
    await assert.rejects(rebuilt(disk, table), isTyped);
    await assert.rejects(rebuilt(disk, table, () => Promise.resolve(new Uint8Array(256))), isTyped);
    const good = await fetchFrom(table);
    const flipped = async (block: { offset: number }): Promise<Uint8Array> =>
      (await good(block)).map((byte, i) => (i === 9 ? byte ^ 1 : byte));
    await assert.rejects(rebuilt(disk, table, flipped), isTyped);
    await assert.rejects(rebuilt(await diskWith(), table), (error) => error instanceof StorageError && error.code === 'TABLE_UNREADABLE');
  });

  it('S6 the whole file is compared with the digest that was confirmed, however well its blocks verify', async () => {
    const table = makeTable(entries, formatWith('rs(8,2)'));
    const other = { ...table, meta: { ...table.meta, fileDigest: '0'.repeat(32) } };
    const disk = await diskWith(table);
    await assert.rejects(rebuilt(disk, other), (error) => error instanceof StorageError && error.code === 'DIGEST_MISMATCH');
    const { faults, pristine } = await verifyTable(disk, tablePath(1), other.meta);
    assert.deepEqual([pristine, faults[0]?.region, faults[0]?.kind], [false, 'file', 'unreadable']);
  });

  it('counts what came from parity and what from elsewhere', async () => {
    const table = makeTable(entries, formatWith('rs(8,2)'));
    const region = openStore(await diskWith(table), noFaults).reader(table.meta).regions()[2];
    assert.ok(region);
    const bytes = table.bytes.slice().fill(0, region.offset, region.offset + region.length).fill(0x33, 0, 400);
    bytes[region.offset + region.length + 100] = (bytes[region.offset + region.length + 100] as number) ^ 1;
    const disk = await diskWith({ ...table, bytes });
    const report = await rebuildTable(disk, tablePath(1), table.meta, { fetch: await fetchFrom(table), out: nowhere });
    assert.deepEqual(report, { bytes: table.bytes.length, correctedBlocks: 1, fetchedBlocks: 1 });
  });

  it('asks for blocks by digest, offset and lengths', async () => {
    const table = makeTable(entries, formatWith('xor(8)'));
    const reader = openStore(await diskWith(table), noFaults).reader(table.meta);
    const asked: unknown[] = [];
    const payload = await fetchFrom(table);
    await rebuildTable(await diskWith(), tablePath(1), table.meta, {
      out: nowhere,
      fetch: (block) => {
        asked.push(block);
        return payload(block);
      },
    });
    for (const region of reader.regions()) {
      if (region.offset === 0) continue;
      const named = reader.specAt(region.offset);
      assert.ok(named);
      if (region.kind !== 'footer') assert.ok(asked.some((block) => JSON.stringify(block) === JSON.stringify(nameOf(named))), region.kind);
    }
  });
});
