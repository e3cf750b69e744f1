import assert from 'node:assert/strict';
import { FaultDisk } from '../../base/disk/testing/fault-disk.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { MiB } from '../../base/bytes.js';
import type { OpenMode } from '../../base/disk.js';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { codeOf } from '../../base/errors.js';
import type { LogError } from './errors.js';
import { decodeIdentities } from './identity-codec.js';
import { DEFAULT_SEGMENT_BYTES, generationSeed, layoutOf } from './segment-layout.js';
import { allEntries, loseSector, openLog, settled, show, SMALL_SEGMENT, someEntries } from './testing/log-fixture.js';

const hasCode = (code: string) => (error: unknown) => codeOf(error) === code;
const LAYOUT = layoutOf(SMALL_SEGMENT);
const FIRST = 'log/0000000000000001.seg';

async function bytesOf(disk: FaultDisk | MemoryDisk, path: string): Promise<Uint8Array> {
  return (await disk.readDirect(path, 0, disk.sizeOf(path) ?? 0)).bytes;
}

async function identitiesIn(disk: FaultDisk | MemoryDisk, generation: number): Promise<number[]> {
  const bytes = await bytesOf(disk, `log/${generation.toString(16).padStart(16, '0')}.seg`);
  const identities = decodeIdentities(bytes, LAYOUT.identityStart, LAYOUT.identityEnd, generationSeed(generation), generation);
  return identities.map(({ sequence }) => sequence);
}

/**
 * A closed log of three batches of ten entries; with `proofOfLast` the last one has its identity.
 */
async function threeBatches(proofOfLast = true): Promise<FaultDisk> {
  const disk = new FaultDisk(new MemoryDisk());
  const { log } = await openLog(disk);
  for (let batch = 0; batch < 3; batch++) await log.append(someEntries(1 + batch * 10, 10, 1), batch * 10);
  if (proofOfLast) await log.close();
  await settled();
  return disk;
}

/** Where the data of an entry stands. */
async function find(disk: FaultDisk, text: string): Promise<number> {
  const at = Buffer.from(await bytesOf(disk, FIRST)).indexOf(text);
  assert.ok(at > 0, text);
  return at;
}

