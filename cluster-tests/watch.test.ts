import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Etcd3 } from 'etcd3';
import { withCluster } from './harness.js';

describe('watches of npm etcd3 1.1.2, unmodified', function () {
  this.timeout(30_000);
  const fixture = withCluster('watch');
  let client: Etcd3;

  before(() => {
    client = new Etcd3({ hosts: fixture.cluster.urls });
  });

  after(() => client.close());

  it('hear of puts and deletes as they happen, of a key and of a prefix', async () => {
    const key = await client.watch().key('watched').create();
    const prefix = await client.watch().prefix('wat').withPreviousKV().create();
    const first = once(key, 'put');
    await client.put('watched').value('one');
    const [put] = await first;
    assert.equal(put.value.toString(), 'one');
    const gone = once(prefix, 'delete');
    await client.delete().key('watched');
    const [, previous] = await gone;
    assert.equal(previous.value.toString(), 'one');
    await Promise.all([key.cancel(), prefix.cancel()]);
  });

  it('begin in the past, and get all of it once and in order', async () => {
    const { header } = await client.put('past/0').value('0');
    for (let n = 1; n < 50; n++) await client.put(`past/${n % 7}`).value(String(n));
    const watcher = client.watch().prefix('past/').startRevision(header.revision).watcher();
    const seen: string[] = [];
    await new Promise<void>((resolve) => {
      watcher.on('put', (kv) => {
        seen.push(kv.value.toString());
        if (seen.length === 50) resolve();
      });
    });
    assert.deepEqual(seen, Array.from({ length: 50 }, (_, n) => String(n)));
    await watcher.cancel();
  });
});
