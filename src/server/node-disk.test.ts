import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { diskConformance } from '../base/disk/testing/disk-conformance.js';
import { DiskError } from '../base/errors.js';
import { NodeDisk } from './node-disk.js';

const made: string[] = [];
function temporaryDir(parent = os.tmpdir()): string {
  const dir = fs.mkdtempSync(path.join(parent, 'kintsugi-disk-'));
  made.push(dir);
  return dir;
}

after(() => {
  for (const dir of made) fs.rmSync(dir, { recursive: true, force: true });
});

diskConformance('node', async () => {
  const disk = await NodeDisk.open(path.join(temporaryDir(), 'data', 'member'));
  return { disk, dispose: () => disk.close() };
});

function isLockedBy(pid: number): (error: unknown) => boolean {
  return (error) => error instanceof DiskError && error.code === 'LOCKED' && error.message.includes(`process ${pid}`);
}

describe('NodeDisk', () => {
  it('says that a read did not pass the caches where there is no medium behind them (pending without /dev/shm)', async function () {
    // Needs a file system without a medium; Linux has one there, other systems may not.
    if (!fs.existsSync('/dev/shm')) this.skip();
    const disk = await NodeDisk.open(temporaryDir('/dev/shm'));
    const file = disk.openSync('f', 'create');
    file.writeSync(new Uint8Array(5000).fill(3), 0);
    const read = await disk.readDirect('f', 1, 4999);
    assert.equal(read.pastCache, false);
    assert.ok(read.bytes.length === 4999 && read.bytes.every((byte) => byte === 3));
    file.close();
    await disk.close();
  });

  it('a file that is there and cannot be opened is one that cannot be read; one that is not there is not found', async () => {
    const dir = temporaryDir();
    const disk = await NodeDisk.open(dir);
    fs.symlinkSync('loop', path.join(dir, 'loop'));
    const refused = (code: string) => (error: unknown): boolean => error instanceof DiskError && error.code === code;
    assert.throws(() => disk.openSync('loop', 'read'), refused('READ_FAILED'));
    await assert.rejects(disk.open('loop', 'read'), refused('READ_FAILED'));
    assert.throws(() => disk.openSync('loop', 'write'), refused('IO'));
    assert.throws(() => disk.openSync('none', 'read'), refused('NOT_FOUND'));
    await disk.close();
  });

  it('answers many reads past the caches at once', async () => {
    const disk = await NodeDisk.open(temporaryDir());
    const file = disk.openSync('f', 'create');
    const bytes = Uint8Array.from({ length: 3 * 1024 * 1024 }, (_, i) => (i >> 8) & 255);
    file.writeSync(bytes, 0);
    const reads = await Promise.all(Array.from({ length: 20 }, (_, i) => disk.readDirect('f', i * 1000, 2 * 1024 * 1024)));
    reads.forEach((read, i) => {
      assert.equal(Buffer.compare(read.bytes, bytes.subarray(i * 1000, i * 1000 + 2 * 1024 * 1024)), 0);
    });
    file.close();
    await disk.close();
  });

  it('a second process is refused by name until the first is gone, also when it was killed', async () => {
    const dir = temporaryDir();
    const here = new URL(`./node-disk.${import.meta.url.split('.').at(-1)}`, import.meta.url).href;
    const script = `import(${JSON.stringify(here)}).then(({ NodeDisk }) => NodeDisk.open(${JSON.stringify(dir)}))
      .then(() => { console.log('open'); setInterval(() => {}, 1000); }, (e) => { console.log(e.message); });`;
    const child = spawn(process.execPath, ['--import=tsx', '--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [said] = (await once(child.stdout, 'data')) as [Buffer];
    assert.equal(said.toString().trim(), 'open');
    await assert.rejects(NodeDisk.open(dir), isLockedBy(child.pid as number));
    child.kill('SIGKILL');
    await once(child, 'exit');
    const disk = await NodeDisk.open(dir);
    await assert.rejects(NodeDisk.open(dir), isLockedBy(process.pid));
    await disk.close();
    await (await NodeDisk.open(dir)).close();
  });

  it('a LOCK file that names a dead process, or nothing sensible, locks nobody out', async () => {
    const dir = temporaryDir();
    for (const text of ['{"pid":999999999,"startTicks":1,"bootId":"x"}', `{"pid":${process.ppid},"startTicks":1,"bootId":"x"}`, 'garbage', '']) {
      fs.writeFileSync(path.join(dir, 'LOCK'), text);
      await (await NodeDisk.open(dir)).close();
    }
  });
});
