import assert from 'node:assert/strict';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { FaultDisk } from '../../base/disk/testing/fault-disk.js';
import { codeOf } from '../../base/errors.js';
import { scanSegment } from './scan.js';
import { APART, type SegmentFormat } from './segment-layout.js';
import { allEntries, openLog, settled, show, SMALL_SEGMENT, someEntries } from './testing/log-fixture.js';

async function formatsOf(disk: FaultDisk): Promise<Set<SegmentFormat>> {
  const names = (await disk.list('log')).filter((name) => name.endsWith('.seg'));
  const scans = await Promise.all(names.map((name) => scanSegment(disk, `log/${name}`, Number.parseInt(name, 16), SMALL_SEGMENT)));
  return new Set(scans.map(({ layout }) => layout.format));
}

describe('a log segment that could not be made ready', () => {
  // The first that is made ready is the segment that is written to, then the two behind it.
  for (const after of [0, 1, 2, 3, 4, 5]) {
    it(`R2 a segment whose change of format was not synced is made anew in another file, sync ${after + 1}`, async () => {
      const disk = new FaultDisk(new MemoryDisk());
      const { log } = await openLog(disk, { version: 1, cacheBytes: 1 });
      await log.append(someEntries(1, 20, 1), 0);
      await settled();
      log.allow(2);
      const fault = disk.inject({ kind: 'sync-error', path: (path) => path.endsWith('.seg'), times: 1, after });
      let failures = 0;
      for (let round = 0; round < 30; round++) {
        const entries = someEntries(log.lastIndex() + 1, 20, 1, 200);
        await log.append(entries, log.lastIndex()).catch(async (error: unknown) => {
          assert.equal(codeOf(error), 'SYNC_FAILED');
          failures++;
          await log.renew();
          await log.append(entries, log.lastIndex());
        });
        await settled();
      }
      assert.deepEqual([fault.hits, failures, disk.retried], [1, 1, []]);
      const all = show(allEntries(log));
      assert.equal(all.length, 620);
      await log.close();
      await disk.restart();
      const { log: again } = await openLog(disk);
      assert.deepEqual(show(allEntries(again)), all);
      await again.close();
    });
  }

  it('R2 an empty file whose change of format was not synced is made anew in another one where entries are shed', async () => {
    const disk = new FaultDisk(new MemoryDisk());
    const { log } = await openLog(disk, { version: 2, cacheBytes: 1 });
    // Into the second segment: those that wait behind it are striped as well.
    for (let i = 0; i < 12; i++) await log.append(someEntries(log.lastIndex() + 1, 20, 1, 200), log.lastIndex());
    await settled();
    const lastIndex = log.lastIndex();
    log.allow(1);
    disk.inject({ kind: 'sync-error', path: 'log', times: 1, after: 1 });
    await assert.rejects(log.shed(0), (error) => codeOf(error) === 'SYNC_FAILED');
    await log.renew();
    await log.append(someEntries(lastIndex + 1, 20, 1), lastIndex);
    await log.truncateBefore(lastIndex, 1);
    await settled();
    for (let tries = 0; tries < 5 && (await log.shed(0)) !== undefined; tries++) {
      await log.append(someEntries(log.lastIndex() + 1, 1, 1), log.lastIndex());
      await log.truncateBefore(log.lastIndex() - 1, 1);
    }
    assert.equal(await log.shed(0), undefined);
    assert.deepEqual(await formatsOf(disk), new Set([APART]));
    assert.deepEqual(disk.retried, []);
    await log.close();
  });
});
