import assert from 'node:assert/strict';
import { MemoryDisk } from '../base/disk/memory-disk.js';
import { ReplicaError } from './errors.js';
import { get, put, TestCluster } from './testing/test-cluster.js';

describe('a member whose data directory was emptied', function () {
  this.timeout(30_000);
  let cluster: TestCluster;
  afterEach(() => cluster.stop());

  it('R1 D1 is refused however often it starts, while the others serve', async () => {
    cluster = await TestCluster.start();
    const node = await cluster.follower();
    await node.store.put(put('a', '1'));
    await cluster.kill(node);
    (node as { disk: MemoryDisk }).disk = new MemoryDisk();
    for (let start = 0; start < 2; start++) {
      await assert.rejects(cluster.up(node), (error) => error instanceof ReplicaError && error.code === 'EMPTIED');
      assert.equal(node.disk.sizeOf('hardstate'), undefined);
      await cluster.kill(node);
    }
    const [other] = cluster.alive;
    assert.equal((await other?.store.range(get('a')))?.kvs.length, 1);
  });
});
