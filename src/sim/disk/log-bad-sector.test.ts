import assert from 'node:assert/strict';
import type { Disk } from '../../base/disk.js';
import { codeOf } from '../../base/errors.js';
import type { DurableLog } from '../../replica/log/durable-log.js';
import { layoutOf } from '../../replica/log/segment-layout.js';
import { allEntries, openLog, settled, show, SMALL_SEGMENT, someEntries } from '../../replica/log/testing/log-fixture.js';
import type { SimDisk } from './sim-disk.js';
import { inDiskWorld } from './testing/disk-world.js';

const FIRST = 'log/0000000000000001.seg';
const LAYOUT = layoutOf(SMALL_SEGMENT);
const PAGE = 4096;

/**
 * From now on the sector at `at` of the first segment cannot be read: whichever life reads it next
 * learns of it.
 */
function badSector(disk: SimDisk, at: number): void {
  const matches = (path: string, offset: number, length: number): boolean => path === FIRST && offset < at + 512 && offset + length > at;
  disk.arm({ kind: 'sticky-read-error', matches, times: 1, onStrike: () => undefined });
}

async function fill(log: DurableLog, through: number): Promise<void> {
  while (log.lastIndex() < through) await log.append(someEntries(log.lastIndex() + 1, 10, 1), log.lastIndex());
}

async function holdsAll(life: Disk, before: string[], flushedIndex: number): Promise<void> {
  const { log } = await openLog(life, { flushedIndex });
  const kept = before.slice(-(log.lastIndex() - log.firstIndex() + 1));
  assert.ok(log.firstIndex() <= flushedIndex + 1 && kept.length > 0);
  assert.deepEqual(show(allEntries(log)), kept);
  await log.close();
}

describe('a log on a disk with a bad sector', () => {
  it('R2 R6 loses nothing that is written where the sector was free at the start', async () => {
    for (const free of [LAYOUT.dataStart + PAGE, LAYOUT.dataEnd - 512, LAYOUT.identityStart + PAGE - 512, 8]) {
      await inDiskWorld(1, async ({ disk, start }) => {
        const first = await openLog(start());
        await fill(first.log, 20);
        await first.log.close();
        disk.crash();
        badSector(disk, free);
        const { log } = await openLog(start());
        await fill(log, 1000);
        const all = show(allEntries(log));
        await log.close();
        disk.crash();
        await holdsAll(start(), all, 0);
      });
    }
  });

  it('R2 R6 is not written into a recycled segment that has one', async () => {
    for (const learnt of ['at the start', 'by a read'] as const) {
      await inDiskWorld(2, async ({ disk, start }) => {
        let { log } = await openLog(start(), { cacheBytes: 1 });
        await fill(log, 1000);
        const bad = LAYOUT.dataStart + 2 * PAGE + 512;
        disk.evict();
        badSector(disk, bad);
        if (learnt === 'at the start') {
          await log.close();
          disk.crash();
          log = (await openLog(start(), { flushedIndex: 900 })).log;
        } else {
          assert.throws(() => allEntries(log), (error: unknown) => codeOf(error) === 'ENTRY_UNREADABLE');
        }
        await log.truncateBefore(900, 1);
        await fill(log, 4000);
        await settled();
        const all = show(allEntries(log));
        await log.close();
        disk.crash();
        await holdsAll(start(), all, log.firstIndex() - 1);
      });
    }
  });
});
