import assert from 'node:assert/strict';
import { FaultDisk } from '../../base/disk/testing/fault-disk.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { must } from '../../base/assert.js';
import { seededRandom } from '../../base/testing/seeded-random.js';
import type { Disk } from '../../base/disk.js';
import type { Random } from '../../base/env.js';
import { SECTOR } from './area-end.js';
import { RECORD_HEADER } from './batch-codec.js';
import { encodeEndMark, END_MARK_BYTES } from './end-mark.js';
import { findIdentities } from './find-identities.js';
import { identityBytes } from './identity-codec.js';
import { resolve, type Resolution } from './resolve.js';
import { endOf, scanSegment, type SegmentScan } from './scan.js';
import { areaAt, generationOf, generationSeed, otherArea, segmentName } from './segment-layout.js';
import { VERSION_2 } from '../base/protocol.js';
import { loseSector, openLog, settled, SMALL_SEGMENT, someEntries, VERSIONS } from './testing/log-fixture.js';

const PAGE = 4096;

interface Written {
  readonly memory: MemoryDisk;
  readonly last: number;
}

/** Segments that were recycled, and one that has just been begun, or has not. */
async function written(version: number, random: Random, idle: boolean): Promise<Written> {
  const memory = new MemoryDisk();
  const { log } = await openLog(memory, { version });
  const count = 1 + random.below(random.below(2) === 0 ? 12 : 400);
  for (let i = 0; i < count; i++) {
    await log.append(someEntries(log.lastIndex() + 1, 1 + random.below(2), 1, 8 + random.below(300)), log.lastIndex());
    if (random.below(8) === 0) await log.flushIdentities();
    if (i % 50 !== 49) continue;
    await log.truncateBefore(log.lastIndex() - 20, 1);
    await settled();
  }
  if (idle) await log.close();
  else await settled();
  return { memory, last: log.lastIndex() };
}

async function scansOf(disk: Disk): Promise<SegmentScan[]> {
  const generations = (await disk.list('log')).map(generationOf).filter((generation) => generation !== undefined).sort((a, b) => a - b);
  const scans: SegmentScan[] = [];
  for (const generation of generations) scans.push(await scanSegment(disk, segmentName('log', generation), generation, SMALL_SEGMENT));
  return scans;
}

async function judged(disk: Disk): Promise<Resolution> {
  return resolve(await scansOf(disk), { knownCommit: 0, flushedIndex: 0 });
}

/** The pages that hold anything of the last batch and of its identity. */
async function pagesOfLast(disk: Disk): Promise<{ path: string; pages: ReadonlySet<number> }> {
  const scan = must((await scansOf(disk)).findLast(({ batches }) => batches.length > 0), 'there is a batch');
  const path = segmentName('log', scan.generation);
  const batch = must(scan.batches.at(-1), 'it is the last');
  const { bytes } = await disk.readDirect(path, 0, SMALL_SEGMENT);
  const identities = findIdentities(bytes, scan.layout, generationSeed(scan.generation), scan.generation);
  const identity = identities.find(({ sequence }) => sequence === batch.sequence);
  // The write began with them.
  const before = identities.find(({ end }) => end === batch.offset);
  const pages = new Set<number>();
  const note = (from: number, to: number): void => {
    for (let page = from - (from % PAGE); page < to; page += PAGE) pages.add(page);
  };
  note(before?.at ?? batch.offset, endOf(batch));
  if (identity !== undefined) note(identity.at, identity.end);
  return { path, pages };
}

const FILLS = ['zeros', 'junk', 'unreadable'] as const;

async function spoil(disk: FaultDisk, path: string, page: number, fill: (typeof FILLS)[number], random: Random): Promise<void> {
  if (fill === 'unreadable') return void disk.inject({ kind: 'read-error', path, from: page, to: page + PAGE, times: Infinity });
  const file = await disk.open(path, 'write');
  const bytes = new Uint8Array(PAGE);
  if (fill === 'junk') bytes.forEach((_, i) => (bytes[i] = random.below(256)));
  file.writeSync(bytes, page);
  file.close();
}

