import assert from 'node:assert/strict';
import { fromUtf8, utf8 } from '../../base/bytes.js';
import { get, put } from '../../api/testing/requests.js';
import { USER_SPACE } from '../../storage/base/read-view.js';
import { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { assertEqualTrees } from './equal-trees.js';
import { load } from './load.js';
import { calm } from './surroundings.js';

const VALUE = 'x'.repeat(64);

/** In the memtable of one member alone: the bytes are the arena's own. */
async function flipInMemory(cluster: Cluster, { replica }: ClusterNode): Promise<void> {
  const found = (): { readonly value: Uint8Array } | undefined => replica.tree.current.get(USER_SPACE, utf8('victim'), 1e9);
  await cluster.until('the entry to be applied', () => found() !== undefined);
  const { value } = found() ?? assert.fail();
  const at = fromUtf8(value).indexOf(VALUE);
  assert.ok(at >= 0);
  value[at + 10] = (value[at + 10] as number) ^ 1;
}

function disagreements({ events }: ClusterNode): number {
  return events.filter(({ type }) => type === 'digest-disagreed').length;
}

describe('a bit that flips in a memtable while a third member is down', function () {
  this.timeout(60_000);
  let cluster: Cluster;
  afterEach(() => cluster.close());

  for (const whose of ['a follower', 'the leader'] as const) {
    it(`S6 H4 of ${whose} is told, and undone from the log: flushes go on, and the value is right everywhere`, async () => {
      cluster = await Cluster.start(calm);
      const leader = await cluster.leader();
      const [follower, dead] = cluster.nodes.filter((node) => node !== leader) as [ClusterNode, ClusterNode];
      await cluster.kill(dead);
      await leader.store.put(put('victim', VALUE));
      await flipInMemory(cluster, whose === 'the leader' ? leader : follower);
      const flushed = leader.replica.tree.latest.flushed.index;
      await load(cluster, 0, 2000);
      await cluster.until('what was flushed to be agreed on', () => leader.replica.tree.latest.flushed.index > flushed);
      assert.ok(disagreements(leader) >= 1, 'and it was said');
      await load(cluster, 2000, 3000);
      for (const { store } of [leader, follower]) {
        const { kvs } = await store.range(get('victim'));
        assert.equal(kvs[0] && fromUtf8(kvs[0].value), VALUE);
      }
      await cluster.up(dead);
      await cluster.settled();
      assertEqualTrees(cluster.nodes);
    });
  }
});
