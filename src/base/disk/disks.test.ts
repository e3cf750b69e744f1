import assert from 'node:assert/strict';
import { codeOf } from '../errors.js';
import { CrashDisk } from './testing/crash-disk.js';
import { FaultDisk } from './testing/fault-disk.js';
import { MemoryDisk } from './memory-disk.js';
import { diskConformance } from './testing/disk-conformance.js';
import { seededRandom } from '../testing/seeded-random.js';

diskConformance('memory', async () => ({ disk: new MemoryDisk() }));
diskConformance('crash', async () => ({ disk: new CrashDisk() }));
diskConformance('fault', async () => ({ disk: new FaultDisk(new MemoryDisk()) }));

const hasCode = (code: string) => (error: unknown) => codeOf(error) === code;

async function bytesOf(disk: MemoryDisk | CrashDisk | FaultDisk, path: string): Promise<Uint8Array> {
  return (await disk.readDirect(path, 0, disk.sizeOf(path) ?? 0)).bytes;
}

describe('CrashDisk', () => {
  it('keeps what was synced and any part of what was not, torn at sectors', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 200; seed++) {
      const disk = new CrashDisk();
      const file = await disk.open('f', 'create');
      file.writeSync(new Uint8Array(2048).fill(1), 0);
      await file.sync();
      await disk.syncDir('');
      file.writeSync(new Uint8Array(1024).fill(2), 256);
      disk.crash(seededRandom(seed));
      const bytes = await bytesOf(disk, 'f');
      assert.equal(bytes.length, 2048);
      assert.ok(bytes.subarray(0, 256).every((byte) => byte === 1) && bytes.subarray(1280).every((byte) => byte === 1));
      for (const [from, to] of [[256, 512], [512, 1024], [1024, 1280]] as const) {
        assert.ok(bytes.subarray(from, to).every((byte) => byte === bytes[from]), 'a sector is old or new');
      }
      seen.add([bytes[256], bytes[512], bytes[1024]].join(''));
      assert.throws(() => file.size(), hasCode('CLOSED'));
    }
    assert.equal(seen.size, 8, 'every combination of sectors occurs');
  });

  it('keeps any subset of names whose directory was not synced', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 100; seed++) {
      const disk = new CrashDisk();
      (await disk.open('a', 'create')).close();
      await disk.syncDir('');
      await disk.rename('a', 'b');
      await disk.link('b', 'c');
      disk.crash(seededRandom(seed));
      seen.add((await disk.list('')).join(' '));
    }
    assert.deepEqual([...seen].sort(), ['a', 'a c', 'b', 'b c']);
  });

  it('loses the contents of a file whose name alone was synced', async () => {
    let empty = 0;
    for (let seed = 0; seed < 50; seed++) {
      const disk = new CrashDisk();
      const file = await disk.open('f', 'create');
      file.writeSync(new Uint8Array(10).fill(1), 0);
      await disk.syncDir('');
      disk.crash(seededRandom(seed));
      if (disk.sizeOf('f') === 0) empty++;
    }
    assert.ok(empty > 0);
  });

  it('fails everything from the moment the power goes until the restart', async () => {
    const disk = new CrashDisk();
    const file = await disk.open('f', 'create');
    await disk.syncDir('');
    disk.powerOffAfter(1);
    file.writeSync(new Uint8Array(1), 0);
    assert.throws(() => file.writeSync(new Uint8Array(1), 1), hasCode('IO'));
    await assert.rejects(file.sync(), hasCode('IO'));
    await assert.rejects(disk.open('f', 'read'), hasCode('IO'));
    disk.crash(seededRandom(1));
    disk.openSync('f', 'read').close();
  });
});

describe('FaultDisk', () => {
  async function withFile(): Promise<FaultDisk> {
    const disk = new FaultDisk(new MemoryDisk());
    const file = await disk.open('f', 'create');
    file.writeSync(new Uint8Array(8192).fill(1), 0);
    await file.sync();
    file.close();
    return disk;
  }

  it('fails reads and writes that meet a range, as often as told', async () => {
    const disk = await withFile();
    const fault = disk.inject({ kind: 'read-error', path: 'f', from: 4096, to: 8192, times: 2 });
    disk.inject({ kind: 'write-error', path: 'f', from: 0, to: 1 });
    const file = disk.openSync('f', 'write');
    assert.equal(file.readSync(new Uint8Array(4096), 0), 4096);
    assert.throws(() => file.readSync(new Uint8Array(4097), 0), hasCode('READ_FAILED'));
    await assert.rejects(disk.readDirect('f', 5000, 1), hasCode('READ_FAILED'));
    assert.equal(file.readSync(new Uint8Array(1), 5000), 1);
    assert.equal(fault.hits, 2);
    assert.throws(() => file.writeSync(new Uint8Array(1), 0), hasCode('WRITE_FAILED'));
    file.writeSync(new Uint8Array(1), 1);
    file.close();
  });

  it('has no space for more, but for what is there', async () => {
    const disk = await withFile();
    disk.inject({ kind: 'no-space', path: '' });
    const file = disk.openSync('f', 'write');
    file.writeSync(new Uint8Array(8192), 0);
    assert.throws(() => file.writeSync(new Uint8Array(2), 8191), hasCode('NO_SPACE'));
    assert.throws(() => disk.openSync('g', 'create'), hasCode('NO_SPACE'));
    file.close();
  });

  it('a failed sync poisons the file for good, shows new bytes in the cache and old ones on the medium', async () => {
    const disk = await withFile();
    disk.inject({ kind: 'sync-error', path: 'f', times: 1 });
    const file = disk.openSync('f', 'write');
    file.writeSync(new Uint8Array(4).fill(9), 10);
    await assert.rejects(file.sync(), hasCode('SYNC_FAILED'));
    await assert.rejects(file.sync(), hasCode('SYNC_FAILED'));
    const other = disk.openSync('f', 'write');
    assert.throws(() => other.writeSync(new Uint8Array(1), 0), hasCode('SYNC_FAILED'));
    const into = new Uint8Array(4);
    other.readSync(into, 10);
    assert.deepEqual([...into], [9, 9, 9, 9]);
    assert.deepEqual([...(await disk.readDirect('f', 10, 4)).bytes], [1, 1, 1, 1]);
    await disk.restart();
    disk.openSync('f', 'read').readSync(into, 10);
    assert.deepEqual([...into], [1, 1, 1, 1]);
  });

  it('damages what is stored, and what is only read', async () => {
    const disk = await withFile();
    await disk.flipBit('f', 8 * 100 + 3);
    await disk.zero('f', 200, 5);
    await disk.overwrite('f', 300, new Uint8Array([4, 5]));
    const bytes = await bytesOf(disk, 'f');
    assert.deepEqual([bytes[100], bytes[200], bytes[204], bytes[205], bytes[300], bytes[301]], [9, 0, 0, 1, 4, 5]);
    await disk.resize('f', 1000);
    assert.equal(disk.sizeOf('f'), 1000);
    disk.inject({ kind: 'misread', path: 'f', from: 50, times: 1 });
    assert.equal((await disk.readDirect('f', 0, 100)).bytes[50], 0);
    assert.equal((await disk.readDirect('f', 0, 100)).bytes[50], 1);
  });
});
