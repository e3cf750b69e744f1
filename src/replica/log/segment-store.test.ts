import assert from 'node:assert/strict';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { SegmentStore } from './segment-store.js';

describe('segment files', () => {
  it('a spare that is gone from the disk costs nothing: the next segment is made anew', async () => {
    const disk = new MemoryDisk();
    await disk.mkdir('log');
    const store = new SegmentStore(disk, 'log', 64 * 1024);
    for (const generation of [1, 2]) await store.retire(await store.prepare(generation));
    const spares = (await disk.list('log')).filter((name) => name.startsWith('spare-'));
    assert.equal(spares.length, 1, 'the second segment was the first one\'s spare');
    for (const name of spares) await disk.unlink(`log/${name}`);
    const segment = await store.prepare(3);
    assert.equal(segment.file.size(), 64 * 1024);
    assert.deepEqual(await disk.list('log'), ['0000000000000003.seg']);
  });
});
