import assert from 'node:assert/strict';
import { FaultDisk } from '../../base/disk/testing/fault-disk.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import type { Disk } from '../../base/disk.js';
import { must } from '../../base/assert.js';
import { codeOf } from '../../base/errors.js';
import type { KintsugiEvent } from '../../base/events.js';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { silent } from '../../base/testing/silent.js';
import { VERSION_2 } from '../base/protocol.js';
import { BATCH_HEADER } from './batch-codec.js';
import { DamagedLog } from './damaged-log.js';
import { DurableLog } from './durable-log.js';
import { findIdentities } from './find-identities.js';
import { REST_DELAY_MS } from './idle-work.js';
import { REST_NAME, REST_SLOTS, readRest, type RestPoint } from './rest-record.js';
import { endOf, scanSegment } from './scan.js';
import { generationOf, generationSeed } from './segment-layout.js';
import { allEntries, openLog, settled, show, SMALL_SEGMENT, someEntries } from './testing/log-fixture.js';

const REST = `log/${REST_NAME}`;
const PAGE = 4096;
const FIRST = 'log/0000000000000001.seg';

async function rested(clock: ManualClock): Promise<void> {
  for (let i = 0; i < 3; i++) {
    clock.advance(REST_DELAY_MS);
    await settled();
  }
}

async function restOn(disk: Disk): Promise<RestPoint | undefined> {
  return readRest((await disk.readDirect(REST, 0, disk.sizeOf(REST) ?? 0)).bytes);
}

/** Three batches of two entries, at rest. */
async function atRest(disk: Disk, clock = new ManualClock()): Promise<DurableLog> {
  const { log } = await openLog(disk, { version: VERSION_2 }, clock);
  for (let batch = 0; batch < 3; batch++) await log.append(someEntries(1 + 2 * batch, 2, 1 + batch), 2 * batch);
  await rested(clock);
  return log;
}

/** All that any segment says behind its headers is overwritten. */
async function ruin(disk: Disk, from = PAGE): Promise<void> {
  for (const name of await disk.list('log')) {
    if (generationOf(name) === undefined) continue;
    const file = await disk.open(`log/${name}`, 'write');
    file.writeSync(new Uint8Array(SMALL_SEGMENT - PAGE - from).fill(0x5a), from);
    file.close();
  }
}

async function examine(disk: Disk): Promise<DurableLog | DamagedLog> {
  const found = await DurableLog.examine({ disk, clock: new ManualClock(), events: silent }, { segmentBytes: SMALL_SEGMENT });
  return found instanceof DamagedLog ? found : found.log;
}

