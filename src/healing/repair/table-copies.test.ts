import assert from 'node:assert/strict';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { World } from '../testing/world.js';
import { copyPath, TableCopies, type CopySources } from './table-copies.js';

describe('verbatim copies', () => {
  it('a copy whose table left every version while it was made can be let go at once: nothing else will ask for it', async () => {
    const world = new World();
    const [meta] = await world.start();
    assert.ok(meta);
    const disk = new MemoryDisk();
    await disk.mkdir('tables');
    const live = new Set([meta.id]);
    let settled: Promise<void> | undefined;
    const fetcher = {
      fetchTable: async (_meta: unknown, path: string) => {
        (await disk.open(path, 'create')).close();
        live.delete(meta.id);
      },
    };
    const copies: TableCopies = new TableCopies({
      env: { disk, events: { emit: () => undefined } }, fetcher: () => fetcher, peers: () => [], stopped: () => false,
      made: () => (settled = copies.retain((table) => live.has(table))),
    } as unknown as CopySources);
    await copies.make(meta);
    await settled;
    assert.equal(disk.sizeOf(copyPath(meta.id)), undefined);
    assert.equal(copies.empty, true);
    await world.stop();
  });
});
