import assert from 'node:assert/strict';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { KnownTables } from '../base/known-tables.js';
import { manifestOf, World } from '../testing/world.js';
import { copyPath, TableCopies, type CopySources } from './table-copies.js';

describe('verbatim copies', () => {
  it('a copy whose table left every version while it was made can be let go at once: nothing else will ask for it', async () => {
    const world = new World();
    const [meta] = await world.start();
    assert.ok(meta);
    const disk = new MemoryDisk();
    await disk.mkdir('tables');
    const has = manifestOf([meta], 2);
    const tree = { latest: has, materialized: has, durable: has };
    const known = new KnownTables(tree);
    let settled: Promise<void> | undefined;
    const fetcher = {
      fetchTable: async (_meta: unknown, path: string) => {
        (await disk.open(path, 'create')).close();
        tree.latest = tree.materialized = tree.durable = manifestOf([], 2);
      },
    };
    const copies: TableCopies = new TableCopies({
      env: { disk, events: { emit: () => undefined } }, context: { fetcher, membership: { peers: [] } }, token: { cancelled: false },
    } as unknown as CopySources);
    copies.subscribe(() => (settled = copies.retain(known)));
    await copies.make(meta);
    await settled;
    assert.equal(disk.sizeOf(copyPath(meta.id)), undefined);
    assert.equal(copies.empty, true);
    await world.stop();
  });
});
