import assert from 'node:assert/strict';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { KnownTables } from '../base/known-tables.js';
import { manifestOf, readFile, rot, World, writeFile } from '../testing/world.js';
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

  it('H5 two users at once get a file each, one after the other, and the first one keeps its bytes', async () => {
    const world = new World();
    const [meta] = await world.start();
    assert.ok(meta);
    const disk = new MemoryDisk();
    await disk.mkdir('tables');
    let made = 0;
    const fetcher = {
      fetchTable: async (_meta: unknown, path: string) => {
        await writeFile(disk, path, Uint8Array.of(++made));
        await Promise.resolve();
      },
    };
    const copies = new TableCopies({
      env: { disk, events: { emit: () => undefined } }, repairs: { get: () => undefined },
      context: { fetcher, membership: { peers: [] } }, token: { cancelled: false },
    } as unknown as CopySources);
    let inUse = 0;
    const user = (to: string) => copies.use(meta, async ({ path }) => {
      assert.equal(++inUse, 1, 'one user at a time');
      await new Promise((resolve) => setImmediate(resolve));
      await disk.rename(path, to);
      inUse--;
      return to;
    });
    assert.deepEqual(await Promise.all(['tables/a', 'tables/b', 'tables/c'].map(user)), ['tables/a', 'tables/b', 'tables/c']);
    assert.deepEqual(await Promise.all(['tables/a', 'tables/b', 'tables/c'].map((path) => readFile(disk, path))), [1, 2, 3].map((n) => Uint8Array.of(n)));
    assert.equal(copies.empty, true);
    await world.stop();
  });

  it('a copy that somebody waits to use is not let go of, though its table left every version meanwhile', async () => {
    const world = new World();
    const [meta] = await world.start();
    assert.ok(meta);
    const disk = new MemoryDisk();
    await disk.mkdir('tables');
    const gone = manifestOf([], 2);
    const known = new KnownTables({ latest: gone, materialized: gone, durable: gone });
    let made = 0;
    const fetcher = { fetchTable: (_meta: unknown, path: string) => writeFile(disk, path, Uint8Array.of(++made)) };
    const copies: TableCopies = new TableCopies({
      env: { disk, events: { emit: () => undefined } }, context: { fetcher, membership: { peers: [] } }, token: { cancelled: false },
    } as unknown as CopySources);
    copies.subscribe(() => void copies.retain(known));
    await copies.use(meta, ({ path }) => disk.unlink(path));
    assert.equal(made, 1);
    await copies.make(meta);
    await copies.retain(known);
    assert.deepEqual([made, copies.empty, disk.sizeOf(copyPath(meta.id))], [2, true, undefined], 'nobody waits for this one');
    await world.stop();
  });

  it('H5 a copy that waited is proven again, and made anew if it went bad meanwhile', async () => {
    const world = new World();
    const [meta] = await world.start();
    assert.ok(meta);
    const good = world.files.get(meta.id) as Uint8Array;
    const disk = new MemoryDisk();
    await disk.mkdir('tables');
    let made = 0;
    const fetcher = {
      fetchTable: (_meta: unknown, path: string) => {
        made++;
        return writeFile(disk, path, good);
      },
      fetchBlock: () => Promise.resolve({ kind: 'unknown', why: 'nobody is there' }),
    };
    const copies = new TableCopies({
      env: { disk, events: { emit: () => undefined }, workers: { breathe: () => undefined } }, repairs: { get: () => undefined },
      context: { fetcher, membership: { peers: [] } }, token: { cancelled: false },
    } as unknown as CopySources);
    const install = (): Promise<void> => copies.use(meta, ({ path }) => disk.rename(path, 'tables/new'));
    await copies.make(meta);
    await install();
    assert.equal(made, 1, 'one that is good is not made again');
    await copies.make(meta);
    rot(disk, copyPath(meta.id), meta.bytes >> 1);
    await install();
    assert.equal(made, 3);
    assert.deepEqual(await readFile(disk, 'tables/new'), good);
    await world.stop();
  });

  it('a user that fails leaves the next one a copy of its own', async () => {
    const world = new World();
    const [meta] = await world.start();
    assert.ok(meta);
    const disk = new MemoryDisk();
    await disk.mkdir('tables');
    const fetcher = { fetchTable: (_meta: unknown, path: string) => writeFile(disk, path, Uint8Array.of(1)) };
    const copies = new TableCopies({
      env: { disk, events: { emit: () => undefined } }, context: { fetcher, membership: { peers: [] } }, token: { cancelled: false },
    } as unknown as CopySources);
    const failed = copies.use(meta, () => Promise.reject(new Error('no')));
    const next = copies.use(meta, ({ path }) => disk.rename(path, 'tables/a'));
    await assert.rejects(failed, /no/);
    await next;
    assert.deepEqual(await readFile(disk, 'tables/a'), Uint8Array.of(1));
    await world.stop();
  });
});
