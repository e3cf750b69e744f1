import assert from 'node:assert/strict';
import { utf8 } from '../../base/bytes.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { setAside } from './set-aside.js';

describe('what a member has promised under its old id', () => {
  it('R5 is set aside, and again after it was cut short', async () => {
    const disk = new MemoryDisk();
    await disk.mkdir('log');
    const write = (path: string, text: string): void => disk.openSync(path, 'create').writeSync(utf8(text), 0);
    write('hardstate', 'old');
    write('log/1', 'old');
    await setAside(disk, 0xa);
    write('hardstate', 'of the new id, never used');
    await setAside(disk, 0xa);
    assert.deepEqual(disk.files(), ['aside/a/hardstate', 'aside/a/log/1']);
    assert.equal(disk.sizeOf('aside/a/hardstate'), 3);
  });

  it('R5 may be nothing: a directory that was emptied, and not started on since', async () => {
    const disk = new MemoryDisk();
    await setAside(disk, 0xa);
    assert.deepEqual(disk.files(), []);
  });
});
