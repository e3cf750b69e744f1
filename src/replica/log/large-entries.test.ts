import assert from 'node:assert/strict';
import { FaultDisk } from '../../base/disk/testing/fault-disk.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { MiB } from '../../base/bytes.js';
import type { OpenMode } from '../../base/disk.js';
import { codeOf } from '../../base/errors.js';
import type { Entry } from '../../raft/types.js';
import type { DurableLog } from './durable-log.js';
import { HEADER_BYTES, layoutOf, segmentBytesFor } from './segment-layout.js';
import { allEntries, openLog, settled, show, SMALL_SEGMENT, someEntries } from './testing/log-fixture.js';

const LARGE = 100_000;
const hasCode = (code: string) => (error: unknown) => codeOf(error) === code;

async function segmentSizes(disk: FaultDisk | MemoryDisk): Promise<number[]> {
  const names = (await disk.list('log')).filter((name) => name.endsWith('.seg'));
  return names.map((name) => disk.sizeOf(`log/${name}`) ?? 0);
}

/** Ordinary entries, a large one, ordinary ones; closed. */
async function withLarge(disk: FaultDisk | MemoryDisk): Promise<Entry[]> {
  const { log } = await openLog(disk);
  const entries = [...someEntries(1, 5, 1), ...someEntries(6, 1, 1, LARGE), ...someEntries(7, 5, 1)];
  for (const [from, to] of [[0, 5], [5, 6], [6, 11]] as const) await log.append(entries.slice(from, to), 0);
  await log.close();
  await settled();
  return entries;
}

async function contents(disk: FaultDisk | MemoryDisk): Promise<{ shown: string[]; log: DurableLog }> {
  const { log } = await openLog(disk);
  return { shown: show(allEntries(log)), log };
}

