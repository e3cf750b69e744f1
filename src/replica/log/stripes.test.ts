import assert from 'node:assert/strict';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { FaultDisk } from '../../base/disk/testing/fault-disk.js';
import { runs } from '../../base/testing/runs.js';
import { seededRandom } from '../../base/testing/seeded-random.js';
import { KiB, MiB } from '../../base/bytes.js';
import type { OpenMode } from '../../base/disk.js';
import { codeOf } from '../../base/errors.js';
import type { Entry } from '../../raft/types.js';
import { BATCH_HEADER } from './batch-codec.js';
import type { DurableLog } from './durable-log.js';
import { findIdentities } from './find-identities.js';
import { IdentityEncoder } from './identity-codec.js';
import { resolve, type Resolution } from './resolve.js';
import { scanSegment, type SegmentScan } from './scan.js';
import { APART, areaAt, DEFAULT_SEGMENT_BYTES, encodeHeader, generationSeed, layoutOf, segmentName, STRIPED } from './segment-layout.js';
import { SegmentStore } from './segment-store.js';
import { allEntries, loseSector, openLog, settled, show, SMALL_SEGMENT, someEntries, VERSIONS } from './testing/log-fixture.js';

const FIRST = segmentName('log', 1);
const PAGE = 4096;
const NO_EVIDENCE = { knownCommit: 0, flushedIndex: 0 };

async function bytesOf(disk: MemoryDisk | FaultDisk, path: string): Promise<Uint8Array> {
  return (await disk.readDirect(path, 0, disk.sizeOf(path) ?? 0)).bytes;
}

async function scansOf(disk: MemoryDisk | FaultDisk, segmentBytes: number): Promise<SegmentScan[]> {
  const names = (await disk.list('log')).filter((name) => name.endsWith('.seg')).sort();
  const scans: SegmentScan[] = [];
  for (const name of names) scans.push(await scanSegment(disk, `log/${name}`, Number.parseInt(name, 16), segmentBytes));
  return scans;
}

function formatsOf(scans: readonly SegmentScan[]): number[] {
  return scans.map(({ layout }) => layout.format);
}

/** The same disk, and what was written to segments since the last look: [offset, length] each. */
function watchedWrites(disk: MemoryDisk): { disk: MemoryDisk; writes: [number, number][]; syncs: () => number } {
  const writes: [number, number][] = [];
  let syncs = 0;
  const watched = Object.create(disk, {
    open: {
      value: async (path: string, mode: OpenMode) => {
        const file = await disk.open(path, mode);
        if (!path.endsWith('.seg')) return file;
        const [writeSync, sync] = [file.writeSync.bind(file), file.sync.bind(file)];
        file.writeSync = (bytes, offset) => {
          writes.push([offset, bytes.length]);
          writeSync(bytes, offset);
        };
        file.sync = () => {
          syncs++;
          return sync();
        };
        return file;
      },
    },
  }) as MemoryDisk;
  for (const name of ['sizeOf', 'readDirect', 'list', 'mkdir', 'rename', 'unlink', 'syncDir'] as const) {
    Object.defineProperty(watched, name, { value: disk[name].bind(disk) });
  }
  return { disk: watched, writes, syncs: () => syncs };
}

/** What each group commit held, in order, and the bytes of the one segment that holds them. */
interface Written {
  readonly groups: Entry[][];
  readonly bytes: Uint8Array;
}

/** `idle`: the identity of the last one was written alone. */
async function written(groups: Entry[][], segmentBytes: number, idle: boolean): Promise<Written> {
  const disk = new MemoryDisk();
  const { log } = await openLog(disk, { version: 2, segmentBytes });
  for (const group of groups) await log.append(group, (group[0] as Entry).index - 1);
  if (idle) await log.flushIdentities();
  const bytes = (await bytesOf(disk, FIRST)).slice();
  await log.close();
  return { groups, bytes };
}

async function judged(bytes: Uint8Array, segmentBytes: number): Promise<{ scan: SegmentScan; resolution: Resolution }> {
  const disk = new MemoryDisk();
  await disk.mkdir('log');
  for (const [generation, content] of [[1, bytes], [2, undefined]] as const) {
    const file = await disk.open(segmentName('log', generation), 'create');
    const header = encodeHeader({ format: STRIPED, generation, segmentBytes });
    file.writeSync(content ?? new Uint8Array(segmentBytes), 0);
    if (content === undefined) for (const at of [0, segmentBytes - header.length]) file.writeSync(header, at);
    file.close();
  }
  const scans = await scansOf(disk, segmentBytes);
  return { scan: scans[0] as SegmentScan, resolution: resolve(scans, NO_EVIDENCE) };
}

