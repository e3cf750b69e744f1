import assert from 'node:assert/strict';
import { toHex } from '../../base/bytes.js';
import { codeOf } from '../../base/errors.js';
import type { ArmedFault, ArmedKind } from './armed-faults.js';
import type { SimDisk } from './sim-disk.js';
import { inDiskWorld, putDurable, readAll, readPastCache } from './testing/disk-world.js';

const hasCode = (code: string) => (error: unknown) => codeOf(error) === code;
const filled = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);

function arm(disk: SimDisk, kind: ArmedKind, more: Partial<ArmedFault> = {}): string[] {
  const strikes: string[] = [];
  disk.arm({
    kind,
    matches: (path) => path === 'f',
    times: 1,
    onStrike: (path, offset, length) => strikes.push(`${path} ${offset}+${length}`),
    ...more,
  });
  return strikes;
}

describe('an armed fault of a SimDisk', () => {
  it('read-error fails as many reads as told, cached or not', async () => {
    await inDiskWorld(1, async ({ disk, start }) => {
      const life = start();
      await putDurable(life, 'f', filled(100, 1));
      const strikes = arm(disk, 'read-error', { times: 3 });
      const file = life.openSync('f', 'read');
      assert.throws(() => file.readSync(new Uint8Array(4), 8), hasCode('READ_FAILED'));
      await assert.rejects(file.read(new Uint8Array(5), 9), hasCode('READ_FAILED'));
      await assert.rejects(life.readDirect('f', 1, 2), hasCode('READ_FAILED'));
      assert.equal(file.readSync(new Uint8Array(4), 8), 4);
      assert.deepEqual(strikes, ['f 8+4', 'f 9+5', 'f 1+2']);
    });
  });

  it('sticky-read-error leaves a sector unreadable, also after a crash, until its page is written', async () => {
    await inDiskWorld(1, async ({ disk, start }) => {
      await putDurable(start(), 'f', filled(4 * 4096, 1));
      const meant = (path: string, offset: number, length: number): boolean => path === 'f' && offset < 5120 && offset + length > 4608;
      const strikes = arm(disk, 'sticky-read-error', { matches: meant });
      let life = start();
      await assert.rejects(life.readDirect('f', 0, 4 * 4096), hasCode('READ_FAILED'));
      assert.deepEqual(strikes, ['f 4608+512']);
      assert.deepEqual(disk.badSectors('f'), [4608]);
      assert.throws(() => readAll(life, 'f'), hasCode('READ_FAILED'));
      disk.crash();
      life = start();
      assert.equal((await life.readDirect('f', 0, 4608)).bytes.length, 4608);
      await assert.rejects(life.readDirect('f', 5000, 1), hasCode('READ_FAILED'));
      const file = life.openSync('f', 'write');
      assert.throws(() => file.readSync(new Uint8Array(1), 4096), hasCode('READ_FAILED'), 'the page cache reads whole pages');
      assert.throws(() => file.writeSync(filled(512, 2), 4608), hasCode('READ_FAILED'), 'the rest of the page would be lost');
      assert.throws(() => file.writeSync(filled(8192, 2), 5200), hasCode('READ_FAILED'));
      file.writeSync(filled(100, 3), 3996);
      file.writeSync(filled(4096, 2), 4096);
      await file.sync();
      assert.equal((await readPastCache(life, 'f'))[5000], 2);
      assert.equal(readAll(life, 'f').length, 4 * 4096);
      assert.deepEqual(disk.badSectors('f'), []);
    });
  });

  it('sticky-read-error ends when any part of its page is written back: that writes the page', async () => {
    await inDiskWorld(1, async ({ disk, start }) => {
      const life = start();
      await putDurable(life, 'f', filled(2 * 4096, 1));
      const file = life.openSync('f', 'write');
      file.writeSync(filled(100, 2), 4196);
      arm(disk, 'sticky-read-error', { matches: (path, offset, length) => path === 'f' && offset < 8192 && offset + length > 7680 });
      await assert.rejects(life.readDirect('f', 0, 2 * 4096), hasCode('READ_FAILED'));
      assert.deepEqual(disk.badSectors('f'), [7680]);
      file.writeSync(filled(100, 3), 4296);
      await file.sync();
      assert.deepEqual(disk.badSectors('f'), []);
      assert.equal((await readPastCache(life, 'f'))[8191], 1);
    });
  });

  it('is gone once disarmed, with the sectors it left', async () => {
    await inDiskWorld(1, async ({ disk, start }) => {
      const life = start();
      await putDurable(life, 'f', filled(100, 1));
      arm(disk, 'sticky-read-error', { times: Infinity });
      assert.throws(() => readAll(life, 'f'), hasCode('READ_FAILED'));
      disk.disarm();
      assert.equal(readAll(life, 'f').length, 100);
    });
  });

  it('misread flips one bit of what one read returns and of nothing else', async () => {
    await inDiskWorld(1, async ({ disk, start }) => {
      const life = start();
      await putDurable(life, 'f', filled(100, 0));
      for (const read of [() => Promise.resolve(readAll(life, 'f')), () => readPastCache(life, 'f')]) {
        arm(disk, 'misread');
        const bits = (await read()).reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);
        assert.equal(bits, 1);
        assert.equal(toHex(await read()), '00'.repeat(100));
      }
    });
  });

  it('write-error fails a write, of which nothing is there', async () => {
    await inDiskWorld(1, async ({ disk, start }) => {
      const life = start();
      await putDurable(life, 'f', filled(4, 1));
      const file = life.openSync('f', 'write');
      arm(disk, 'write-error', { times: 2 });
      assert.throws(() => file.writeSync(filled(2, 2), 0), hasCode('WRITE_FAILED'));
      await assert.rejects(file.write(filled(2, 2), 0), hasCode('WRITE_FAILED'));
      assert.equal(toHex(readAll(life, 'f')), '01010101');
      file.writeSync(filled(1, 3), 0);
    });
  });

  it('no-space fails what needs more of it, and nothing that has its place', async () => {
    await inDiskWorld(1, async ({ disk, start }) => {
      const life = start();
      await putDurable(life, 'f', filled(100, 1));
      arm(disk, 'no-space', { matches: () => true, times: Infinity });
      const file = life.openSync('f', 'write');
      file.writeSync(filled(100, 2), 0);
      assert.throws(() => file.writeSync(filled(2, 2), 99), hasCode('NO_SPACE'));
      await assert.rejects(file.truncate(101), hasCode('NO_SPACE'));
      await file.truncate(50);
      assert.throws(() => life.openSync('g', 'create'), hasCode('NO_SPACE'));
      assert.equal(life.sizeOf('g'), undefined);
    });
  });

  it('sync-error lies as ext4 does: clean in the cache, maybe never on the medium, and no more writes or syncs by any handle', async () => {
    const seen = new Set<boolean>();
    for (let seed = 1; seed <= 20; seed++) {
      await inDiskWorld(seed, async ({ disk, start }) => {
        const life = start();
        await putDurable(life, 'f', filled(8, 1));
        const strikes = arm(disk, 'sync-error');
        const file = life.openSync('f', 'write');
        file.writeSync(filled(2, 9), 3);
        await assert.rejects(file.sync(), hasCode('SYNC_FAILED'));
        assert.deepEqual(strikes, ['f 3+2']);
        await assert.rejects(file.sync(), hasCode('SYNC_FAILED'));
        const other = life.openSync('f', 'write');
        assert.throws(() => other.writeSync(filled(1, 1), 0), hasCode('SYNC_FAILED'));
        await assert.rejects(other.truncate(1), hasCode('SYNC_FAILED'));
        assert.equal(toHex(readAll(life, 'f')), '0101010909010101');
        const past = toHex(await readPastCache(life, 'f'));
        const isLost = past === '01'.repeat(8);
        seen.add(isLost);
        assert.ok(isLost || past === '0101010909010101', past);
        // The next process may write again, and is lied to until the page is evicted.
        disk.killed();
        const next = start();
        assert.equal(toHex(readAll(next, 'f')), '0101010909010101');
        const again = next.openSync('f', 'write');
        again.writeSync(filled(1, 5), 0);
        await again.sync();
        disk.evict();
        assert.equal(toHex(readAll(next, 'f')), `05${past.slice(2)}`);
      });
    }
    assert.equal(seen.size, 2);
  });

  it('sync-error may have left on the medium what was written before it failed, each write for itself', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      await inDiskWorld(seed, async ({ disk, start }) => {
        const life = start();
        await putDurable(life, 'f', filled(4, 1));
        arm(disk, 'sync-error');
        const file = life.openSync('f', 'write');
        file.writeSync(filled(1, 9), 0);
        file.writeSync(filled(1, 9), 3);
        await assert.rejects(file.sync(), hasCode('SYNC_FAILED'));
        disk.crash();
        const again = start();
        seen.add(toHex(readAll(again, 'f')));
        again.openSync('f', 'write').writeSync(filled(1, 2), 0);
      });
    }
    assert.deepEqual([...seen].sort(), ['01010101', '01010109', '09010101', '09010109']);
  });

  it('sync-dir-error leaves names as they are: there, and not durable', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 20; seed++) {
      await inDiskWorld(seed, async ({ disk, start }) => {
        const life = start();
        await putDurable(life, 'a', filled(8, 1));
        await life.rename('a', 'b');
        const strikes = arm(disk, 'sync-dir-error', { matches: (path) => path === '' });
        await assert.rejects(life.syncDir(''), hasCode('SYNC_FAILED'));
        assert.deepEqual(await life.list(''), ['b']);
        assert.deepEqual(strikes, [' 0+0']);
        disk.crash();
        seen.add((await start().list('')).join(' '));
      });
    }
    assert.deepEqual([...seen].sort(), ['a', 'b']);
  });

  it('lost-write is acknowledged and not there, which the cache hides until it forgets', async () => {
    await inDiskWorld(1, async ({ disk, start }) => {
      const life = start();
      await putDurable(life, 'f', filled(8, 1));
      const strikes = arm(disk, 'lost-write', { matches: (path, offset) => path === 'f' && offset === 2 });
      const file = life.openSync('f', 'write');
      file.writeSync(filled(1, 7), 0);
      file.writeSync(filled(2, 9), 2);
      assert.deepEqual(strikes, [], 'not before the device has it');
      await file.sync();
      assert.deepEqual(strikes, ['f 2+2']);
      assert.equal(toHex(readAll(life, 'f')), '0701090901010101');
      assert.equal(toHex(await readPastCache(life, 'f')), '0701010101010101');
      disk.crash();
      assert.equal(toHex(readAll(start(), 'f')), '0701010101010101');
    });
  });

  it('misdirected-write is lost at its place and lands where it is sent, behind the cache', async () => {
    await inDiskWorld(1, async ({ disk, start }) => {
      const life = start();
      await putDurable(life, 'f', filled(8, 1));
      await putDurable(life, 'g', filled(8, 2));
      const strikes = arm(disk, 'misdirected-write', { target: () => ({ path: 'g', offset: 7 }) });
      const file = life.openSync('f', 'write');
      file.writeSync(filled(2, 9), 2);
      await file.sync();
      assert.deepEqual(strikes, ['f 2+2', 'g 7+2']);
      assert.equal(toHex(await readPastCache(life, 'f')), '01'.repeat(8));
      assert.equal(toHex(await readPastCache(life, 'g')), '0202020202020209');
      assert.equal(toHex(readAll(life, 'g')), '02'.repeat(8));
      // Without a target: anywhere else.
      arm(disk, 'misdirected-write');
      file.writeSync(filled(2, 9), 2);
      await file.sync();
      assert.equal(toHex(await readPastCache(life, 'g')), '0909020202020209');
    });
  });

  it('slow-io and stalled-sync cost time alone, and later syncs wait behind a stalled one', async () => {
    await inDiskWorld(1, async ({ disk, start, world, process }) => {
      const life = start();
      await putDurable(life, 'f', filled(8, 1));
      await putDurable(life, 'g', filled(8, 1));
      arm(disk, 'slow-io', { delayUs: 500_000 });
      const before = world.timeOf(process());
      readAll(life, 'f');
      assert.ok(world.timeOf(process()) - before >= 500_000, 'a slow synchronous read is a stalled event loop');
      await world.sleep(1_000_000);
      arm(disk, 'stalled-sync', { delayUs: 2_000_000 });
      const from = world.nowUs;
      const stalled = life.openSync('f', 'write').sync();
      await life.openSync('g', 'write').sync();
      assert.ok(world.nowUs - from >= 2_000_000, 'one disk, one queue');
      await stalled;
    });
  });
});

describe('the time a SimDisk takes', () => {
  it('is microseconds for what is cached, and more for what is not', async () => {
    await inDiskWorld(1, async ({ disk, start, world, process }) => {
      const life = start();
      await putDurable(life, 'f', filled(4096, 1));
      const file = life.openSync('f', 'read');
      const cost = async (): Promise<number> => {
        await world.sleep(100_000);
        const before = world.timeOf(process());
        file.readSync(new Uint8Array(100), 0);
        return world.timeOf(process()) - before;
      };
      assert.equal(await cost(), 2);
      disk.evict('f');
      assert.ok((await cost()) >= 60);
      assert.equal(await cost(), 2);
    });
  });
});
