import assert from 'node:assert/strict';
import { put } from '../api/testing/requests.js';
import { fromUtf8 } from '../base/bytes.js';
import { all, openIn, restored, save, shown } from './testing/backups.js';
import { Cluster } from './testing/cluster.js';
import { load } from './testing/load.js';
import { calm } from './testing/surroundings.js';

describe('a backup of a cluster with leases', function () {
  this.timeout(30_000);
  const clusters: Cluster[] = [];

  afterEach(async () => {
    await Promise.all(clusters.splice(0).map((cluster) => cluster.close()));
  });

  for (const writes of [0, 400]) it(`C1 D1 leases are saved, from the memtable and from tables, and nobody stops for it (${writes} writes between)`, async () => {
    const cluster = await Cluster.start(calm);
    clusters.push(cluster);
    const [node] = cluster.nodes;
    assert.ok(node);
    const ids = [5n, 3n, -4n];
    for (const id of ids) {
      await node.store.lease.grant({ id, ttl: 100 });
      await node.store.put({ ...put(`leased${id}`, 'v'), lease: id });
    }
    await load(cluster, 0, writes);
    await node.store.lease.revoke(3n);
    await node.store.put(put('leased5', 'without'));
    const from = await save(node);
    assert.deepEqual(await (await openIn(from)).damages(), []);
    const copy = await restored(from);
    clusters.push(copy);
    const [member] = copy.nodes;
    assert.ok(member);
    assert.deepEqual((await member.store.lease.list()).ids, [5n, -4n]);
    const keysOf = async (id: bigint): Promise<string[]> => (await member.store.lease.timeToLive(id, true)).keys.map(fromUtf8);
    assert.deepEqual([await keysOf(-4n), await keysOf(5n), await keysOf(3n)], [['leased-4'], [], []]);
    assert.deepEqual(shown((await all(member)).kvs), shown((await all(node)).kvs));
  });
});
