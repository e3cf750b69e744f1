import assert from 'node:assert/strict';
import { KiB } from '../../base/bytes.js';
import type { OpenMode } from '../../base/disk.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import type { Entry } from '../../raft/types.js';
import { recordLength } from './batch-codec.js';
import { openLog, someEntries } from './testing/log-fixture.js';

describe('the reader of a log', () => {
  it('reads of many small batches take a read of each area, not one of each batch', async () => {
    const memory = new MemoryDisk();
    let reads = 0;
    const counting = Object.create(memory, {
      open: {
        value: async (path: string, mode: OpenMode) => {
          const file = await memory.open(path, mode);
          const readSync = file.readSync.bind(file);
          file.readSync = (into, offset) => {
            reads++;
            return readSync(into, offset);
          };
          return file;
        },
      },
    }) as MemoryDisk;
    for (const name of ['sizeOf', 'readDirect', 'list', 'mkdir', 'rename', 'unlink', 'syncDir'] as const) {
      Object.defineProperty(counting, name, { value: memory[name].bind(memory) });
    }
    const { log } = await openLog(counting, { version: 2, segmentBytes: 256 * KiB, cacheBytes: 1 });
    for (let i = 1; i <= 300; i++) await log.append(someEntries(i, 1, 1), i - 1);
    reads = 0;
    const got = log.entries(1, 300);
    assert.deepEqual([got.length, reads], [299, 2]);
    const some = log.entries(50, 300, 20 * recordLength(got[0] as Entry));
    assert.ok(some.length >= 10 && some.length <= 40 && some[0]?.index === 50);
    await log.close();
  });
});
