import assert from 'node:assert/strict';
import { Keyv } from 'keyv';
import { createStorage, type Storage } from 'unstorage';
import { openMemory, type MemoryStore } from '../embed/memory.js';
import { KeyvKintsugi } from './keyv.js';
import { kintsugiDriver } from './unstorage.js';

describe('the store for Keyv', () => {
  let store: MemoryStore;

  before(async () => {
    store = await openMemory();
  });

  after(() => store.close());

  beforeEach(async () => {
    await store.client.delete({ prefix: '' });
  });

  const open = (namespace?: string): Keyv =>
    new Keyv({ store: new KeyvKintsugi({ client: store.client }), ...(namespace === undefined ? {} : { namespace }), throwOnErrors: true });

  it('sets, gets, tells, deletes and clears, one by one and many at a time', async () => {
    const keyv = open();
    assert.equal(await keyv.set('a', { n: [1, null, 'x'] }), true);
    assert.deepEqual(await keyv.get('a'), { n: [1, null, 'x'] });
    assert.equal(await keyv.get('none'), undefined);
    assert.deepEqual([await keyv.has('a'), await keyv.has('none')], [true, false]);
    assert.deepEqual([await keyv.delete('a'), await keyv.delete('a')], [true, false]);
    const many = Array.from({ length: 250 }, (_, i) => ({ key: `k${i}`, value: i }));
    await keyv.setMany([...many, { key: 'k0', value: 'last' }]);
    assert.deepEqual(await keyv.get(['k0', 'none', 'k249']), ['last', undefined, 249]);
    assert.equal(await keyv.delete(['k1', 'none']), true);
    assert.equal(await keyv.delete(['none']), false);
    await keyv.clear();
    assert.equal((await store.client.getRange({ prefix: '' })).count, 0);
  });

  it('namespaces do not see each other, and are gone through by themselves', async () => {
    const [one, two] = [open('one'), open('two')];
    await one.set('k', 1);
    await two.set('k', 2);
    await two.set('l', 3);
    const found: unknown[] = [];
    for await (const entry of two.iterator?.(undefined) ?? []) found.push(entry);
    assert.deepEqual(found, [['k', 2], ['l', 3]]);
    await one.clear();
    assert.deepEqual([await one.get('k'), await two.get('k')], [undefined, 2]);
  });

  it('what has expired is gone from the store, too, and keys with one time to live share leases', async () => {
    const keyv = open();
    for (let i = 0; i < 20; i++) await keyv.set(`t${i}`, i, 60_000);
    await keyv.set('stays', 1);
    assert.equal((await store.client.lease.list()).ids.length, 1);
    await store.advance(60_000);
    assert.equal((await store.client.getRange({ prefix: 'keyv/' })).count, 21);
    await store.advance(10_000);
    assert.equal((await store.client.getRange({ prefix: 'keyv/' })).count, 1);
    await keyv.set('t0', 'again', 60_000);
    assert.equal(await keyv.get('t0'), 'again');
  });

  it('what is not serialized is refused by name', async () => {
    await assert.rejects(new KeyvKintsugi({ client: store.client }).set('k', { a: 1 }), /"k" is not serialized/);
  });
});

/** The contract of unstorage's drivers, as documented: its own tests are not published. */
describe('the driver for unstorage', () => {
  let store: MemoryStore;
  let storage: Storage;

  before(async () => {
    store = await openMemory();
  });

  after(() => store.close());

  beforeEach(async () => {
    await store.client.delete({ prefix: '' });
    await store.client.put('beyond', 'x');
    storage = createStorage({ driver: kintsugiDriver({ client: store.client, base: 'app' }) });
  });

  afterEach(() => storage.dispose());

  it('has, gets, sets and removes items, of any value that unstorage knows', async () => {
    assert.equal(await storage.hasItem('s1:a'), false);
    assert.equal(await storage.getItem('s1:a'), null);
    await storage.setItem('s1:a', 'test_data');
    await storage.setItem('s2:a', { nested: [1, true, null] });
    await storage.setItem('s3:a', 17);
    assert.equal(await storage.hasItem('s1:a'), true);
    assert.equal(await storage.getItem('s1:a'), 'test_data');
    assert.deepEqual(await storage.getItem('s2:a'), { nested: [1, true, null] });
    assert.equal(await storage.getItem('s3:a'), 17);
    await storage.setItem('json', { toJSON: () => ({ from: 'toJSON' }) });
    assert.deepEqual(await storage.getItem('json'), { from: 'toJSON' });
    await storage.removeItem('s1:a');
    assert.equal(await storage.hasItem('s1:a'), false);
    assert.equal(await storage.getItem('s1:a'), null);
  });

  it('gives keys below a base, and clears there alone', async () => {
    for (const key of ['s1:a', 's2:a', 's3:a', 's1:b:c']) await storage.setItem(key, 1);
    assert.deepEqual((await storage.getKeys()).sort(), ['s1:a', 's1:b:c', 's2:a', 's3:a']);
    assert.deepEqual((await storage.getKeys('s1')).sort(), ['s1:a', 's1:b:c']);
    // unstorage itself clears mounts, not what is below a key.
    await storage.getMount().driver.clear?.('s1:', {});
    assert.deepEqual((await storage.getKeys()).sort(), ['s2:a', 's3:a']);
    await storage.clear();
    assert.deepEqual(await storage.getKeys(), []);
    assert.ok(await store.client.get('beyond'));
  });

  it('raw items are bytes, and come back as they were', async () => {
    const raw = Uint8Array.of(0, 1, 254, 255);
    await storage.setItemRaw('raw', raw);
    assert.deepEqual([...((await storage.getItemRaw<Uint8Array>('raw')) ?? [])], [...raw]);
    assert.equal(await storage.getItemRaw('none'), null);
  });

  it('sets and gets many at a time', async () => {
    await storage.setItems(Array.from({ length: 150 }, (_, i) => ({ key: `k${i}`, value: `v${i}` })));
    assert.deepEqual(await storage.getItems(['k0', 'k149', 'none']), [
      { key: 'k0', value: 'v0' }, { key: 'k149', value: 'v149' }, { key: 'none', value: null },
    ]);
  });

  it('an item with a time to live goes by itself, and tells how long that is', async () => {
    await storage.setItem('t', 'x', { ttl: 10 });
    const meta = await storage.getMeta('t');
    assert.ok(Number(meta['ttl']) >= 10 && Number(meta['ttl']) <= 12);
    await store.advance(10_000);
    assert.ok(await storage.hasItem('t'));
    await store.advance(5_000);
    assert.equal(await storage.hasItem('t'), false);
  });

  it('watches changes below its base, until it is unwatched', async () => {
    const seen: string[] = [];
    let heard: () => void = () => undefined;
    const unwatch = await storage.watch((event, key) => {
      seen.push(`${event} ${key}`);
      heard();
    });
    const next = (): Promise<void> => new Promise((resolve) => (heard = resolve));
    const first = next();
    await store.client.put('elsewhere', '1');
    await store.client.put('app:a', '1');
    await first;
    const second = next();
    await store.client.delete('app:a');
    await second;
    assert.deepEqual(seen, ['update a', 'remove a']);
    await unwatch();
  });

  it('a client that was given outlives it', async () => {
    await storage.setItem('a', 1);
    await storage.dispose();
    assert.ok(await store.client.get('app:a'));
  });
});
