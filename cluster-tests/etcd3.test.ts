import assert from 'node:assert/strict';
import { Etcd3 } from 'etcd3';
import { withCluster } from './harness.js';

describe('npm etcd3 1.1.2, unmodified', function () {
  this.timeout(30_000);
  const fixture = withCluster('etcd3');
  let client: Etcd3;

  before(() => {
    client = new Etcd3({ hosts: fixture.cluster.urls });
  });

  after(() => client.close());

  it('puts, gets and deletes one key', async () => {
    assert.equal(await client.get('one').string(), null);
    await client.put('one').value('first');
    assert.equal(await client.get('one').string(), 'first');
    await client.put('one').value(JSON.stringify({ n: 2 }));
    assert.deepEqual(await client.get('one').json(), { n: 2 });
    const { deleted } = await client.delete().key('one');
    assert.equal(deleted, '1');
    assert.equal(await client.get('one').string(), null);
  });

  it('keeps bytes as they are', async () => {
    const value = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    await client.put('bytes').value(value);
    assert.deepEqual(await client.get('bytes').buffer(), value);
  });

  it('reads many keys: by prefix, sorted, limited, counted, keys only', async () => {
    for (const n of [3, 1, 2]) await client.put(`many/${n}`).value(`value ${n}`);
    assert.deepEqual(await client.getAll().prefix('many/').strings(), {
      'many/1': 'value 1', 'many/2': 'value 2', 'many/3': 'value 3',
    });
    assert.deepEqual(await client.getAll().prefix('many/').sort('Key', 'Descend').limit(2).keys(), ['many/3', 'many/2']);
    assert.deepEqual(await client.getAll().prefix('many/').sort('Mod', 'Ascend').keys(), ['many/3', 'many/1', 'many/2']);
    assert.equal(await client.getAll().prefix('many/').count(), 3);
    assert.deepEqual(await client.namespace('many/').getAll().keys(), ['1', '2', '3']);
  });

  it('reads a range as of an earlier revision', async () => {
    const { header } = await client.put('past').value('then');
    await client.put('past').value('now');
    assert.equal(await client.get('past').revision(header.revision).string(), 'then');
    assert.equal(await client.get('past').serializable(false).string(), 'now');
  });

  it('deletes many keys and returns what was there', async () => {
    await client.put('gone/a').value('1');
    await client.put('gone/b').value('2');
    const kvs = await client.delete().prefix('gone/').getPrevious();
    assert.deepEqual(kvs.map((kv) => kv.value.toString()), ['1', '2']);
    assert.equal(await client.getAll().prefix('gone/').count(), 0);
  });

  it('runs if().then().else() both ways', async () => {
    await client.put('txn').value('a');
    const swap = (from: string, to: string) =>
      client.if('txn', 'Value', '==', from).then(client.put('txn').value(to)).else(client.get('txn')).commit();
    const first = await swap('a', 'b');
    assert.equal(first.succeeded, true);
    assert.equal(await client.get('txn').string(), 'b');
    const second = await swap('a', 'c');
    assert.equal(second.succeeded, false);
    assert.equal(second.responses[0]?.response_range?.kvs[0]?.value.toString(), 'b');
    const create = await client.if('fresh', 'Create', '==', 0).then(client.put('fresh').value('made')).commit();
    assert.equal(create.succeeded, true);
  });

  it('reports errors with the words of etcd', async () => {
    await assert.rejects(client.get('past').revision(1_000_000).string(), /required revision is a future revision/);
    await assert.rejects(Promise.resolve(client.put('').value('x')), /key is not provided/);
  });
});