/** Groups of random entries; every one appends, none replaces. */
function drawnGroups(count: number, seed: number, mostBytes: number): Entry[][] {
  const random = seededRandom(seed);
  let next = 1;
  return Array.from({ length: count }, () => {
    const entries = 1 + random.below(random.below(4) === 0 ? 12 : 2);
    const group = someEntries(next, entries, 1 + Math.floor(next / 20), 8 + random.below(mostBytes));
    next += group.length;
    return group;
  });
}

interface RecordPlace {
  readonly offset: number;
  readonly length: number;
  readonly batch: number;
  readonly batchAt: number;
}

/** Where the records of entry `index` are, as an undamaged scan says. */
function recordsOf(scan: SegmentScan): Map<number, RecordPlace> {
  const records = new Map<number, RecordPlace>();
  for (const batch of scan.batches) {
    const { sequence, offset: batchAt, previousIndex } = batch;
    batch.records.forEach(({ offset, length }, i) => records.set(previousIndex + 1 + i, { offset, length, batch: sequence, batchAt }));
  }
  return records;
}

describe('striped log segments', () => {
  it('R6 the two areas of a segment are at least 1 MiB apart and fill it but for the headers', () => {
    for (const bytes of [DEFAULT_SEGMENT_BYTES, DEFAULT_SEGMENT_BYTES + PAGE, 64 * MiB, SMALL_SEGMENT, 33 * PAGE]) {
      const { dataStart, dataEnd, identityStart, identityEnd } = layoutOf(bytes, STRIPED);
      assert.ok(bytes < DEFAULT_SEGMENT_BYTES || identityStart - dataEnd >= MiB);
      assert.deepEqual([dataStart, identityEnd], [PAGE, bytes - PAGE]);
      assert.ok(dataEnd - dataStart >= identityEnd - identityStart && dataEnd - dataStart <= identityEnd - identityStart + 16);
    }
  });

  it('a group commit is one write at one place and one sync, and the next one is in the other area', async () => {
    const memory = new MemoryDisk();
    const { disk, writes, syncs } = watchedWrites(memory);
    const { log } = await openLog(disk, { version: 2, segmentBytes: 256 * KiB });
    await log.append(someEntries(1, 1, 1), 0);
    const { layout } = (await scansOf(memory, 256 * KiB))[0] as SegmentScan;
    let area = areaAt(layout, (writes.at(-1) as [number, number])[0]);
    for (let i = 2; i < 200; i++) {
      writes.length = 0;
      const before = syncs();
      await log.append(someEntries(i, 1 + (i % 3), 1).slice(0, 1), i - 1);
      assert.deepEqual([writes.length, syncs() - before], [1, 1], `group commit ${i}`);
      const next = areaAt(layout, (writes[0] as [number, number])[0]);
      assert.notEqual(next, area);
      area = next;
    }
    await log.close();
  });

  it('R6 the identity of a batch is never in the area of its batch', async () => {
    const disk = new MemoryDisk();
    const random = seededRandom(5);
    let { log } = await openLog(disk, { version: 2 });
    for (let i = 0; i < 400; i++) {
      const next = log.lastIndex() + 1;
      await log.append(someEntries(next, 1 + random.below(40), 1, 8 + random.below(400)), next - 1);
      if (random.below(4) === 0) await log.flushIdentities();
      if (random.below(40) > 0) continue;
      await log.close();
      log = (await openLog(disk, { version: 2 })).log;
    }
    await log.close();
    let identities = 0;
    for (const { generation, layout } of (await scansOf(disk, SMALL_SEGMENT)).filter((scan) => scan.layout.format === STRIPED)) {
      const bytes = await bytesOf(disk, segmentName('log', generation));
      for (const { at, offset } of findIdentities(bytes, layout, generationSeed(generation), generation)) {
        assert.notEqual(areaAt(layout, at), areaAt(layout, offset), `segment ${generation}, the batch at ${offset}`);
        identities++;
      }
    }
    assert.ok(identities >= 400, `${identities}`);
  });

  it('R6 whichever page goes bad, what was synced before the last group commit is good or faulty, as its bytes are, and never torn', async function () {
    this.timeout(60_000);
    const segmentBytes = 128 * KiB;
    let [faulty, cut, open] = [0, 0, 0];
    for (let count = 1; count <= 40; count += runs(2, 1)) {
      const { groups, bytes } = await written(drawnGroups(count, count, count < 20 ? 900 : 250), segmentBytes, count % 3 === 0);
      const idle = count % 3 === 0;
      const whole = await judged(bytes, segmentBytes);
      const last = groups.flat().length;
      assert.deepEqual([whole.resolution.table.lastIndex, whole.resolution.faults.length], [last, 0]);
      const records = recordsOf(whole.scan);
      const lastGroup = (groups.at(-1) as Entry[])[0]?.index ?? 0;
      for (let page = 0; page < segmentBytes; page += PAGE) {
        const damaged = bytes.slice();
        const junk = seededRandom(page);
        for (let i = page; i < page + PAGE; i++) damaged[i] = page % (2 * PAGE) === 0 ? 0 : junk.below(256);
        const what = `${count} groups, page ${page / PAGE}`;
        const { table, faults, endsOpen, cut: torn } = (await judged(damaged, segmentBytes)).resolution;
        const hit = [...records].filter(([, { offset, length }]) => offset < page + PAGE && offset + length > page).map(([index]) => index);
        const known = hit.filter((index) => idle || index < lastGroup).sort((a, b) => a - b);
        const held = faults.filter(({ index }) => index <= table.lastIndex).map(({ index }) => index);
        assert.deepEqual(held.filter((index) => idle || index < lastGroup), known, what);
        assert.ok(held.every((index) => hit.includes(index)), what);
        assert.ok(table.lastIndex === last || (!idle && table.lastIndex === lastGroup - 1), `${what}: the log ends with ${table.lastIndex} of ${last}`);
        // What is not there and was not torn to the sector may have been acknowledged.
        const header = records.get(lastGroup)?.batchAt ?? 0;
        const headerGone = header < page + PAGE && header + BATCH_HEADER > page;
        if (table.lastIndex < last && headerGone) assert.ok(endsOpen, `${what}: nothing is said of what followed ${table.lastIndex}`);
        assert.ok(torn === undefined || (!idle && table.lastIndex < last), what);
        if (headerGone) open++;
        faulty += known.length;
        if (table.lastIndex < last) cut++;
      }
    }
    assert.ok(faulty > runs(250, 500) && cut > runs(15, 30) && open > runs(15, 30), `${faulty} faulty, ${cut} cut, ${open} open`);
  });

  it('R6 bytes of a client that look like an identity prove nothing, also where the header of their batch is bad', async () => {
    const seed = generationSeed(1);
    const forged = new IdentityEncoder();
    const context = {
      generation: 1, sequence: 1000, synced: 999, previousIndex: 500, previousTerm: 1, commit: 0, snapshotThrough: 0, reset: false,
      ended: true,
    };
    forged.add(context, seed, PAGE + 8, [{ term: 1 }], 0, 1, Uint32Array.of(100), Uint32Array.of(7));
    const [first, lure, third] = [someEntries(1, 1, 1), someEntries(2, 1, 1, 4000), someEntries(3, 1, 1)] as [Entry[], [Entry], Entry[]];
    for (let shift = 0; shift < 8; shift++) lure[0].data.set(forged.view(), 64 + shift * (forged.length + 1));
    const segmentBytes = 128 * KiB;
    const { bytes } = await written([first, lure, third], segmentBytes, true);
    const { scan } = await judged(bytes, segmentBytes);
    const batch = scan.batches.find(({ sequence }) => sequence === 2) ?? assert.fail();
    bytes.fill(0xff, batch.offset, batch.offset + 80);
    const { resolution } = await judged(bytes, segmentBytes);
    assert.deepEqual([resolution.table.lastIndex, resolution.faults, resolution.lastSequence], [3, [], 3]);
  });

  it('a log that began with the older format goes on in the newer one once it may, and is read, truncated and recycled whole', async () => {
    const disk = new MemoryDisk();
    const { log } = await openLog(disk, { cacheBytes: 1 });
    const appendTo = async (to: DurableLog, rounds: number): Promise<void> => {
      for (let i = 0; i < rounds; i++) await to.append(someEntries(to.lastIndex() + 1, 20, 1, 50 + (i % 7) * 40), to.lastIndex());
      await settled();
    };
    await appendTo(log, 12);
    assert.ok(formatsOf(await scansOf(disk, SMALL_SEGMENT)).every((format) => format === APART));
    log.allow(2);
    await appendTo(log, 12);
    const formats = formatsOf(await scansOf(disk, SMALL_SEGMENT));
    assert.deepEqual(formats, [...formats].sort(), 'older ones stay as they are');
    assert.ok(formats.includes(APART) && formats.includes(STRIPED), `${formats}`);
    const all = show(allEntries(log));
    assert.equal(all.length, 480);
    await log.close();
    // As it was told once: it goes on striped before it is told again.
    const { log: again } = await openLog(disk, { cacheBytes: 1 });
    assert.deepEqual(show(allEntries(again)), all);
    await again.truncateBefore(400, 1);
    await appendTo(again, 30);
    await again.truncateBefore(1000, 1);
    await appendTo(again, 30);
    assert.ok(formatsOf(await scansOf(disk, SMALL_SEGMENT)).every((format) => format === STRIPED));
    const entries = show(allEntries(again));
    await again.close();
    const { log: last } = await openLog(disk);
    assert.deepEqual(show(allEntries(last)), entries);
    await last.close();
  });

  it('S1 a log goes back to the older format: nothing of the newer one is left, not in files that nothing was written to yet', async () => {
    const disk = new MemoryDisk();
    const { log } = await openLog(disk, { version: 2, cacheBytes: 1 });
    const append = async (rounds: number): Promise<void> => {
      for (let i = 0; i < rounds; i++) await log.append(someEntries(log.lastIndex() + 1, 20, 1, 200), log.lastIndex());
      await settled();
    };
    await append(12);
    log.allow(1);
    assert.equal(await log.shed(100), 240, 'segments go whole, the one that is written to as well');
    await log.truncateBefore(240, 1);
    assert.equal(await log.shed(100), 240, 'it takes another entry');
    await append(1);
    await log.truncateBefore(240, 1);
    assert.deepEqual([await log.shed(100), log.firstIndex()], [undefined, 241]);
    assert.deepEqual(new Set(formatsOf(await scansOf(disk, SMALL_SEGMENT))), new Set([APART]));
    await log.close();
    const { log: again } = await openLog(disk);
    assert.deepEqual(show(allEntries(again)), show(someEntries(241, 20, 1, 200)));
    await again.close();
  });

  it('S1 entries that are to go are left behind in a segment of the right format, too', async () => {
    const { log } = await openLog(new MemoryDisk(), { version: 1, cacheBytes: 1 });
    await log.append(someEntries(1, 20, 1), 20);
    assert.equal(await log.shed(7), 20);
    await log.append(someEntries(21, 5, 1), 20);
    await log.truncateBefore(20, 1);
    assert.equal(await log.shed(7), undefined);
    assert.equal(log.firstIndex(), 21);
    await log.close();
  });

  it('R6 a recycled file holds nothing of its earlier life, whichever formats the two lives have', async () => {
    for (const [before, after] of [[APART, STRIPED], [STRIPED, APART], [STRIPED, STRIPED]] as const) {
      const disk = new MemoryDisk();
      const { log } = await openLog(disk, { version: before === STRIPED ? 2 : 1 });
      for (let i = 0; i < 3; i++) await log.append(someEntries(1 + i * 20, 20, 1, 200), 0);
      await log.close();
      const store = new SegmentStore(disk, 'log', SMALL_SEGMENT);
      store.useFormat(after);
      const used = new SegmentStore(disk, 'log', SMALL_SEGMENT);
      used.useFormat(before);
      const old = await used.prepare(90);
      old.file.writeSync((await bytesOf(disk, FIRST)).subarray(PAGE, SMALL_SEGMENT - PAGE), PAGE);
      await store.retire(old);
      await store.prepare(91);
      const scan = await scanSegment(disk, segmentName('log', 91), 91, SMALL_SEGMENT);
      assert.deepEqual([scan.layout.format, scan.batches, scan.oddities], [after, [], []]);
      assert.deepEqual(scan.identityEnds, [scan.layout.dataStart, scan.layout.identityStart]);
    }
  });

  it('R6 an empty segment whose change of format was cut off is opened in either, and a used one as it was written', async () => {
    const headerOf = (format: 1 | 2): Uint8Array => encodeHeader({ format, generation: 1, segmentBytes: SMALL_SEGMENT });
    for (const entries of [[], someEntries(1, 9, 1)]) {
      for (const wrong of [0, SMALL_SEGMENT - PAGE]) {
        for (const version of [1, 2]) {
          const disk = new MemoryDisk();
          const { log } = await openLog(disk, { version });
          for (const entry of entries) await log.append([entry], 0);
          await log.close();
          const file = await disk.open(FIRST, 'write');
          file.writeSync(headerOf(version === 1 || entries.length === 0 ? STRIPED : APART), wrong);
          file.close();
          const { log: again } = await openLog(disk, { version });
          assert.deepEqual(show(allEntries(again)), show(entries));
          await again.append(someEntries(entries.length + 1, 1, 1), 0);
          await again.close();
          const { log: last } = await openLog(disk, { version });
          assert.equal(last.lastIndex(), entries.length + 1);
          await last.close();
        }
      }
    }
  });

  // One of format 1 reads in the other as batches that reach beyond the first area.
  for (const version of VERSIONS) it(`R6 a segment of version ${version} that lost both headers still says what it holds`, async () => {
    const disk = new FaultDisk(new MemoryDisk());
    const { log } = await openLog(disk, { version });
    for (let i = 0; i < 60; i++) await log.append(someEntries(i * 10 + 1, 10, 1, 60), i * 10);
    const all = show(allEntries(log));
    await log.close();
    for (const at of [0, SMALL_SEGMENT - PAGE]) await disk.zero(FIRST, at, PAGE);
    const { log: again } = await openLog(disk);
    assert.deepEqual(show(allEntries(again)), all);
    await again.close();
    assert.equal((await scansOf(disk, SMALL_SEGMENT))[0]?.headersGood, true, 'and gets them back');
  });

  it('R3 an entry that a striped area has no room for gets a segment of its own, and what follows is striped again', async () => {
    for (const bytes of [12_000, 15_000, 30_000, 100_000]) {
      const disk = new MemoryDisk();
      const { log } = await openLog(disk, { version: 2, cacheBytes: 1 });
      const entries = [...someEntries(1, 5, 1), ...someEntries(6, 1, 1, bytes), ...someEntries(7, 2, 1, bytes), ...someEntries(9, 5, 1)];
      for (const [from, to] of [[0, 5], [5, 6], [6, 8], [8, 10], [10, 13]] as const) await log.append(entries.slice(from, to), 0);
      assert.deepEqual(show(allEntries(log)), show(entries));
      await log.close();
      const scans = (await scansOf(disk, SMALL_SEGMENT)).filter(({ batches }) => batches.length > 0);
      assert.ok(scans.some(({ layout }) => layout.format === APART) && scans.at(-1)?.layout.format === STRIPED, `${bytes}: ${formatsOf(scans)}`);
      const { log: again } = await openLog(disk, { version: 2 });
      assert.deepEqual(show(allEntries(again)), show(entries), `${bytes}`);
      await again.close();
    }
  });

  it('R6 a torn group commit is cut, and the identity before it stays: the batch that it proves may go bad next', async () => {
    const disk = new FaultDisk(new MemoryDisk());
    const { log } = await openLog(disk, { version: 2 });
    for (let i = 0; i < 3; i++) await log.append(someEntries(i * 5 + 1, 5, 1, 300), i * 5);
    await settled();
    const [scan] = await scansOf(disk, SMALL_SEGMENT);
    const recordOf = (sequence: number) => scan?.batches.find((batch) => batch.sequence === sequence)?.records[2];
    const placeOf = (sequence: number): number => recordOf(sequence)?.offset ?? assert.fail();
    await loseSector(disk, FIRST, placeOf(3) + 40);
    const { log: again, recovered } = await openLog(disk, { version: 2 });
    assert.deepEqual([recovered.tornEntries, again.lastIndex()], [5, 10]);
    await disk.flipBit(FIRST, 8 * (placeOf(2) + 40));
    await assert.rejects(openLog(disk), (error) => codeOf(error) === 'ENTRY_FAULTY');
  });
});