describe('entries larger than a log segment', () => {
  it('R6 every size has room for its batch, and the gap of at least 1 MiB from the default size on', () => {
    for (const bytes of [1, SMALL_SEGMENT, 11 * MiB, 16 * MiB, 64 * MiB + 4096, 65 * MiB + 3]) {
      const layout = layoutOf(segmentBytesFor(bytes));
      assert.ok(layout.dataEnd - layout.dataStart >= bytes);
      if (bytes >= 11 * MiB) assert.ok(layout.identityStart - layout.dataEnd >= MiB, `${bytes}`);
    }
  });

  it('R3 a large entry gets a segment of its own size, and ordinary ones follow it there', async () => {
    const disk = new MemoryDisk();
    const entries = await withLarge(disk);
    const sizes = await segmentSizes(disk);
    assert.equal(sizes.filter((bytes) => bytes > LARGE).length, 1, `${sizes}`);
    const { shown, log } = await contents(disk);
    assert.deepEqual(shown, show(entries));
    await log.close();
  });

  it('R3 a log may begin with a large entry, and several follow each other in one append', async () => {
    const disk = new MemoryDisk();
    const { log } = await openLog(disk);
    const entries = [...someEntries(1, 2, 1, LARGE), ...someEntries(3, 1, 1), ...someEntries(4, 1, 1, 3 * LARGE)];
    await log.append(entries, 0);
    assert.deepEqual(show(allEntries(log)), show(entries));
    await log.close();
    const again = await contents(disk);
    assert.deepEqual(again.shown, show(entries));
    await again.log.close();
  });

  it('R3 older segments may go while the one that is written to is made larger', async () => {
    const disk = new MemoryDisk();
    let gate = Promise.resolve();
    let open = (): void => undefined;
    const slow = Object.create(disk, {
      open: { value: (path: string, mode: OpenMode) => (path.endsWith('.tmp') ? gate : Promise.resolve()).then(() => disk.open(path, mode)) },
    }) as MemoryDisk;
    for (const name of ['sizeOf', 'readDirect', 'list', 'mkdir', 'rename', 'unlink', 'syncDir'] as const) {
      Object.defineProperty(slow, name, { value: disk[name].bind(disk) });
    }
    const { log } = await openLog(slow, { cacheBytes: 1 });
    for (let i = 0; i < 4; i++) await log.append(someEntries(i * 80 + 1, 80, 1, 200), i * 80);
    await settled();
    gate = new Promise<void>((resolve) => (open = resolve));
    const appending = log.append(someEntries(321, 1, 1, LARGE), 320);
    await settled();
    await log.truncateBefore(200, 1);
    assert.ok(log.firstIndex() > 1);
    open();
    await appending;
    await log.append(someEntries(322, 100, 1, 200), 321);
    const all = show(allEntries(log));
    await log.close();
    const again = await contents(disk);
    assert.deepEqual(again.shown, all);
    await again.log.close();
  });

  it('R3 one that is written in slices reads back, and its identity vouches for it', async () => {
    const disk = new FaultDisk(new MemoryDisk());
    const { log } = await openLog(disk, { segmentBytes: 1 * MiB, cacheBytes: 1 });
    const large = [...someEntries(4, 1, 1, 9 * MiB + 5), ...someEntries(5, 1, 2, 4 * MiB + 1)];
    const entries = [...someEntries(1, 3, 1), ...large, ...someEntries(6, 3, 2)];
    (entries[3] as Entry).data.forEach((_, i, data) => (data[i] = (i * 7 + (i >> 16)) & 255));
    await log.append(entries, 0);
    assert.deepEqual(log.entries(4, 5)[0], entries[3]);
    await log.close();
    const again = await contents(disk);
    assert.deepEqual(again.shown, show(entries));
    assert.deepEqual(again.log.entries(4, 5)[0], entries[3]);
    await again.log.close();
    const [path = ''] = (await disk.list('log')).map((name) => `log/${name}`).filter((name) => (disk.sizeOf(name) ?? 0) > 9 * MiB);
    await disk.flipBit(path, 8 * 5 * MiB);
    await assert.rejects(openLog(disk), (error: { data: { index: number } } & Error) => hasCode('ENTRY_FAULTY')(error) && error.data.index === 4);
  });

  it('the file of a large entry has no second life', async () => {
    const disk = new MemoryDisk();
    const { log } = await openLog(disk);
    for (let round = 0; round < 4; round++) {
      const first = 1 + round * 41;
      await log.append([...someEntries(first, 1, 1, LARGE), ...someEntries(first + 1, 40, 1, 2000)], first - 1);
    }
    await log.append(someEntries(165, 1, 1), 164);
    await log.truncateBefore(164, 1);
    await log.close();
    await settled();
    for (const name of await disk.list('log')) assert.ok((disk.sizeOf(`log/${name}`) ?? 0) <= SMALL_SEGMENT, `${name} is left`);
    const again = await contents(disk);
    assert.equal(again.log.lastIndex(), 165);
    await again.log.close();
  });

  it('R6 a bad bit in a large entry that was acknowledged is a fault, never a cut', async () => {
    const disk = new FaultDisk(new MemoryDisk());
    await withLarge(disk);
    const [path] = (await disk.list('log')).map((name) => `log/${name}`).filter((name) => (disk.sizeOf(name) ?? 0) > LARGE);
    await disk.flipBit(path as string, 8 * (HEADER_BYTES + 60_000));
    await assert.rejects(openLog(disk), (error: { data: { index: number } } & Error) => hasCode('ENTRY_FAULTY')(error) && error.data.index === 6);
  });

  it('R6 a large segment that lost both headers still says what it holds', async () => {
    const disk = new FaultDisk(new MemoryDisk());
    const entries = await withLarge(disk);
    // Behind it there is another one with entries: what a wrecked file may lack shows there.
    const { log } = await openLog(disk);
    const more = someEntries(12, 40, 1, 2000);
    await log.append(more, 0);
    await log.close();
    const [path = ''] = (await disk.list('log')).map((name) => `log/${name}`).filter((name) => (disk.sizeOf(name) ?? 0) > LARGE);
    const file = await disk.open(path, 'write');
    file.writeSync(new Uint8Array(HEADER_BYTES), 0);
    file.writeSync(new Uint8Array(HEADER_BYTES), file.size() - HEADER_BYTES);
    await file.sync();
    const { shown, log: again } = await contents(disk);
    assert.deepEqual(shown, show([...entries, ...more]));
    await again.close();
  });

  it('a full disk refuses the large entry and nothing else, and takes it once there is room', async () => {
    const disk = new FaultDisk(new MemoryDisk());
    const { log } = await openLog(disk);
    await log.append(someEntries(1, 5, 1), 0);
    await settled();
    const full = disk.inject({ kind: 'no-space', path: 'log' });
    const large = someEntries(6, 1, 1, LARGE);
    await assert.rejects(log.append(large, 0), hasCode('NO_SPACE'));
    full.remove();
    await log.append(someEntries(6, 1, 2), 0);
    await log.append(someEntries(7, 1, 2, LARGE), 0);
    assert.deepEqual([log.lastIndex(), log.term(7)], [7, 2]);
    await log.close();
    const again = await contents(disk);
    assert.equal(again.log.lastIndex(), 7);
    await again.log.close();
  });
});
