import assert from 'node:assert/strict';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { CrashDisk } from '../../base/disk/testing/crash-disk.js';
import { FaultDisk } from '../../base/disk/testing/fault-disk.js';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { seededRandom } from '../../base/testing/seeded-random.js';
import { silent } from '../../base/testing/silent.js';
import type { Disk } from '../../base/disk.js';
import type { Random } from '../../base/env.js';
import type { Entry } from '../../raft/types.js';
import { DamagedLog } from './damaged-log.js';
import { DurableLog, type OpenedLog } from './durable-log.js';
import { mendedBytes } from './mend-log.js';
import { layoutOf } from './segment-layout.js';
import { allEntries, openLog, settled, show, SMALL_SEGMENT, someEntries, wipeBatch } from './testing/log-fixture.js';

function examine(disk: Disk, flushedIndex = 0, flushedTerm = 0): Promise<OpenedLog | DamagedLog> {
  return DurableLog.examine({ disk, clock: new ManualClock(), events: silent }, { segmentBytes: SMALL_SEGMENT, flushedIndex, flushedTerm });
}

/** From `all`, as if others had given it, after what is good; entries from `cut` on go. */
async function mend(log: DamagedLog, all: readonly Entry[], cut = Infinity): Promise<void> {
  const byIndex = new Map(all.map((entry) => [entry.index, entry]));
  let from = log.base.index + 1;
  while (!log.beginsAnew && from <= log.lastIndex && !log.isHole(from) && from < cut) from++;
  const lastIndex = Math.min(cut - 1, log.endsOpen ? (all.at(-1)?.index ?? 0) : log.lastIndex);
  const after = { index: from - 1, term: from - 1 === log.base.index ? log.base.term : log.term(from - 1) };
  const given: Entry[] = [];
  for (let index = from; index <= lastIndex; index++) {
    const here = index <= log.lastIndex ? await log.read(index) : undefined;
    const lost = byIndex.get(index);
    if (here === undefined) {
      const wanted = index > log.lastIndex ? 0 : log.term(index);
      assert.ok(lost !== undefined && (wanted === 0 || wanted === lost.term), `entry ${index}`);
    }
    given.push(here ?? (lost as Entry));
  }
  const entries = async function* (): AsyncGenerator<Entry> {
    yield* given;
    await Promise.resolve();
  };
  await log.write({
    after, anew: log.beginsAnew, lastIndex, commit: log.commit, entries: { all: entries },
    bytes: given.reduce((sum, entry) => sum + mendedBytes(entry), 0),
  });
}

/** A log of several segments, in which later terms replaced the ends of earlier ones. */
async function write(disk: Disk, rounds: number): Promise<Entry[]> {
  const { log } = await openLog(disk);
  let last = 0;
  for (let round = 1; round <= rounds; round++) {
    await log.append(someEntries(last + 1, 30, round, 100), last);
    last += 30 - (round % 3);
    await settled();
  }
  const entries = allEntries(log);
  await log.close();
  return entries;
}

async function segments(disk: Disk): Promise<string[]> {
  return (await disk.list('log')).filter((name) => name.endsWith('.seg')).map((name) => `log/${name}`);
}

async function contentsOf(disk: Disk, path: string): Promise<Uint8Array> {
  return (await disk.readDirect(path, 0, SMALL_SEGMENT)).bytes;
}

