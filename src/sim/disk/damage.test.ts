import assert from 'node:assert/strict';
import { toHex } from '../../base/bytes.js';
import { inDiskWorld, putDurable, readAll, readPastCache } from './testing/disk-world.js';

const filled = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);
const flip = (bytes: Uint8Array): void => void (bytes[0] = (bytes[0] as number) ^ 1);

describe('damage to a SimDisk', () => {
  it('behind the cache is seen by direct reads at once, and by cached ones after an eviction', async () => {
    await inDiskWorld(1, async ({ disk, start }) => {
      const life = start();
      await putDurable(life, 'f', filled(3 * 4096, 8));
      assert.equal(disk.alter('f', 5000, flip, 1, true), true);
      assert.equal(readAll(life, 'f')[5000], 8);
      assert.equal((await readPastCache(life, 'f'))[5000], 9);
      assert.equal((disk.medium('f') as Uint8Array)[5000], 9);
      assert.equal((disk.cached('f') as Uint8Array)[5000], 8);
      disk.evict('f');
      assert.equal((disk.cached('f') as Uint8Array)[5000], 9);
      assert.equal(readAll(life, 'f')[5000], 9);
    });
  });

  it('behind the cache is seen after a power loss, and not after the death of the process alone', async () => {
    await inDiskWorld(1, async ({ disk, start }) => {
      await putDurable(start(), 'f', filled(100, 8));
      disk.alter('f', 50, flip, 1, true);
      disk.killed();
      assert.equal(readAll(start(), 'f')[50], 8);
      disk.crash();
      assert.equal(readAll(start(), 'f')[50], 9);
    });
  });

  it('in front of the cache is seen by everybody, but for what waits to be written over it', async () => {
    await inDiskWorld(1, async ({ disk, start }) => {
      const life = start();
      await putDurable(life, 'f', filled(100, 8));
      const file = life.openSync('f', 'write');
      file.writeSync(filled(2, 5), 51);
      disk.alter('f', 50, (bytes) => bytes.fill(0), 10, false);
      assert.equal(toHex(readAll(life, 'f').subarray(49, 61)), '080005050000000000000008');
      await file.sync();
      assert.equal(toHex((disk.medium('f') as Uint8Array).subarray(49, 61)), '080005050000000000000008');
    });
  });

  it('strikes nothing where there is nothing', async () => {
    await inDiskWorld(1, async ({ disk, start }) => {
      await putDurable(start(), 'f', filled(10, 8));
      assert.equal(disk.alter('g', 0, flip, 1, true), false);
      assert.equal(disk.alter('f', 10, flip, 1, true), false);
      assert.equal(disk.remove('g'), false);
      assert.equal(disk.resize('g', 1), false);
      assert.equal(disk.rename('g', 'h'), false);
      assert.equal(disk.rename('f', 'no/f'), false);
    });
  });

  it('removes, resizes, renames and replaces durably, under open handles', async () => {
    await inDiskWorld(1, async ({ disk, start }) => {
      const life = start();
      await putDurable(life, 'a', filled(10, 1));
      await putDurable(life, 'b', filled(10, 2));
      await putDurable(life, 'c', filled(10, 3));
      await putDurable(life, 'd', filled(10, 4));
      const open = life.openSync('a', 'read');
      assert.equal(disk.remove('a'), true);
      assert.equal(open.size(), 10);
      assert.equal(disk.resize('b', 4), true);
      assert.equal(disk.resize('c', 5000), true);
      assert.equal(disk.rename('d', 'e'), true);
      disk.put('x/y/f', filled(3, 9));
      const look = (): string[] => disk.list().map(({ path, bytes }) => `${path} ${bytes}`);
      const wanted = ['b 4', 'c 5000', 'e 10', 'x/y/f 3'];
      assert.deepEqual(look(), wanted);
      assert.notEqual(toHex(readAll(life, 'c').subarray(10)), '00'.repeat(4990), 'junk, not zeros');
      assert.deepEqual(readAll(life, 'c'), disk.medium('c'));
      disk.crash();
      assert.deepEqual(look(), wanted);
      assert.deepEqual(await start().list('x/y'), ['f']);
    });
  });

  it('rolls back to an image with links and durable bytes alone, and wipes', async () => {
    await inDiskWorld(1, async ({ disk, start }) => {
      const life = start();
      await putDurable(life, 'd/a', filled(10, 1));
      await life.link('d/a', 'd/b');
      await life.syncDir('d');
      const file = life.openSync('d/a', 'write');
      file.writeSync(filled(1, 2), 0);
      life.openSync('d/new', 'create').close();
      const image = disk.image();
      await file.sync();
      assert.throws(() => disk.restore(image), /is down/);
      disk.killed();
      disk.restore(image);
      const again = start();
      assert.deepEqual(await again.list('d'), ['a', 'b']);
      assert.equal(readAll(again, 'd/a')[0], 1);
      const other = again.openSync('d/a', 'write');
      other.writeSync(filled(1, 7), 3);
      await other.sync();
      assert.equal(readAll(again, 'd/b')[3], 7, 'still one file');
      disk.crash();
      disk.restore(image);
      assert.equal(readAll(start(), 'd/b')[3], 1, 'nothing changes an image');
      disk.crash();
      disk.wipe();
      assert.deepEqual(await start().list(''), []);
    });
  });
});
