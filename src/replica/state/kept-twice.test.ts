import assert from 'node:assert/strict';
import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { crc32c } from '../../base/crc32c.js';
import { CrashDisk } from '../../base/disk/testing/crash-disk.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { CodecError } from '../../base/errors.js';
import { seededRandom } from '../../base/testing/seeded-random.js';
import { copyOf, readTwice, removeTwice, TwiceKeeper, writeTwice } from './kept-twice.js';

const PATH = 'joined';
const NAMES = [PATH, copyOf(PATH)];

function encode(value: number): Uint8Array {
  const body = new ByteWriter(8).u53(value).finish();
  return new ByteWriter(16).u32(crc32c(body)).raw(body).finish();
}

function decode(bytes: Uint8Array): number {
  const input = new ByteReader(bytes, PATH);
  if (input.u32() !== crc32c(bytes.subarray(4))) throw new CodecError('its checksum is wrong');
  return input.u53();
}

async function damage(disk: MemoryDisk, name: string, how: string): Promise<void> {
  const file = await disk.open(name, 'write');
  if (how === 'cut') await file.truncate(3);
  if (how === 'empty') await file.truncate(0);
  if (how === 'longer') file.writeSync(Uint8Array.of(1), file.size());
  if (how === 'bit') file.writeSync(Uint8Array.of(0xff), 6);
  file.close();
  if (how === 'gone') await disk.unlink(name);
}

const DAMAGES = ['cut', 'empty', 'longer', 'bit', 'gone'];

describe('a file that is kept twice', () => {
  it('R5 serves from either copy, whatever became of the other, and is unreadable without both', async () => {
    for (const how of DAMAGES) {
      for (const name of NAMES) {
        const disk = new MemoryDisk();
        await writeTwice(disk, PATH, encode(7));
        assert.deepEqual([(await readTwice(disk, PATH, decode))?.isWhole, (await readTwice(disk, PATH, decode))?.ofCopy], [true, false]);
        await damage(disk, name, how);
        const found = await readTwice(disk, PATH, decode);
        assert.deepEqual([found?.value, found?.isWhole, found?.ofCopy], [7, false, name === PATH], `${how} ${name}`);
        await damage(disk, NAMES.find((other) => other !== name) ?? '', 'bit');
        await assert.rejects(readTwice(disk, PATH, decode), CodecError);
      }
    }
    assert.equal(await readTwice(new MemoryDisk(), PATH, decode), undefined);
  });

  it('R5 goes by the one with the name where both are sound, which is never the older', async () => {
    const disk = new MemoryDisk();
    await writeTwice(disk, PATH, encode(7));
    (await disk.open(PATH, 'write')).writeSync(encode(8), 0);
    const found = await readTwice(disk, PATH, decode);
    assert.deepEqual([found?.value, found?.isWhole], [8, false]);
  });

  it('R5 is the old one or the new one after a power loss at any write, and is gone or there after one while it is removed', async () => {
    for (const last of [async (disk: CrashDisk) => writeTwice(disk, PATH, encode(8)), (disk: CrashDisk) => removeTwice(disk, PATH)]) {
      const seen = new Set<number | undefined>();
      for (let at = 0, done = false; !done; at++) {
        for (let seed = 1; seed <= 8; seed++) {
          const disk = new CrashDisk();
          await writeTwice(disk, PATH, encode(7));
          disk.powerOffAfter(at);
          done = await last(disk).then(() => true, () => false);
          disk.crash(seededRandom(100 * at + seed));
          seen.add((await readTwice(disk, PATH, decode))?.value);
          if (done) assert.notEqual((await readTwice(disk, PATH, decode))?.value, 7);
        }
      }
      assert.ok(seen.size === 2 && seen.has(7), [...seen].join());
    }
  });

  it('is kept in memory while it is looked after, and made anew from there, even where both are gone', async () => {
    for (const how of DAMAGES) {
      for (const names of [NAMES.slice(0, 1), NAMES.slice(1), NAMES]) {
        const disk = new MemoryDisk();
        await writeTwice(disk, PATH, encode(7));
        const keeper = new TwiceKeeper(disk, PATH, encode(7));
        assert.deepEqual(await keeper.scrub(), { faulty: 0 });
        for (const name of names) await damage(disk, name, how);
        assert.deepEqual(await keeper.scrub(), { faulty: names.length });
        assert.equal((await readTwice(disk, PATH, decode))?.isWhole, true);
      }
    }
  });

  it('is removed with its copy', async () => {
    const disk = new MemoryDisk();
    await writeTwice(disk, PATH, encode(7));
    await removeTwice(disk, PATH);
    assert.deepEqual(disk.files(), []);
  });
});
