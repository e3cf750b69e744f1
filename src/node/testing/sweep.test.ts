import assert from 'node:assert/strict';
import { get, put } from '../../api/testing/requests.js';
import { Cluster } from './cluster.js';
import { calm } from './surroundings.js';

describe('table files that nothing names', function () {
  this.timeout(60_000);
  let cluster: Cluster;
  afterEach(() => cluster.close());

  it('S5 go while the node runs; named ones stay', async () => {
    cluster = await Cluster.start(calm);
    for (let i = 0; i < 400; i++) await cluster.nodes[i % 3]?.store.put(put(`k${i}`, 'v'.repeat(200)));
    await cluster.settled();
    const node = await cluster.follower();
    const named = node.replica.tree.materialized.list().map(({ id }) => `${id}.sst`);
    const { nextTableId } = node.replica.tree.latest;
    const stray = Array.from({ length: nextTableId }, (_, id) => `${id}.sst`).filter((name) => !named.includes(name));
    assert.ok(named.length > 0 && stray.length > 0);
    for (const name of stray) node.disk.openSync(`tables/${name}`, 'create').close();
    for (;;) {
      const left = new Set(await node.disk.list('tables'));
      if (!stray.some((name) => left.has(name))) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const left = new Set(await node.disk.list('tables'));
    assert.ok(named.every((name) => left.has(name)));
    assert.equal((await node.store.range(get('k7', true))).kvs.length, 1);
  });
});
