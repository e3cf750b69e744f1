import { strict as assert } from 'node:assert';
import { utf8 } from './bytes.js';
import { FaultDisk } from './disk/testing/fault-disk.js';
import { MemoryDisk } from './disk/memory-disk.js';
import { DiskError } from './errors.js';
import { directoryOf, replaceFile } from './replace-file.js';

async function contents(disk: FaultDisk, path: string): Promise<string> {
  return new TextDecoder().decode((await disk.readDirect(path, 0, 100)).bytes);
}

describe('replaceFile', () => {
  let disk: FaultDisk;
  beforeEach(async () => {
    disk = new FaultDisk(new MemoryDisk());
    await disk.mkdir('dir');
  });

  it('leaves the new contents and nothing beside them, over a shorter and a longer file', async () => {
    for (const text of ['one', 'three', 'two']) {
      await replaceFile(disk, 'dir/file', utf8(text));
      assert.equal(await contents(disk, 'dir/file'), text);
      assert.deepEqual(await disk.list('dir'), ['file']);
    }
  });

  it('keeps the old contents whatever fails before the rename, and the error is that of the disk', async () => {
    await replaceFile(disk, 'dir/file', utf8('old'));
    for (const kind of ['no-space', 'write-error', 'sync-error'] as const) {
      const fault = disk.inject({ kind, path: 'dir/file.tmp' });
      await assert.rejects(replaceFile(disk, 'dir/file', utf8('new'), { unlinkFirst: true }), DiskError, kind);
      assert.equal(fault.hits, 1, kind);
      assert.equal(await contents(disk, 'dir/file'), 'old', kind);
      fault.remove();
    }
  });

  it('goes on after a sync that failed only in a new file', async () => {
    const fault = disk.inject({ kind: 'sync-error', path: 'dir/file.tmp' });
    await assert.rejects(replaceFile(disk, 'dir/file', utf8('new')), DiskError);
    fault.remove();
    await assert.rejects(replaceFile(disk, 'dir/file', utf8('new')), DiskError, 'the file that is left takes nothing more');
    await replaceFile(disk, 'dir/file', utf8('new'), { unlinkFirst: true });
    assert.equal(await contents(disk, 'dir/file'), 'new');
  });

  it('syncs the folder of the file', async () => {
    const fault = disk.inject({ kind: 'sync-dir-error', path: 'dir' });
    await assert.rejects(replaceFile(disk, 'dir/file', utf8('new')), DiskError);
    assert.equal(fault.hits, 1);
    await replaceFile(disk, 'file', utf8('new'));
    assert.equal(directoryOf('a/b/c'), 'a/b');
    assert.equal(directoryOf('file'), '.');
  });
});
