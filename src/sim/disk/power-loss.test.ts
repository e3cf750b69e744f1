import assert from 'node:assert/strict';
import { toHex } from '../../base/bytes.js';
import { codeOf } from '../../base/errors.js';
import { diskConformance } from '../../base/disk/testing/disk-conformance.js';
import { diskWorld, inDiskWorld, putDurable, readAll, readPastCache } from './testing/disk-world.js';

diskConformance('simulated', async () => {
  const at = diskWorld(1);
  return { disk: at.start(), dispose: () => at.stop() };
});

const hasCode = (code: string) => (error: unknown) => codeOf(error) === code;
const filled = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);

describe('SimDisk when the power goes', () => {
  it('keeps what was synced and any part of what was not, torn at sectors', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 150; seed++) {
      await inDiskWorld(seed, async ({ disk, start }) => {
        const life = start();
        await putDurable(life, 'f', filled(2048, 1));
        const file = life.openSync('f', 'write');
        file.writeSync(filled(1024, 2), 256);
        disk.crash();
        const bytes = readAll(start(), 'f');
        assert.equal(bytes.length, 2048);
        assert.ok(bytes.subarray(0, 256).every((byte) => byte === 1) && bytes.subarray(1280).every((byte) => byte === 1));
        for (const [from, to] of [[256, 512], [512, 1024], [1024, 1280]] as const) {
          assert.ok(bytes.subarray(from, to).every((byte) => byte === bytes[from]), 'a sector is old or new');
        }
        seen.add([bytes[256], bytes[512], bytes[1024]].join(''));
        assert.throws(() => file.size(), hasCode('IO'));
      });
    }
    assert.equal(seen.size, 8, 'every combination of sectors occurs');
  });

  it('tears what it is asked to tear, at the next write of it', async () => {
    for (let seed = 0; seed < 40; seed++) {
      await inDiskWorld(seed, async ({ disk, start }) => {
        const life = start();
        await putDurable(life, 'f', filled(2048, 1));
        disk.tear('f');
        life.openSync('f', 'write').writeSync(filled(1536, 2), 0);
        disk.crash();
        const bytes = readAll(start(), 'f').subarray(0, 1536);
        assert.ok(bytes.includes(1) && bytes.includes(2), `seed ${seed}: some sectors are old and some are new`);
      });
    }
  });

  it('reorders: a later write may be there without the earlier one, and the earlier one without the later', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      await inDiskWorld(seed, async ({ disk, start }) => {
        const life = start();
        await putDurable(life, 'f', filled(1024, 0));
        const file = life.openSync('f', 'write');
        file.writeSync(filled(4, 1), 0);
        file.writeSync(filled(4, 2), 512);
        disk.crash();
        const bytes = readAll(start(), 'f');
        seen.add(`${bytes[0]}${bytes[512]}`);
      });
    }
    assert.deepEqual([...seen].sort(), ['00', '02', '10', '12']);
  });

  it('keeps either of two un-synced writes to the same bytes, each with its own contents', async () => {
    const seen = new Set<number>();
    for (let seed = 0; seed < 60; seed++) {
      await inDiskWorld(seed, async ({ disk, start }) => {
        const life = start();
        await putDurable(life, 'f', filled(4, 0));
        const file = life.openSync('f', 'write');
        file.writeSync(filled(4, 1), 0);
        file.writeSync(filled(4, 2), 0);
        disk.crash();
        seen.add(readAll(start(), 'f')[0] as number);
      });
    }
    assert.deepEqual([...seen].sort(), [0, 1, 2]);
  });

  it('leaves any subset of names whose directory was not synced, and contents only where they were synced', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 80; seed++) {
      await inDiskWorld(seed, async ({ disk, start }) => {
        const life = start();
        await putDurable(life, 'a', filled(3, 7));
        await life.rename('a', 'b');
        await life.link('b', 'c');
        disk.crash();
        const again = start();
        const names = await again.list('');
        seen.add(names.join(' '));
        for (const name of names) assert.equal(toHex(readAll(again, name)), '070707');
      });
    }
    assert.deepEqual([...seen].sort(), ['a', 'a c', 'b', 'b c']);
  });

  it('may lose a directory whose own name was not synced, and all that is in it', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      await inDiskWorld(seed, async ({ disk, start }) => {
        const life = start();
        await life.mkdir('d');
        const file = life.openSync('d/f', 'create');
        file.writeSync(filled(1, 1), 0);
        await file.sync();
        await life.syncDir('d');
        disk.crash();
        const again = start();
        seen.add(`${(await again.list('')).join(' ')}:${(await again.list('d')).join(' ')}`);
      });
    }
    assert.deepEqual([...seen].sort(), [':', 'd:f']);
  });

  it('covers a sync with what was written before it began, and not with what came later', async () => {
    let lost = 0;
    for (let seed = 0; seed < 40; seed++) {
      await inDiskWorld(seed, async ({ disk, start }) => {
        const life = start();
        await putDurable(life, 'f', filled(1024, 0));
        const file = life.openSync('f', 'write');
        file.writeSync(filled(4, 1), 0);
        const syncing = file.sync();
        file.writeSync(filled(4, 2), 512);
        await syncing;
        disk.crash();
        const bytes = readAll(start(), 'f');
        assert.equal(bytes[0], 1);
        assert.ok(bytes[512] === 0 || bytes[512] === 2);
        if (bytes[512] === 0) lost++;
      });
    }
    assert.ok(lost > 5, `${lost}`);
  });

  it('covers a sync of a directory with the names that changed before it began', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      await inDiskWorld(seed, async ({ disk, start }) => {
        const life = start();
        life.openSync('a', 'create').close();
        const syncing = life.syncDir('');
        life.openSync('b', 'create').close();
        await syncing;
        disk.crash();
        seen.add((await start().list('')).join(' '));
      });
    }
    assert.deepEqual([...seen].sort(), ['a', 'a b']);
  });

  it('counts what it did to what', async () => {
    const counted = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      await inDiskWorld(seed, async ({ disk, start, coverage }) => {
        const life = start();
        await putDurable(life, 'log/1', filled(4096, 0));
        life.openSync('log/1', 'write').writeSync(filled(2048, 1), 0);
        await life.rename('log/1', 'log/2');
        disk.crash();
        for (const name of Object.keys(coverage.toJSON())) counted.add(name);
      });
    }
    assert.deepEqual([...counted].sort(), ['fault torn-append log-record', 'fault unsynced-lost log-record', 'fault unsynced-name-lost log-file']);
  });

  it('ends the life after so many more changes, in the middle of what it does', async () => {
    await inDiskWorld(1, async ({ disk, start, process, world }) => {
      let off = 0;
      const life = start(() => off++);
      const file = await life.open('f', 'create');
      await life.syncDir('');
      disk.powerOffAfter(2);
      file.writeSync(filled(1, 1), 0);
      assert.equal(process().alive, true);
      file.writeSync(filled(1, 2), 1);
      assert.equal(process().alive, false);
      assert.equal(off, 0, 'not from within the call');
      assert.throws(() => file.writeSync(filled(1, 3), 2), hasCode('IO'));
      await assert.rejects(file.sync(), hasCode('IO'));
      await assert.rejects(life.open('f', 'read'), hasCode('IO'));
      await world.sleep(1);
      assert.equal(off, 1);
      disk.crash();
      assert.ok(readAll(start(), 'f').length <= 2);
    });
  });

  it('lets the life hear nothing of a sync in whose midst the power went', async () => {
    await inDiskWorld(1, async ({ disk, start, world }) => {
      const file = start().openSync('f', 'create');
      file.writeSync(filled(1, 1), 0);
      disk.powerOffAfter(1);
      let heard = false;
      file.sync().then(() => (heard = true), () => (heard = true));
      await world.sleep(1_000_000);
      assert.equal(heard, false);
    });
  });
});

