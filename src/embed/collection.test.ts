import assert from 'node:assert/strict';
import { z } from 'zod';
import {
  bytes, ClientError, exists, json, missing, number, text, tuple, ValidationError, type Client, type Collection, type CollectionEvent,
} from '../client/client.js';
import { openMemory, type MemoryStore } from './memory.js';

interface User {
  readonly name: string;
  readonly age: number;
}

const UserSchema = z.object({ name: z.string().min(1), age: z.number().int(), since: z.coerce.date().optional() });

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

async function invalid(promise: Promise<unknown>): Promise<ValidationError> {
  const error: unknown = await promise.then(() => undefined, (reason: unknown) => reason);
  assert.ok(error instanceof ValidationError, String(error));
  assert.ok(error instanceof ClientError);
  return error;
}

describe('typed collections', () => {
  let store: MemoryStore;
  let client: Client;
  let users: Collection<string, User>;

  before(async () => {
    store = await openMemory();
    ({ client } = store);
  });

  after(() => store.close());

  beforeEach(async () => {
    await client.delete({ prefix: '' });
    users = client.collection('user/', json<User>());
  });

  it('gives what was put, with its revisions, and is seen by everybody else as plain keys', async () => {
    assert.equal(await users.get('ada'), undefined);
    const put = await users.put('ada', { name: 'Ada', age: 36 });
    const entry = await users.get('ada');
    assert.deepEqual(entry, {
      key: 'ada', value: { name: 'Ada', age: 36 }, createRevision: put.revision, modRevision: put.revision, version: 1, lease: 0n,
    });
    assert.equal(Buffer.from((await client.get('user/ada'))?.value ?? []).toString(), '{"name":"Ada","age":36}');
    assert.deepEqual((await users.put('ada', { name: 'Ada', age: 37 }, { prevKv: true })).previous?.value.age, 36);
    assert.equal(await users.delete('ada'), true);
    assert.equal(await users.delete('ada'), false);
  });

  it('ranges by prefix, from and to, one after the other or as a list, and never leaves the collection', async () => {
    for (const name of ['a', 'ab', 'b', 'c']) await users.put(name, { name, age: 1 });
    await client.put('user.', 'before');
    await client.put('user0', 'after');
    const keys = async (...args: Parameters<typeof users.range>): Promise<string> => (await all(users.range(...args))).map(({ key }) => key).join(' ');
    assert.equal(await keys(), 'a ab b c');
    assert.equal(await keys({ prefix: 'a' }), 'a ab');
    assert.equal(await keys({ from: 'ab' }), 'ab b c');
    assert.equal(await keys({ to: 'b' }), 'a ab');
    assert.equal(await keys({ from: 'ab', to: 'c' }), 'ab b');
    assert.equal(await keys({ key: 'b' }), 'b');
    assert.deepEqual((await users.list({}, { order: 'descend', limit: 2 })).map(({ key }) => key), ['c', 'b']);
    assert.equal(await users.count({ prefix: 'a' }), 2);
    assert.equal((await users.deleteRange({ prefix: 'a' })).deleted, 2);
    assert.equal((await users.deleteRange()).deleted, 2);
    assert.equal((await client.getRange({ prefix: '' })).count, 2);
  });

  it('tuples as keys have their own order, and prefixes that are tuples', async () => {
    const orders = client.collection('order/', number, tuple<readonly [string, number, boolean]>());
    const keys: [string, number, boolean][] = [['eu', 10, true], ['eu', 2, false], ['eu', -1.5, true], ['eux', 1, true], ['us', 0, false]];
    for (const [i, key] of keys.entries()) await orders.put(key, i);
    assert.deepEqual((await all(orders.range())).map(({ value }) => value), [2, 1, 0, 3, 4]);
    assert.deepEqual((await all(orders.range({ prefix: ['eu'] }))).map(({ key }) => key[1]), [-1.5, 2, 10]);
    assert.deepEqual((await orders.list({ from: ['eu', 2], to: ['us'] })).map(({ value }) => value), [1, 0, 3]);
    assert.deepEqual((await orders.get(['eu', 10, true]))?.key, ['eu', 10, true]);
    assert.equal(await orders.count({ prefix: [] }), 5);
    await client.put('order/nonsense', '1');
    const error = await invalid(all(orders.range()));
    assert.equal(Buffer.from(error.key).toString(), 'order/nonsense');
  });

  it('the whole of the store may be a collection', async () => {
    const everything = client.collection('', bytes);
    await everything.put('x', Uint8Array.of(1, 0, 255));
    assert.deepEqual((await everything.list()).map(({ key, value }) => [key, [...value]]), [['x', [1, 0, 255]]]);
    assert.deepEqual((await everything.list({ from: '' })).length, 1);
    assert.equal(await everything.count({ prefix: '' }), 1);
  });

  it('a schema is asked both ways: what would not be read is not written, and errors name key and place', async () => {
    const checked = client.collection('user/', json(UserSchema));
    await checked.put('ada', { name: 'Ada', age: 36, since: '2026-11-30T00:00:00Z' });
    const entry = await checked.get('ada');
    assert.ok(entry?.value.since instanceof Date);
    const refused = await invalid(checked.put('bob', { name: '', age: 1.5 }));
    assert.deepEqual([refused.code, refused.unsent, Buffer.from(refused.key).toString()], ['INVALID_ARGUMENT', true, 'user/bob']);
    assert.deepEqual(refused.issues.map(({ path }) => path), [['name'], ['age']]);
    assert.match(refused.message, /"user\/bob" is not written: name: /);
    assert.equal(await checked.get('bob'), undefined);
    await client.put('user/eve', '{"name":"Eve"}');
    const stored = await invalid(checked.get('eve'));
    assert.equal(stored.code, 'FAILED_PRECONDITION');
    assert.deepEqual(stored.issues[0]?.path, ['age']);
    await client.put('user/eve', '{');
    assert.match((await invalid(checked.get('eve'))).message, /"user\/eve" is not valid: .*JSON/);
    const later = client.collection('user/', json(z.string().refine(() => Promise.resolve(true))));
    assert.match((await invalid(later.put('x', 'y'))).message, /asynchronously/);
  });

  it('codecs refuse what they could not give back', async () => {
    await invalid(client.collection('n/', number).put('a', NaN));
    await client.put('n/a', 'many');
    await invalid(client.collection('n/', number).get('a'));
    await client.put('t/a', Uint8Array.of(0xff));
    await invalid(client.collection('t/', text).get('a'));
    await invalid(client.collection('j/', json()).put('a', undefined));
    await invalid(client.collection('j/', json()).put('a', 1n));
    const counts = client.collection('n/', number);
    for (const n of [0, -1.5, 1e300, Number.MIN_VALUE]) {
      await counts.put('b', n);
      assert.equal((await counts.get('b'))?.value, n);
    }
  });

  it('a watch gives typed changes, tells what is not valid as such, and ends with its scope', async () => {
    const { revision } = await users.put('a', { name: 'A', age: 1 });
    await users.put('a', { name: 'A', age: 2 });
    await client.put('user/b', '{');
    await users.delete('a');
    const seen: CollectionEvent<string, User>[] = [];
    {
      await using watch = users.watch({}, { startRevision: revision, prevKv: true });
      for await (const event of watch) if (seen.push(event) === 4) break;
    }
    const [created, changed, bad, deleted] = seen;
    assert.ok(created?.type === 'put' && created.previous === undefined && created.entry.value.age === 1);
    assert.ok(changed?.type === 'put' && changed.key === 'a' && changed.previous?.value.age === 1);
    assert.ok(bad?.type === 'invalid' && Buffer.from(bad.error.key).toString() === 'user/b' && bad.revision === revision + 2);
    assert.ok(deleted?.type === 'delete' && deleted.key === 'a' && deleted.previous?.value.age === 2);
    const open = users.watch();
    const over = all(open);
    setImmediate(() => open.close());
    assert.deepEqual(await over, []);
  });

  it('takes part in transactions, updates and stm, typed throughout', async () => {
    const ada = { name: 'Ada', age: 36 };
    const create = () => client.txn().if(missing(users.at('ada'))).then(users.op.put('ada', ada)).else(users.op.get('ada'), users.op.list());
    assert.equal((await create().commit()).succeeded, true);
    const second = await create().commit();
    assert.ok(!second.succeeded);
    assert.equal(second.results[0]?.value.name, 'Ada');
    assert.equal(second.results[1].length, 1);
    assert.ok((await client.txn().if(users.value('ada').equals(ada), exists(users.at('ada'))).commit()).succeeded);
    const older = await users.update('ada', (user) => user && { ...user, age: user.age + 1 });
    assert.equal(older.entry?.value.age, 37);
    await client.stm(async (tx) => {
      const user = await users.in(tx).get('ada');
      assert.ok(user);
      users.in(tx).put('lovelace', user);
      users.in(tx).delete('ada');
    });
    assert.deepEqual((await users.list()).map(({ key }) => key), ['lovelace']);
    await client.put('user/bad', '[');
    await invalid(users.update('bad', () => ada));
    assert.equal(Buffer.from((await client.get('user/bad'))?.value ?? []).toString(), '[');
    const removed = await client.txn().then(users.op.delete('lovelace'), users.op.deleteRange()).commit();
    assert.ok(removed.succeeded);
    assert.deepEqual(removed.results, [1, 1]);
  });
});