describe('a log with holes', () => {
  it('R6 after any flipped bit what is good is read, and once what is missing was given the log is as it was', async function () {
    this.timeout(120_000);
    const memory = new MemoryDisk();
    const entries = await write(memory, 4);
    const files = await Promise.all((await segments(memory)).map(async (path) => [path, await contentsOf(memory, path)] as const));
    const random = seededRandom(3);
    let damaged = 0;
    for (let i = 0; i < 250; i++) {
      const disk = new FaultDisk(new MemoryDisk());
      await disk.mkdir('log');
      for (const [path, bytes] of files) await replaceFile(disk, path, bytes);
      const [path, bytes] = files[random.below(files.length)] as (typeof files)[number];
      const used = bytes.findLastIndex((byte, at) => byte !== 0 && at < SMALL_SEGMENT - 4096);
      await disk.flipBit(path, random.below(Math.max(4096, used) * 8));
      const log = await examine(disk);
      if (!(log instanceof DamagedLog)) {
        await log.log.close();
        continue;
      }
      damaged++;
      await mend(log, entries);
      const again = await examine(disk);
      assert.ok(!(again instanceof DamagedLog), again instanceof DamagedLog ? again.error.message : '');
      assert.deepEqual(show(allEntries(again.log)), show(entries));
      await again.log.append(someEntries(again.log.lastIndex() + 1, 200, 99, 100), again.log.lastIndex());
      await again.log.close();
      const last = await examine(disk);
      assert.ok(!(last instanceof DamagedLog) && last.log.lastIndex() === (entries.at(-1)?.index ?? 0) + 200);
      await last.log.close();
    }
    assert.ok(damaged > 20, `${damaged} damaged`);
  });

  it('R6 a log that begins after what tables hold is not whole, whatever else is wrong with it', async () => {
    const disk = new FaultDisk(new MemoryDisk());
    const { log } = await openLog(disk);
    for (let last = 0; log.lastIndex() < 900; last = log.lastIndex()) await log.append(someEntries(last + 1, 30, 1), 0);
    await log.truncateBefore(600, 1);
    await settled();
    await log.close();
    let refused = 0;
    for (const path of await segments(disk)) {
      const found = [];
      for (const at of [{ index: 600, term: 1 }, { index: 0, term: 0 }]) {
        const fault = disk.inject({ kind: 'open-error', path, times: 1 });
        const log = await examine(disk, at.index, at.term);
        fault.remove();
        if (!(log instanceof DamagedLog)) await log.log.close();
        found.push(log);
      }
      const [after, behind] = found;
      if (!(after instanceof DamagedLog) || after.error.code !== 'WRITE_FAILED') continue;
      refused++;
      assert.ok(after.isWhole, 'only the segment that is written to is bad');
      assert.ok(behind instanceof DamagedLog && !behind.isWhole, 'entries before its first are missing, too');
    }
    assert.equal(refused, 1);
  });

  it('R6 a segment file that is missing, empty, cut short, of zeros or a copy of another is holes, and mended like them', async function () {
    this.timeout(120_000);
    const memory = new MemoryDisk();
    const entries = await write(memory, 40);
    const paths = await segments(memory);
    assert.ok(paths.length > 5);
    const contents = await Promise.all(paths.map((path) => contentsOf(memory, path)));
    let holes = 0;
    for (const [i, path] of paths.entries()) {
      const damages: ((disk: FaultDisk) => Promise<void>)[] = [
        (disk) => disk.unlink(path),
        (disk) => disk.resize(path, 0),
        (disk) => disk.resize(path, layoutOf(SMALL_SEGMENT).dataStart + 50),
        (disk) => disk.zero(path, 0, SMALL_SEGMENT),
        (disk) => disk.overwrite(path, 0, contents[(i + 1) % contents.length] as Uint8Array),
      ];
      for (const [what, damage] of damages.entries()) {
        const disk = new FaultDisk(new MemoryDisk());
        await disk.mkdir('log');
        for (const [n, name] of paths.entries()) await replaceFile(disk, name, contents[n] as Uint8Array);
        await damage(disk);
        for (let round = 0; ; round++) {
          const log = await examine(disk);
          assert.ok(round < 2, `${path} ${what}: it is still damaged: ${log instanceof DamagedLog ? log.error.message : ''}`);
          if (log instanceof DamagedLog) {
            holes++;
            await mend(log, entries);
            continue;
          }
          // A log without its oldest file is one that begins later.
          const got = show(allEntries(log.log));
          assert.deepEqual(got, show(entries).slice(entries.length - got.length), `${path} ${what}`);
          assert.ok(got.length === entries.length || i === 0, `${path} ${what}: ${got.length} of ${entries.length}`);
          await log.log.close();
          break;
        }
      }
    }
    assert.ok(holes > 15, `${holes} with holes`);
  });

  it('R6 a power loss while it is written anew leaves it as it was, or mended', async function () {
    this.timeout(120_000);
    let [before, whole] = [0, 0];
    for (let changes = 0; whole < 3; changes++) {
      const random = seededRandom(changes);
      const disk = new CrashDisk();
      const entries = await write(disk, 6);
      const [, path] = await segments(disk);
      const file = await disk.open(path as string, 'write');
      file.writeSync(new Uint8Array(700), layoutOf(SMALL_SEGMENT).dataStart + 900);
      await file.sync();
      file.close();
      const log = await examine(disk);
      assert.ok(log instanceof DamagedLog);
      const holes = holesOf(log);
      disk.powerOffAfter(changes);
      const resolved = await mend(log, entries).then(() => true, () => false);
      disk.crash(random);
      const again = await examine(disk);
      if (again instanceof DamagedLog) {
        assert.deepEqual(holesOf(again), holes);
        assert.ok(!resolved, 'what resolved is durable');
        before++;
      } else {
        assert.deepEqual(show(allEntries(again.log)), show(entries));
        await again.log.close();
        whole++;
      }
      assert.ok(changes < 200);
    }
    assert.ok(before > 5, `${before} as before`);
  });

  it('R6 what was proven of no use is cut, and does not come back', async () => {
    const disk = new FaultDisk(new MemoryDisk());
    const entries = await write(disk, 2);
    const paths = await segments(disk);
    await disk.zero(paths[0] as string, layoutOf(SMALL_SEGMENT).dataStart + 6000, 200);
    const log = await examine(disk);
    assert.ok(log instanceof DamagedLog);
    const [hole] = holesOf(log);
    await mend(log, entries, hole);
    const { log: open } = await openLog(disk);
    assert.deepEqual(show(allEntries(open)), show(entries.filter(({ index }) => index < (hole as number))));
    await open.close();
  });

  it('R3 R6 what a lost batch may have replaced is in doubt, too', async () => {
    const disk = new MemoryDisk();
    const { log } = await openLog(disk);
    await log.append(someEntries(1, 10, 1), 5);
    await log.flushIdentities();
    await log.append(someEntries(8, 2, 2), 5);
    await log.flushIdentities();
    await log.append(someEntries(10, 1, 2), 5);
    const entries = allEntries(log);
    await log.close();
    await wipeBatch(disk, 1, 2);
    const damaged = await examine(disk);
    assert.ok(damaged instanceof DamagedLog);
    assert.deepEqual(holesOf(damaged), [6, 7, 8, 9]);
    assert.equal(damaged.term(8), 0);
    assert.equal(damaged.term(9), 2);
    await mend(damaged, entries);
    const { log: open } = await openLog(disk);
    assert.deepEqual(show(allEntries(open)), show(entries));
    await open.close();
  });

  it('R6 D1 what was there before a lost batch of the same term is not in doubt', async () => {
    const disk = new MemoryDisk();
    const { log } = await openLog(disk);
    for (const [first, term] of [[1, 1], [5, 2], [9, 2], [10, 2]] as const) {
      await log.append(someEntries(first, first < 9 ? 4 : 1, term), 0);
      await log.flushIdentities();
    }
    await log.close();
    await wipeBatch(disk, 1, 3);
    const damaged = await examine(disk);
    assert.ok(damaged instanceof DamagedLog);
    assert.deepEqual(holesOf(damaged), [9]);
  });

  it('R3 R6 whatever leaders of several terms have replaced, and whichever batch is lost, no entry is taken for another', async () => {
    const random = seededRandom(7);
    let [there, lost] = [0, 0];
    for (let round = 0; round < 300; round++) {
      const memory = new MemoryDisk();
      const { log } = await openLog(memory);
      let has: readonly Entry[] = [];
      let batches = 0;
      for (const leader of leaders(random, 6)) {
        if (random.below(4) === 0) continue;
        const common = has.findIndex(({ term }, i) => leader[i]?.term !== term);
        let from = common < 0 ? has.length : common;
        for (let times = random.below(4); times > 0 && from < leader.length; times--) {
          const batch = leader.slice(from, from + 1 + random.below(3));
          await log.append(batch, 0);
          await log.flushIdentities();
          batches++;
          has = [...has.slice(0, from), ...batch];
          from = has.length;
        }
      }
      await log.close();
      const wiped = new Set([1, 2].map(() => 1 + random.below(Math.max(1, batches - 1))));
      if (batches > 1) for (const batch of wiped) await wipeBatch(memory, 1, batch);
      const damaged = await examine(memory);
      if (!(damaged instanceof DamagedLog)) {
        assert.deepEqual(show(allEntries(damaged.log)), show(has.slice(damaged.log.firstIndex() - 1)), `round ${round}`);
        await damaged.log.close();
        continue;
      }
      for (let index = damaged.base.index + 1; index <= damaged.lastIndex; index++) {
        const entry: Entry | undefined = damaged.isHole(index) ? undefined : await damaged.read(index);
        if (entry === undefined) lost++;
        else assert.deepEqual(show([entry]), show([has[index - 1] as Entry]), `round ${round}`);
        if (entry !== undefined && holesOf(damaged).some((hole) => hole > index)) there++;
      }
    }
    assert.ok(there > 40 && lost > 200, `${there} are there before what is lost, ${lost} are lost`);
  });
});

/** The logs of leaders of ascending terms: each begins with what an earlier one had. */
function leaders(random: Random, count: number): readonly (readonly Entry[])[] {
  const logs: Entry[][] = [someEntries(1, 4, 1)];
  for (let term = 2; term <= count; term++) {
    const before = logs[random.below(logs.length)] as Entry[];
    const kept = before.slice(0, random.below(before.length + 1));
    logs.push([...kept, ...someEntries(kept.length + 1, 1 + random.below(6), term)]);
  }
  return logs;
}

function holesOf(log: DamagedLog): number[] {
  const holes: number[] = [];
  for (let index = log.base.index + 1; index <= log.lastIndex; index++) if (log.isHole(index)) holes.push(index);
  return holes;
}

async function replaceFile(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const file = await disk.open(path, 'create');
  file.writeSync(bytes, 0);
  file.close();
}