describe('the record of where a log rests', () => {
  it('R6 says where the log ended, whatever is left of its segments', async () => {
    const disk = new MemoryDisk();
    await (await atRest(disk)).close();
    assert.deepEqual(await restOn(disk), { sequence: 3, index: 6, term: 3, commit: 4 });
    await ruin(disk);
    const found = await examine(disk);
    assert.ok(found instanceof DamagedLog);
    assert.deepEqual([found.lastIndex, found.endsOpen, found.isHole(6) || found.base.index === 6], [6, false, true]);
  });

  it('R6 who opens the log tells by which ways it was judged', async () => {
    const disk = new MemoryDisk();
    await (await atRest(disk)).close();
    const ways = async (): Promise<string[]> => {
      const told: string[] = [];
      const emit = (event: KintsugiEvent): void => void (event.type === 'log-way' && told.push(event.way));
      const found = await DurableLog.examine({ disk, clock: new ManualClock(), events: { emit } }, { segmentBytes: SMALL_SEGMENT });
      if (!(found instanceof DamagedLog)) await found.log.close();
      return told;
    };
    assert.deepEqual(await ways(), ['at rest']);
    await ruin(disk);
    assert.deepEqual(await ways(), ['at rest', 'batch missing']);
    await disk.unlink(REST);
    assert.deepEqual(await ways(), ['ends open']);
    await disk.unlink(FIRST);
    assert.deepEqual(await ways(), ['files missing', 'ends open']);
  });

  it('R6 D1 says the term of the last entry, too, where that and the identity of its batch are bad', async () => {
    const disk = new MemoryDisk();
    await (await atRest(disk)).close();
    const { layout, batches } = await scanSegment(disk, FIRST, 1, SMALL_SEGMENT);
    const last = must(batches.at(-1), 'it is the third');
    const { bytes } = await disk.readDirect(FIRST, 0, SMALL_SEGMENT);
    const identity = must(findIdentities(bytes, layout, generationSeed(1), 1).find(({ sequence }) => sequence === last.sequence), 'it has one');
    const file = await disk.open(FIRST, 'write');
    const records = last.offset + BATCH_HEADER;
    file.writeSync(new Uint8Array(endOf(last) - records).fill(0x5a), records);
    file.writeSync(new Uint8Array(identity.end - identity.at).fill(0x5a), identity.at);
    file.close();
    const found = await examine(disk);
    assert.ok(found instanceof DamagedLog);
    assert.deepEqual([found.lastIndex, found.endsOpen, found.isHole(6), found.term(6)], [6, false, true, 3]);
  });

  it('R6 says it with two copies of three, and not with one', async () => {
    for (const [bad, endsOpen] of [[[0], false], [[1], false], [[2], false], [[0, 1], true], [[1, 2], true], [[0, 2], true]] as const) {
      const disk = new MemoryDisk();
      await (await atRest(disk)).close();
      await ruin(disk);
      const file = await disk.open(REST, 'write');
      for (const slot of bad) file.writeSync(new Uint8Array(8), REST_SLOTS[slot]?.offset ?? 0);
      file.close();
      const found = await examine(disk);
      assert.ok(found instanceof DamagedLog);
      assert.equal(found.endsOpen, endsOpen, `without ${bad.join()}`);
    }
  });

  it('R6 is withdrawn before an append is acknowledged: what was lost behind it is not taken for the end', async () => {
    const disk = new MemoryDisk();
    const log = await atRest(disk);
    await log.append(someEntries(7, 1, 3), 6);
    assert.equal(await restOn(disk), undefined);
    await log.close();
    await ruin(disk);
    const found = await examine(disk);
    assert.ok(found instanceof DamagedLog && found.endsOpen);
  });

  it('R6 is withdrawn before a mark says that the log begins elsewhere', async () => {
    const disk = new MemoryDisk();
    const log = await atRest(disk);
    await log.resetTo(40, 5);
    assert.equal(await restOn(disk), undefined);
    await log.close();
  });

  it('R6 is removed where it cannot be overwritten; while it can be neither, nothing is acknowledged', async () => {
    const disk = new FaultDisk(new MemoryDisk());
    const clock = new ManualClock();
    const log = await atRest(disk, clock);
    const refused = disk.inject({ kind: 'write-error', path: REST });
    await log.append(someEntries(7, 1, 3), 6);
    assert.equal(disk.sizeOf(REST), undefined);
    refused.remove();
    await rested(clock);
    assert.equal((await restOn(disk))?.index, 7);
    disk.inject({ kind: 'write-error', path: REST });
    const stuck = disk.inject({ kind: 'sync-dir-error', path: 'log' });
    await assert.rejects(log.append(someEntries(8, 1, 3), 7), (error) => codeOf(error) === 'WRITE_FAILED' || codeOf(error) === 'SYNC_FAILED');
    await assert.rejects(log.renew(), (error) => codeOf(error) !== undefined);
    stuck.remove();
    await log.renew();
    await log.append(someEntries(8, 1, 3), 7);
    assert.deepEqual([log.lastIndex(), disk.sizeOf(REST)], [8, undefined]);
    await log.close();
  });

  it('counts for nothing where the log has gone on without it', async () => {
    const disk = new MemoryDisk();
    const log = await atRest(disk);
    const stale = (await disk.readDirect(REST, 0, disk.sizeOf(REST) ?? 0)).bytes.slice();
    await log.append(someEntries(7, 2, 4), 6);
    await log.close();
    const file = await disk.open(REST, 'write');
    file.writeSync(stale, 0);
    file.close();
    const again = await examine(disk);
    assert.ok(again instanceof DurableLog);
    assert.equal(again.lastIndex(), 8);
    await again.append(someEntries(9, 1, 4), 8);
    assert.equal(await restOn(disk), undefined);
    await again.close();
  });

  it('R6 lets an end mark and a prepared segment be lost: the log opens whole and goes on', async () => {
    const disk = new MemoryDisk();
    const log = await atRest(disk);
    const before = show(allEntries(log));
    await log.close();
    await disk.unlink('log/0000000000000002.seg');
    // Behind its last batch, in both areas.
    const { bytes } = await disk.readDirect(FIRST, 0, SMALL_SEGMENT);
    const file = await disk.open(FIRST, 'write');
    for (let page = PAGE; page < SMALL_SEGMENT - PAGE; page += 512) {
      if (bytes.subarray(page, page + 512).every((byte) => byte === 0)) file.writeSync(new Uint8Array(512).fill(0x77), page);
    }
    file.close();
    const again = await examine(disk);
    assert.ok(again instanceof DurableLog);
    assert.deepEqual(show(allEntries(again)), before);
    await again.append(someEntries(7, 2, 4), 6);
    await again.close();
    const third = await examine(disk);
    assert.ok(third instanceof DurableLog);
    assert.equal(third.lastIndex(), 8);
    await third.close();
  });
});