describe('SimDisk when only the process dies', () => {
  it('keeps names and bytes that were not synced, in the cache and for a later power loss to lose', async () => {
    const sizes = new Set<number>();
    for (let seed = 0; seed < 30; seed++) {
      await inDiskWorld(seed, async ({ disk, start }) => {
        const life = start();
        const file = life.openSync('f', 'create');
        file.writeSync(filled(10, 1), 0);
        await life.syncDir('');
        disk.killed();
        assert.throws(() => file.size(), hasCode('IO'));
        assert.equal(toHex(readAll(start(), 'f')), '01'.repeat(10));
        disk.crash();
        sizes.add(readAll(start(), 'f').length);
      });
    }
    assert.deepEqual([...sizes].sort(), [0, 10]);
  });

  it('shows a direct read what was not written back yet, without making it durable', async () => {
    await inDiskWorld(3, async ({ disk, start }) => {
      const life = start();
      await putDurable(life, 'f', filled(8, 1));
      const file = life.openSync('f', 'write');
      await file.truncate(4);
      file.writeSync(filled(1, 2), 6);
      assert.equal(toHex(await readPastCache(life, 'f')), '01010101000002');
      assert.equal(toHex(disk.medium('f') as Uint8Array), '01'.repeat(8));
      assert.equal(disk.isDirty('f'), true);
    });
  });

  it('answers no call that a dead life had under way', async () => {
    await inDiskWorld(1, async ({ start, process, world }) => {
      const life = start();
      await putDurable(life, 'f', filled(8, 1));
      const file = life.openSync('f', 'read');
      let heard = 0;
      for (const call of [file.read(new Uint8Array(8), 0), life.list(''), life.unlink('nothing'), life.syncDir('')]) {
        void (call as Promise<unknown>).finally(() => heard++);
      }
      process().alive = false;
      await world.sleep(1_000_000);
      assert.equal(heard, 0);
    });
  });
});

describe('SimDisk of one seed', () => {
  async function run(seed: number): Promise<string> {
    return inDiskWorld(seed, async ({ disk, start, world }) => {
      for (let round = 0; round < 12; round++) {
        const life = start();
        await life.mkdir('d');
        for (let i = 0; i < 6; i++) {
          const file = await life.open(`d/${i}`, 'open-or-create');
          file.writeSync(filled(700 + i * 300, round + 1), (round * 311) % 4000);
          if ((round + i) % 3 === 0) await file.sync();
          await file.read(new Uint8Array(100), 50);
          file.close();
        }
        await life.rename(`d/${round % 6}`, `d/${(round * 5) % 6}`);
        if (round % 2 === 0) await life.syncDir('');
        if (round % 3 === 0) await life.syncDir('d');
        disk.crash();
      }
      const files = disk.list().map(({ path }) => `${path} ${toHex((disk.medium(path) as Uint8Array).subarray(0, 6000))}`);
      return `${world.trace.digest()} ${files.join('\n')}`;
    });
  }

  it('is the same disk each time, to the last byte and microsecond', async () => {
    for (const seed of [1, 2, 3]) assert.equal(await run(seed), await run(seed));
  });

  it('is another one for another seed', async () => {
    assert.notEqual(await run(1), await run(2));
  });
});
