import assert from 'node:assert/strict';
import { FaultDisk } from '../../base/disk/testing/fault-disk.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { seededRandom } from '../../base/testing/seeded-random.js';
import { codeOf } from '../../base/errors.js';
import type { ClusterVersion } from '../../base/ids.js';
import type { Entry } from '../../raft/types.js';
import type { LogError } from './errors.js';
import { VERSION_2 } from '../base/protocol.js';
import { APART, HEADER_BYTES, HEADER_USED, layoutOf, middleOf, STRIPED } from './segment-layout.js';
import { allEntries, openLog, settled, show, SMALL_SEGMENT, someEntries, VERSIONS, wipeBatch } from './testing/log-fixture.js';

interface Pristine {
  readonly disk: FaultDisk;
  readonly entries: Entry[];
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/**
 * Recycled segments with overwritten entries; the last append has no identity if `closed` is false.
 */
async function pristine(version: ClusterVersion, closed: boolean, rounds: number, keep = 300): Promise<Pristine> {
  const memory = new MemoryDisk();
  const disk = new FaultDisk(memory);
  const { log } = await openLog(disk, { version });
  let last = 0;
  for (let round = 0; round < rounds; round++) {
    await log.append(someEntries(last + 1, 40, 1 + round, 60), last);
    last += 40;
    if (last > keep + 100) await log.truncateBefore(last - keep, log.term(last - keep));
    await settled();
  }
  await log.append(someEntries(last + 1, 6, rounds + 1), last);
  await log.append(someEntries(last + 4, 5, rounds + 2), last);
  await log.append(someEntries(last + 9, 4, rounds + 2), last + 2);
  const entries = allEntries(log);
  if (closed) await log.close();
  await settled();
  const files = new Map<string, Uint8Array>();
  for (const path of memory.files()) files.set(path, (await disk.readDirect(path, 0, memory.sizeOf(path) ?? 0)).bytes);
  return { disk, entries, files };
}

async function restore({ disk, files }: Pristine): Promise<void> {
  for (const name of await disk.list('log')) if (!files.has(`log/${name}`)) await disk.unlink(`log/${name}`);
  for (const [path, bytes] of files) {
    const file = await disk.open(path, 'create');
    file.writeSync(bytes, 0);
    file.close();
  }
}

/**
 * The number of entries at the end that were cut; -1 if the log was refused. Throws if anything
 * else differs.
 */
async function opened({ disk, entries: all }: Pristine, what: string, mayBeginLater = false): Promise<number> {
  let result;
  try {
    result = await openLog(disk);
  } catch (error) {
    if (codeOf(error) !== 'ENTRY_FAULTY') throw new Error(what, { cause: error });
    const { index } = (error as LogError).data;
    assert.ok((index as number) > 0, what);
    return -1;
  }
  const got = show(allEntries(result.log));
  const entries = mayBeginLater ? all.filter(({ index }) => index >= result.log.firstIndex()) : all;
  assert.deepEqual(got, show(entries.slice(0, got.length)), what);
  await result.log.close();
  return entries.length - got.length;
}

function usedBytes(bytes: Uint8Array): number[] {
  const out: number[] = [];
  bytes.forEach((byte, at) => {
    if (byte !== 0 || (bytes[at - 1] ?? 0) !== 0) out.push(at);
  });
  return out;
}

for (const version of VERSIONS) describe(`the durable log over damage, in a cluster of version ${version}`, () => {
  const { dataStart, dataEnd, identityStart } = layoutOf(SMALL_SEGMENT, version === VERSION_2 ? STRIPED : APART);
  const gap = identityStart - dataEnd;

  it('R6 no flipped bit anywhere makes an identified entry disappear', async function () {
    this.timeout(60_000);
    const log = await pristine(version, true, 0);
    let refused = 0;
    for (const [path, bytes] of log.files) {
      for (const at of usedBytes(bytes)) {
        await log.disk.flipBit(path, at * 8 + (at % 8));
        const cut = await opened(log, `bit ${at % 8} of byte ${at} of ${path}`);
        assert.ok(cut <= 0, `byte ${at} of ${path}: ${cut} entries were cut`);
        if (cut < 0) refused++;
        await restore(log);
      }
    }
    assert.ok(refused > 300, `${refused} refused`);
  });

  it('R6 a flipped bit in the last group commit is damage, unless it may pass for a sector that was not written: that one alone is cut', async function () {
    this.timeout(60_000);
    const log = await pristine(version, false, 0);
    let [cuts, refused] = [0, 0];
    for (const [path, bytes] of log.files) {
      for (const at of usedBytes(bytes)) {
        await log.disk.flipBit(path, at * 8 + (at % 8));
        const cut = await opened(log, `bit ${at % 8} of byte ${at} of ${path}`);
        assert.ok(cut <= 4, `byte ${at} of ${path}: ${cut} entries were cut`);
        if (cut > 0) cuts++;
        if (cut < 0) refused++;
        await restore(log);
      }
    }
    assert.ok(refused > 500 && cuts < refused / 2, `${refused} refused, ${cuts} cut`);
  });

  it('R6 one damaged region, however filled, never makes an entry disappear from a log of many recycled segments', async function () {
    this.timeout(60_000);
    const log = await pristine(version, true, 30);
    const paths = [...log.files.keys()];
    let refused = 0;
    for (let seed = 1; seed <= 400; seed++) {
      const random = seededRandom(seed);
      const path = paths[random.below(paths.length)] as string;
      const bytes = log.files.get(path) as Uint8Array;
      const other = log.files.get(paths[random.below(paths.length)] as string) as Uint8Array;
      const length = 1 + random.below(gap - 1);
      const at = random.below(SMALL_SEGMENT - length);
      const kind = random.below(4);
      if (kind === 0) await log.disk.zero(path, at, length);
      else if (kind === 1) await log.disk.overwrite(path, at, Uint8Array.from({ length }, () => random.below(256)));
      else if (kind === 2) await log.disk.overwrite(path, at, bytes.slice(random.below(SMALL_SEGMENT - length)).subarray(0, length));
      else await log.disk.overwrite(path, at, other.slice(at, at + length));
      const cut = await opened(log, `seed ${seed}: ${length} bytes at ${at} of ${path}`);
      assert.ok(cut <= 0, `seed ${seed}: ${cut} entries were cut`);
      if (cut < 0) refused++;
      await restore(log);
    }
    assert.ok(refused > 50, `${refused} refused`);
  });

  it('R6 a segment file that is missing, empty, cut short or a copy of another is noticed, but for the oldest and the unused', async () => {
    const log = await pristine(version, true, 30);
    const paths = [...log.files.keys()].filter((path) => path.endsWith('.seg'));
    const [oldest, unused] = [paths[0], paths.at(-1)];
    for (const path of paths) {
      const other = log.files.get(paths.find((one) => one !== path) as string) as Uint8Array;
      const damages: [string, () => Promise<void>][] = [
        ['missing', () => log.disk.unlink(path)],
        ['empty', () => log.disk.resize(path, 0)],
        ['short', () => log.disk.resize(path, dataStart + 50)],
        ['zeros', () => log.disk.zero(path, 0, SMALL_SEGMENT)],
        ['copy', () => log.disk.overwrite(path, 0, other)],
      ];
      for (const [what, damage] of damages) {
        await damage();
        // A log without its oldest file is as good as one that was truncated: who needs more is
        // told by its first index.
        const cut = await opened(log, `${path} ${what}`, path === oldest && what === 'missing');
        assert.ok(cut === -1 || (cut === 0 && (path === unused || path === oldest)), `${path} ${what}: ${cut}`);
        await restore(log);
      }
    }
  });

  it('R6 a segment whose header is bad at both ends proves nothing to be lost while its copy in the middle is sound', async () => {
    const { disk, entries } = await pristine(VERSION_2, true, 2);
    const names = (await disk.list('log')).filter((name) => name.endsWith('.seg'));
    const spoil = async (name: string, at: number): Promise<void> => {
      const file = await disk.open(`log/${name}`, 'write');
      file.writeSync(new Uint8Array(HEADER_USED).fill(9), at);
      file.close();
    };
    for (const name of names) for (const at of [0, SMALL_SEGMENT - HEADER_BYTES]) await spoil(name, at);
    const again = await openLog(disk);
    assert.deepEqual(again.log.lastIndex(), entries.at(-1)?.index);
    await again.log.close();
    const last = names.at(-1) as string;
    const middles = [APART, STRIPED].map((format) => middleOf(layoutOf(SMALL_SEGMENT, format)));
    for (const at of [0, ...middles, SMALL_SEGMENT - HEADER_BYTES]) await spoil(last, at);
    await assert.rejects(openLog(disk), { code: 'ENTRY_FAULTY' });
  });

  it('R3 a log that lost files whose entries durable tables cover is read, extended, truncated and opened again', async () => {
    const log = await pristine(version, true, 30, Infinity);
    const paths = [...log.files.keys()].filter((path) => path.endsWith('.seg'));
    assert.ok(paths.length >= 7, `${paths.length} segments`);
    const last = log.entries.length;
    const flushedIndex = last - 60;
    for (const lost of [[1], [1, 3], [2, 3]]) {
      for (const at of lost) await log.disk.unlink(paths[at] as string);
      await assert.rejects(openLog(log.disk), { code: 'ENTRY_FAULTY' });
      for (const reopened of [false, true]) {
        const { log: open } = await openLog(log.disk, { flushedIndex });
        const [first, through] = [open.firstIndex(), open.lastIndex()];
        assert.ok(first > 1 && first <= flushedIndex + 1, `it begins with ${first}`);
        assert.deepEqual(show(allEntries(open).slice(0, last + 1 - first)), show(log.entries.slice(first - 1)));
        if (!reopened) await open.append(someEntries(through + 1, 400, 40, 200), through);
        else await open.truncateBefore(through - 50, open.term(through - 50));
        await settled();
        assert.equal(allEntries(open).at(-1)?.index, open.lastIndex());
        await open.close();
      }
      await restore(log);
    }
  });

  it('R3 R6 an entry is not taken for the one that replaced it and is lost: what came next names the other term', async () => {
    const disk = new MemoryDisk();
    const { log } = await openLog(disk, { version });
    await log.append(someEntries(1, 10, 1), 7);
    await log.flushIdentities();
    await log.append(someEntries(8, 1, 2), 7);
    await log.flushIdentities();
    await log.append(someEntries(9, 1, 2), 8);
    await log.close();
    await wipeBatch(disk, 1, 2);
    await assert.rejects(openLog(disk), (error) => codeOf(error) === 'ENTRY_FAULTY' && (error as LogError).data['index'] === 8);
  });

  it('D1 an entry that cannot be read any more is read as another member gave it, until another one takes its place', async () => {
    const disk = new MemoryDisk();
    const path = 'log/0000000000000001.seg';
    const { log } = await openLog(disk, { cacheBytes: 1 });
    const entries = someEntries(1, 10, 1);
    await log.append(entries, 0);
    const bytes = (await disk.readDirect(path, 0, SMALL_SEGMENT)).bytes;
    const at = Buffer.from(bytes).indexOf('5@1');
    const file = await disk.open(path, 'write');
    file.writeSync(Uint8Array.of(0), at);
    file.close();
    assert.deepEqual(show(log.entries(2, 11)), show(entries.slice(1, 4)), 'what comes before is read');
    assert.throws(() => log.entries(5, 11), (error) => codeOf(error) === 'ENTRY_UNREADABLE');
    assert.ok(log.give(entries[4] as Entry));
    assert.deepEqual(show(allEntries(log)), show(entries));
    const other = someEntries(5, 3, 2);
    await log.append(other, 0);
    assert.deepEqual(show(allEntries(log)), show([...entries.slice(0, 4), ...other]));
    await log.close();
  });
});
