import assert from 'node:assert/strict';
import { ClientError, CompactedError } from '../client/client.js';
import { openMemory, type MemoryStore } from './memory.js';

async function code(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(() => undefined, (reason: unknown) => reason);
  assert.ok(error instanceof ClientError, String(error));
  return error.code;
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('a store in memory', () => {
  let store: MemoryStore;

  beforeEach(async () => {
    store = await openMemory();
  });

  afterEach(() => store.close());

  it('is the real state machine: revisions, versions, ranges, history, refusals in etcd\'s words', async () => {
    const { client } = store;
    const { revision } = await client.put('a', 'one');
    await client.put('a', 'two');
    await client.put('b', 'three');
    const kv = await client.get('a');
    assert.deepEqual([kv?.createRevision, kv?.modRevision, kv?.version], [revision, revision + 1, 2]);
    assert.equal(Buffer.from((await client.get('a', { revision }))?.value ?? []).toString(), 'one');
    assert.equal((await client.getRange({ prefix: '' })).count, 2);
    const keys: string[] = [];
    for await (const { key } of client.stream({ prefix: '' })) keys.push(Buffer.from(key).toString());
    assert.deepEqual(keys, ['a', 'b']);
    await client.compact(revision + 1);
    assert.equal(await code(client.get('a', { revision })), 'OUT_OF_RANGE');
    assert.equal(await code(client.put('', 'x')), 'INVALID_ARGUMENT');
    assert.equal((await client.status()).leader, (await client.memberList()).members[0]?.id);
    assert.equal(await client.health(), 'SERVING');
  });

  it('watches from any revision that is left, and says which is when it is gone', async () => {
    const { client } = store;
    const { revision } = await client.put('w', '1');
    await client.put('w', '2');
    const seen: string[] = [];
    for await (const { kv } of client.watchEvents('w', { startRevision: revision })) {
      seen.push(Buffer.from(kv.value).toString());
      if (seen.length === 2) void client.put('w', '3');
      if (seen.length === 3) break;
    }
    assert.deepEqual(seen, ['1', '2', '3']);
    await client.compact(revision + 2);
    const gone: unknown = await all(client.watchEvents('w', { startRevision: revision })).catch((error: unknown) => error);
    assert.ok(gone instanceof CompactedError);
    assert.equal(gone.compactRevision, revision + 2);
  });

  it('leases end when their time has come and not before, and those that are held go on', async () => {
    const { client } = store;
    const { id } = await client.lease.grant({ ttl: 5 });
    assert.equal((await client.lease.timeToLive(id)).ttl, 5);
    const held = await client.lease.hold({ ttl: 5 });
    await client.put('let go', 'x', { lease: id });
    await client.put('held', 'x', { lease: held.id });
    await store.advance(4_900);
    assert.ok(await client.get('let go'));
    await store.advance(2_000);
    assert.equal(await client.get('let go'), undefined);
    await store.advance(60_000);
    assert.ok(await client.get('held'));
    assert.equal(held.lost.aborted, false);
    await held.revoke();
    assert.equal(await client.get('held'), undefined);
  });

  it('the same calls give the same, ids of leases included, in every run', async () => {
    const run = async (): Promise<unknown> => {
      await using other = await openMemory({ seed: 7 });
      const lease = await other.client.lease.grant({ ttl: 10 });
      const put = await other.client.put('a', 'b', { lease: lease.id });
      await other.advance(3_333);
      return [lease, put, (await other.client.lease.timeToLive(lease.id)).ttl, other.now];
    };
    assert.deepEqual(await run(), await run());
  });

  it('its own client may do all, and a user only what it was granted', async () => {
    const { client } = store;
    await client.auth.roleAdd('reader');
    await client.auth.roleGrantPermission('reader', 'read', { prefix: 'open/' });
    await client.auth.userAdd('root', { password: 'r' });
    await client.auth.userGrantRole('root', 'root');
    await client.auth.userAdd('eve', { password: 'e' });
    await client.auth.userGrantRole('eve', 'reader');
    await client.auth.enable();
    await client.put('open/a', '1');
    await client.put('closed', '2');
    const eve = store.clientAs({ name: 'eve', password: 'e' });
    assert.ok(await eve.get('open/a'));
    assert.equal(await code(eve.get('closed')), 'PERMISSION_DENIED');
    assert.equal(await code(eve.put('open/a', '3')), 'PERMISSION_DENIED');
    assert.equal(await code(eve.memberRemove(1n)), 'PERMISSION_DENIED');
    const watching = eve.watch('closed')[Symbol.asyncIterator]();
    assert.equal(await code(watching.next()), 'PERMISSION_DENIED');
    assert.equal(await code(store.clientAs({ name: 'eve', password: 'wrong' }).get('open/a')), 'INVALID_ARGUMENT');
    const root = store.clientAs({ name: 'root', password: 'r' });
    await root.put('closed', '4');
    await client.auth.disable();
  });

  it('a call ends at its deadline, by its signal and with the store, and leaves no timer behind', async () => {
    const { client } = store;
    const aborting = new AbortController();
    const watch = client.watch('a', { signal: aborting.signal })[Symbol.asyncIterator]();
    await watch.next();
    const next = watch.next();
    aborting.abort();
    assert.equal(await code(next), 'CANCELLED');
    assert.equal(await code(client.get('a', { signal: AbortSignal.abort() })), 'CANCELLED');
    assert.equal(await code(client.get('a', { endpoint: '127.0.0.1:1' })), 'INVALID_ARGUMENT');
    const open = client.watch('a')[Symbol.asyncIterator]();
    await open.next();
    const last = open.next();
    await store.close();
    assert.equal(await code(last), 'CANCELLED');
    assert.equal(await code(client.get('a')), 'CANCELLED');
    assert.deepEqual(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length <= 1, true);
  });
});