for (const version of VERSIONS) {
  describe(`the end of a log, in a cluster of version ${version}`, () => {
    it('R6 of which the last batch and its identity are gone with their pages is not known: nobody says that nothing was there', async function () {
      this.timeout(60_000);
      let open = 0;
      for (let seed = 1; seed <= 90; seed++) {
        const random = seededRandom(seed);
        const { memory, last } = await written(version, random, seed % 3 > 0);
        assert.equal((await judged(memory)).table.lastIndex, last);
        const fill = must(FILLS[seed % FILLS.length], 'one of three');
        const disk = new FaultDisk(memory);
        const { path, pages } = await pagesOfLast(memory);
        for (const page of pages) await spoil(disk, path, page, fill, random);
        const { table, endsOpen, faults } = await judged(disk);
        assert.ok(endsOpen || (table.lastIndex === last && faults.length > 0), `seed ${seed}, ${fill}: ends with ${table.lastIndex} of ${last}`);
        if (endsOpen) open++;
      }
      assert.ok(open > 40, `${open}`);
    });

    it('R6 is where a write was cut off, although what it did not write was there already', async () => {
      // Of entries that end in zeros, and a segment that is new.
      let torn = 0;
      for (let bytes = 300; bytes < 900; bytes += 7) {
        const memory = new MemoryDisk();
        const { log } = await openLog(memory, { version });
        await log.append(someEntries(1, 1, 1), 0);
        await log.flushIdentities();
        await log.append([2, 3, 4].map((index) => ({ index, term: 1, type: 'normal', data: new Uint8Array(bytes) })), 1);
        const scan = must((await scansOf(memory)).findLast(({ batches }) => batches.length > 0), 'there is a batch');
        const records = must(scan.batches.at(-1), 'it is the last').records;
        const [, second, third] = [records[0], must(records[1], 'there are three'), must(records[2], 'there are three')];
        // The sector in which the third one begins has no more of the second than zeros.
        const sector = third.offset - (third.offset % SECTOR);
        if (second.offset + RECORD_HEADER > sector || third.offset + RECORD_HEADER > sector + SECTOR || third.offset === sector) continue;
        await loseSector(memory, segmentName('log', scan.generation), third.offset);
        const { table, faults, cut } = await judged(memory);
        assert.deepEqual([table.lastIndex, faults, cut?.entries], [1, [], 3], `${bytes} bytes`);
        torn++;
      }
      assert.ok(torn > 20, `${torn}`);
    });

    it('R6 is known where pages are sound behind the last batch, whatever is damaged before', async function () {
      this.timeout(60_000);
      for (let seed = 1; seed <= 60; seed++) {
        const random = seededRandom(1000 + seed);
        const { memory, last } = await written(version, random, true);
        const { path, pages } = await pagesOfLast(memory);
        const disk = new FaultDisk(memory);
        const fill = must(FILLS[seed % FILLS.length], 'one of three');
        const used = (await scansOf(memory)).find(({ generation }) => segmentName('log', generation) === path);
        const ends = new Set(must(used, 'it is there').batches.map(({ offset }) => offset - (offset % PAGE)));
        for (const page of ends) if (!pages.has(page) && !pages.has(page + PAGE)) await spoil(disk, path, page, fill, random);
        const { table, endsOpen } = await judged(disk);
        assert.deepEqual([table.lastIndex, endsOpen], [last, false], `seed ${seed}, ${fill}`);
      }
    });
  });
}

interface Spoilt extends Written {
  readonly path: string;
  /** As it was before. */
  readonly scan: SegmentScan;
  /** The offset of the end mark. */
  readonly mark: number;
}

describe('the end of a log in stripes', () => {
  /** All that stands in the area of the last identity before the end mark behind it goes. */
  async function withoutIdentities(random: Random, count: number): Promise<Spoilt> {
    const memory = new MemoryDisk();
    const { log } = await openLog(memory, { version: VERSION_2 });
    for (let i = 0; i < count; i++) {
      const from = log.lastIndex() + 1;
      const [one, two] = [1 + random.below(3), random.below(3)];
      await log.append([...someEntries(from, one, i + 1, 30), ...someEntries(from + one, two, i + 2, 30)], 0);
    }
    await log.flushIdentities();
    const [scan] = await scansOf(memory);
    assert.ok(scan !== undefined);
    const { generation, layout, batches } = scan;
    const path = segmentName('log', generation);
    const { bytes } = await memory.readDirect(path, 0, SMALL_SEGMENT);
    const { offset, sequence } = must(batches.at(-1), 'it is the last');
    const identities = findIdentities(bytes, layout, generationSeed(generation), generation);
    const mark = must(identities.find((identity) => identity.sequence === sequence), 'it has an identity').end;
    const file = await memory.open(path, 'write');
    const { start } = layout.areas[otherArea(areaAt(layout, offset))];
    file.writeSync(Uint8Array.from({ length: mark - start }, () => random.below(256)), start);
    file.close();
    return { memory, path, scan, mark, last: log.lastIndex() };
  }

  it('R6 D1 is known by the end mark behind the last identity, though that is gone with all before it', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = seededRandom(seed);
      const { memory, last } = await withoutIdentities(random, 1 + random.below(9));
      const { table, endsOpen } = await judged(memory);
      assert.deepEqual([table.lastIndex, endsOpen], [last, false], `seed ${seed}`);
    }
  });

  it('R6 is not known without that mark, nor by one that stands elsewhere', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = seededRandom(seed);
      const { memory, path, mark } = await withoutIdentities(random, 2 + random.below(8));
      const file = await memory.open(path, 'write');
      file.writeSync(new Uint8Array(END_MARK_BYTES), mark);
      const elsewhere = mark + 8 * (1 + random.below(40));
      file.writeSync(encodeEndMark(generationSeed(1), elsewhere), elsewhere);
      file.close();
      assert.ok((await judged(memory)).endsOpen, `seed ${seed}`);
    }
  });

  it('R6 is not known by a mark where that identity would end if it were not unknown what is before it', async () => {
    const { memory, path, scan: { layout, batches } } = await withoutIdentities(seededRandom(5), 6);
    const last = must(batches.at(-1), 'it is the last');
    const own = layout.areas[areaAt(layout, last.offset)].start;
    const other = layout.areas[otherArea(areaAt(layout, last.offset))].start;
    const file = await memory.open(path, 'write');
    file.writeSync(new Uint8Array(last.offset - own), own);
    const at = other + identityBytes(last.records.map(({ term }) => term));
    file.writeSync(encodeEndMark(generationSeed(1), at), at);
    file.close();
    assert.ok((await judged(memory)).endsOpen);
  });
});