describe('the durable log', () => {
  it('R6 identities are at least 1 MiB from what they vouch for in segments of the default size', () => {
    const layout = layoutOf(DEFAULT_SEGMENT_BYTES);
    assert.ok(layout.identityStart - layout.dataEnd >= MiB);
    assert.ok(layout.identityEnd < DEFAULT_SEGMENT_BYTES);
  });

  it('R3 gives back after a restart what was appended, overwritten and recorded', async () => {
    const disk = new MemoryDisk();
    const { log } = await openLog(disk);
    await log.append(someEntries(1, 20, 1), 0);
    await log.append(someEntries(21, 20, 1), 12);
    await log.append(someEntries(30, 5, 2), 20);
    assert.equal(log.lastIndex(), 34);
    const before = show(allEntries(log));
    await log.close();
    const again = await openLog(disk);
    assert.deepEqual(again.recovered, { commit: 20, tornEntries: 0 });
    assert.deepEqual(show(allEntries(again.log)), before);
    assert.deepEqual([again.log.term(29), again.log.term(30), again.log.term(0)], [1, 2, 0]);
    await again.log.append(someEntries(35, 1, 2), 34);
    assert.equal(again.log.lastIndex(), 35);
    await again.log.close();
  });

  it('R3 refuses a gap and a change of committed entries', async () => {
    const { log } = await openLog(new MemoryDisk());
    await log.append(someEntries(1, 5, 1), 3);
    assert.throws(() => log.append(someEntries(7, 1, 1), 3), /R3/);
    assert.throws(() => log.append(someEntries(3, 1, 2), 3), /R3/);
    await log.close();
  });

  it('R2 readers see entries only once they are durable', async () => {
    const { log } = await openLog(new MemoryDisk());
    const appending = log.append(someEntries(1, 5, 1), 0);
    assert.equal(log.lastIndex(), 0);
    await appending;
    assert.equal(log.lastIndex(), 5);
    await log.close();
  });

  it('answers from memory and from the disk alike, within the size that was asked for', async () => {
    const disk = new MemoryDisk();
    const { log } = await openLog(disk, { cacheBytes: 600 });
    const entries = someEntries(1, 300, 1, 100);
    for (let i = 0; i < 300; i += 30) await log.append(entries.slice(i, i + 30), i);
    assert.deepEqual(show(allEntries(log)), show(entries));
    for (const size of [0, 1, 112, 113, 224, 1000, 5000, Infinity]) {
      for (const lo of [1, 150, 290, 294, 295, 296, 300]) {
        const got = log.entries(lo, 301, size);
        const fit = Math.max(1, Math.min(301 - lo, Math.floor(size / 112)));
        assert.deepEqual(show(got), show(entries.slice(lo - 1, lo - 1 + fit)), `${lo} within ${size}`);
      }
    }
    await log.close();
  });

  it('R6 an identity is written only after the sync of its batch, with the next batch or when idle', async () => {
    const disk = new MemoryDisk();
    const clock = new ManualClock();
    const { log } = await openLog(disk, {}, clock);
    await log.append(someEntries(1, 3, 1), 0);
    assert.deepEqual(await identitiesIn(disk, 1), []);
    await log.append(someEntries(4, 3, 1), 0);
    assert.deepEqual(await identitiesIn(disk, 1), [1]);
    clock.advance(25);
    clock.advance(25);
    await settled();
    assert.deepEqual(await identitiesIn(disk, 1), [1, 2]);
    await log.close();
  });

  it('R6 a torn tail is cut, zeroed and reported', async () => {
    const disk = await threeBatches(false);
    await loseSector(disk, FIRST, await find(disk, '30@1'));
    const { log, recovered } = await openLog(disk);
    assert.deepEqual(recovered, { commit: 10, tornEntries: 10 });
    assert.equal(log.lastIndex(), 20);
    assert.equal(Buffer.from(await bytesOf(disk, FIRST)).indexOf('24@1'), -1);
    await log.append(someEntries(21, 2, 2), 10);
    await log.close();
    const again = await openLog(disk);
    assert.deepEqual(show(allEntries(again.log)), show([...someEntries(1, 10, 1), ...someEntries(11, 10, 1), ...someEntries(21, 2, 2)]));
    await again.log.close();
  });

  it('R6 an entry with an identity is never cut: the log is refused, names file and entry, and nothing changes', async () => {
    const disk = await threeBatches();
    await disk.flipBit(FIRST, 8 * (await find(disk, '25@1')));
    const before = await bytesOf(disk, FIRST);
    for (let attempt = 0; attempt < 2; attempt++) {
      await assert.rejects(openLog(disk), (error: LogError) => {
        assert.equal(error.code, 'ENTRY_FAULTY');
        assert.deepEqual([error.data.index, error.data.term, error.data.segment, error.data.count], [25, 1, FIRST, 1]);
        assert.match(error.message, /log entry 25 of term 1 is damaged in log\/0000000000000001\.seg.*never cut off before the other members have been asked/s);
        return true;
      });
    }
    assert.deepEqual(await bytesOf(disk, FIRST), before);
  });

  it('R6 what an open lets stand is vouched for from then on: a later flaw in it is never cut', async () => {
    const disk = await threeBatches(false);
    const { recovered } = await openLog(disk);
    assert.deepEqual(recovered, { commit: 20, tornEntries: 0 });
    await disk.flipBit(FIRST, 8 * (await find(disk, '25@1')));
    await assert.rejects(openLog(disk), (error: LogError) => error.code === 'ENTRY_FAULTY' && error.data.index === 25);
  });

  it('R6 a batch without an identity is proven by a later one', async () => {
    const disk = await threeBatches(false);
    await disk.flipBit(FIRST, 8 * (await find(disk, '15@1')));
    await disk.zero(FIRST, LAYOUT.identityStart, LAYOUT.identityEnd - LAYOUT.identityStart);
    await assert.rejects(openLog(disk), (error: LogError) => error.code === 'ENTRY_FAULTY' && error.data.index === 15);
  });

  it('R6 only the bad entries of a batch are faulty, even if its header is gone', async () => {
    const disk = await threeBatches();
    const at = await find(disk, '11@1');
    await disk.zero(FIRST, at - 28 - 80, 80);
    const healthy = await openLog(disk);
    assert.equal(healthy.log.lastIndex(), 30);
    await healthy.log.close();
    await disk.flipBit(FIRST, 8 * (await find(disk, '13@1')));
    await assert.rejects(openLog(disk), (error: LogError) => error.code === 'ENTRY_FAULTY' && error.data.index === 13 && error.data.count === 1);
  });

  it('R6 damage to entries that were replaced later costs nothing', async () => {
    const disk = new FaultDisk(new MemoryDisk());
    const { log } = await openLog(disk);
    await log.append(someEntries(1, 10, 1), 0);
    await log.append(someEntries(5, 10, 2), 0);
    await log.close();
    await disk.zero(FIRST, await find(disk, '7@1'), 300);
    const again = await openLog(disk);
    assert.deepEqual(show(allEntries(again.log)), show([...someEntries(1, 4, 1), ...someEntries(5, 10, 2)]));
    await again.log.close();
  });

  it('R6 the materialized index of the manifest proves what the log has lost altogether, unless a snapshot brought it', async () => {
    const disk = await threeBatches();
    await assert.rejects(openLog(disk, { knownCommit: 31 }), (error: LogError) => error.code === 'ENTRY_FAULTY' && error.data.index === 31);
    await assert.rejects(openLog(new MemoryDisk(), { knownCommit: 1 }), hasCode('ENTRY_FAULTY'));
    const { log } = await openLog(disk, { knownCommit: 30 });
    await log.expectSnapshot(50);
    await log.close();
    const expecting = await openLog(disk, { knownCommit: 50 });
    await expecting.log.resetTo(45, 3, 50);
    assert.deepEqual([expecting.log.firstIndex(), expecting.log.lastIndex(), expecting.log.term(45)], [46, 45, 3]);
    await expecting.log.close();
    const again = await openLog(disk, { knownCommit: 50 });
    assert.deepEqual([again.log.firstIndex(), again.log.lastIndex(), again.log.term(45), again.recovered.commit], [46, 45, 3, 45]);
    await again.log.append(someEntries(46, 3, 3), 45);
    await again.log.close();
    await assert.rejects(openLog(disk, { knownCommit: 51 }), hasCode('ENTRY_FAULTY'));
  });

  it('bytes that cannot be read are bytes that are bad', async () => {
    const disk = await threeBatches();
    disk.inject({ kind: 'read-error', path: FIRST, from: await find(disk, '15@1'), to: await find(disk, '16@1') });
    await assert.rejects(openLog(disk), (error: LogError) => error.code === 'ENTRY_FAULTY' && (error.data.index as number) < 16);
  });

  it('an unreadable header page, or a longer file, costs nothing and is restored', async () => {
    const disk = await threeBatches();
    await disk.zero(FIRST, 0, 4096);
    await disk.resize(FIRST, SMALL_SEGMENT + 100);
    const { log } = await openLog(disk);
    assert.equal(log.lastIndex(), 30);
    await log.close();
    assert.equal(disk.sizeOf(FIRST), SMALL_SEGMENT);
  });

  it('R6 a file cut short, or gone, is damage like any other', async () => {
    const cut = await threeBatches();
    await cut.resize(FIRST, await find(cut, '15@1'));
    await assert.rejects(openLog(cut), hasCode('ENTRY_FAULTY'));
    const gone = await threeBatches();
    await gone.unlink(FIRST);
    await assert.rejects(openLog(gone), hasCode('ENTRY_FAULTY'));
    const last = await threeBatches();
    for (const generation of [2, 3]) await last.unlink(`log/000000000000000${generation}.seg`);
    await assert.rejects(openLog(last), hasCode('ENTRY_FAULTY'));
  });

  it('damage below the flushed index does not stop a node whose tables hold what was lost', async () => {
    const disk = await threeBatches();
    await disk.zero(FIRST, LAYOUT.dataStart, 200);
    await assert.rejects(openLog(disk), hasCode('ENTRY_FAULTY'));
    const { log } = await openLog(disk, { flushedIndex: 20 });
    assert.ok(log.firstIndex() > 1 && log.firstIndex() <= 21);
    assert.equal(log.lastIndex(), 30);
    await log.close();
  });

  it('an entry that goes bad while the log is open is refused, not served', async () => {
    const disk = new FaultDisk(new MemoryDisk());
    const { log } = await openLog(disk, { cacheBytes: 1 });
    await log.append(someEntries(1, 10, 1), 0);
    await disk.flipBit(FIRST, 8 * (await find(disk, '5@1')));
    assert.throws(() => log.entries(5, 6), hasCode('ENTRY_UNREADABLE'));
    assert.equal(log.entries(6, 7)[0]?.index, 6);
    disk.inject({ kind: 'read-error', path: FIRST });
    assert.throws(() => log.entries(6, 7), hasCode('ENTRY_UNREADABLE'));
    await log.close();
  });

  it('R2 a failed sync is never retried, and what it lost is not found again', async () => {
    const disk = new FaultDisk(new MemoryDisk());
    const { log } = await openLog(disk);
    await log.append(someEntries(1, 5, 1), 0);
    disk.inject({ kind: 'sync-error', path: FIRST, times: 1 });
    await assert.rejects(log.append(someEntries(6, 5, 1), 0), hasCode('SYNC_FAILED'));
    assert.equal(log.lastIndex(), 5);
    await assert.rejects(log.append(someEntries(6, 5, 1), 0), hasCode('SYNC_FAILED'));
    await log.truncateBefore(1, 1);
    await assert.rejects(log.makeRoom(), hasCode('SYNC_FAILED'));
    await log.close();
    await disk.restart();
    const again = await openLog(disk);
    assert.equal(again.log.lastIndex(), 5);
    await again.log.close();
  });

  it('a full disk refuses the append that needs another segment, and only that', async () => {
    const disk = new FaultDisk(new MemoryDisk());
    const { log } = await openLog(disk);
    await settled();
    const full = disk.inject({ kind: 'no-space', path: 'log' });
    let last = 0;
    await assert.rejects(async () => {
      for (;;) {
        await log.append(someEntries(last + 1, 10, 1, 200), 0);
        last += 10;
      }
    }, hasCode('NO_SPACE'));
    assert.equal(log.lastIndex(), last);
    full.remove();
    await log.append(someEntries(last + 1, 10, 1, 200), 0);
    await log.close();
    const again = await openLog(disk);
    assert.equal(again.log.lastIndex(), last + 10);
    await again.log.close();
  });

  it('a log that cannot be opened leaves no file open', async () => {
    for (const [kind, path] of [['no-space', 'log/new-2.tmp'], ['sync-error', /0001\.seg$/], ['sync-dir-error', 'log']] as const) {
      const disk = new FaultDisk(new MemoryDisk());
      if (kind !== 'no-space') {
        const { log } = await openLog(disk);
        await log.append(someEntries(1, 3, 1), 0);
        await log.close();
        assert.equal(disk.openFiles, 0, 'nor does one that is closed');
      }
      disk.inject({ kind, path: typeof path === 'string' ? path : (name) => path.test(name) });
      await assert.rejects(openLog(disk));
      assert.equal(disk.openFiles, 0, kind);
    }
  });

  it('a segment that cannot be written is refused where the log ends, read where it does not, and made anew if nothing is in it', async () => {
    const disk = new FaultDisk(new MemoryDisk());
    const { log } = await openLog(disk);
    for (let last = 0; log.lastIndex() < 900; last = log.lastIndex()) await log.append(someEntries(last + 1, 30, 1), 0);
    const all = show(allEntries(log));
    await settled();
    await log.close();
    const names = (await disk.list('log')).filter((name) => name.endsWith('.seg'));
    const written = names.length - 3;
    for (const kind of ['open-error', 'write-error', 'sync-error'] as const) {
      for (let i = 0; i < names.length; i++) {
        const path = `log/${names[i]}`;
        const fault = disk.inject({ kind, path, times: 1 });
        if (i === written && kind !== 'write-error') {
          await assert.rejects(openLog(disk), hasCode('WRITE_FAILED'));
          assert.equal(disk.openFiles, 0, `${kind} on ${path}`);
        } else {
          const again = await openLog(disk);
          assert.deepEqual(show(allEntries(again.log)), all, `${kind} on ${path}`);
          fault.remove();
          await settled();
          await again.log.close();
          assert.equal(disk.openFiles, 0, `${kind} on ${path}`);
        }
        fault.remove();
        await disk.restart();
      }
    }
  });

  it('recycles whole segments, never reads what an earlier life left in them, and remembers the term before the first', async () => {
    const disk = new MemoryDisk();
    const { log } = await openLog(disk);
    let last = 0;
    for (let round = 0; round < 60; round++) {
      const term = 1 + Math.floor(round / 10);
      await log.append(someEntries(last + 1, 30, term), last);
      last += 30;
      if (round % 3 === 0 && last > 100) await log.truncateBefore(last - 50, log.term(last - 50));
    }
    assert.ok(log.firstIndex() > 1000 && log.firstIndex() <= last - 49);
    assert.ok((await disk.list('log')).length <= 8);
    const state = { first: log.firstIndex(), before: log.term(log.firstIndex() - 1), all: show(allEntries(log)) };
    await log.close();
    const again = await openLog(disk);
    assert.deepEqual({ first: again.log.firstIndex(), before: again.log.term(state.first - 1), all: show(allEntries(again.log)) }, state);
    await again.log.close();
  });

  it('R6 a segment stays until the next one begins with a durable batch', async () => {
    const disk = new MemoryDisk();
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const slow = Object.create(disk, {
      open: {
        value: async (path: string, mode: OpenMode) => {
          const file = await disk.open(path, mode);
          const sync = file.sync.bind(file);
          if (path.endsWith('2.seg')) file.sync = () => gate.then(sync);
          return file;
        },
      },
    }) as MemoryDisk;
    for (const name of ['sizeOf', 'readDirect', 'list', 'mkdir', 'rename', 'unlink', 'syncDir'] as const) {
      Object.defineProperty(slow, name, { value: disk[name].bind(disk) });
    }
    const { log } = await openLog(slow);
    await log.append(someEntries(1, 80, 1, 200), 0);
    const appending = log.append(someEntries(81, 60, 1, 200), 80);
    await settled();
    await log.truncateBefore(80, 1);
    assert.equal(log.firstIndex(), 1);
    open();
    await appending;
    await log.truncateBefore(80, 1);
    assert.ok(log.firstIndex() > 1);
    await log.close();
  });

  it('R5 a closed log writes nothing', async () => {
    const disk = await threeBatches();
    const { log } = await openLog(disk);
    await log.close();
    await assert.rejects(log.append(someEntries(31, 1, 1), 0), hasCode('CLOSED'));
  });
});
