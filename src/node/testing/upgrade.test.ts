import assert from 'node:assert/strict';
import { codeOf } from '../../base/errors.js';
import { get, put } from '../../api/testing/requests.js';
import { sealed } from '../../replica/entry/testing/sealed.js';
import { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { load } from './load.js';
import { calm } from './surroundings.js';

type Three = [ClusterNode, ClusterNode, ClusterNode];

describe('upgrading a cluster member by member', function () {
  this.timeout(60_000);
  let cluster: Cluster;

  const versions = (): number[] => cluster.nodes.map((node) => node.store.status().clusterVersion);

  /** One by one, as an operator does. */
  async function restart(node: ClusterNode, newest: number): Promise<void> {
    await cluster.stop(node);
    node.newestVersion = newest;
    await cluster.up(node);
    await cluster.leader();
  }

  afterEach(() => cluster.close());

  it('S1 the version is raised through the log once all members know it, and not before', async () => {
    cluster = new Cluster(calm);
    const [one, two, three] = cluster.nodes as Three;
    one.newestVersion = two.newestVersion = 2;
    three.newestVersion = 1;
    await cluster.upAll();
    await cluster.leader();
    await load(cluster, 0, 300);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    assert.deepEqual(versions(), [1, 1, 1]);
    await restart(three, 2);
    await cluster.until('the new version', () => versions().every((version) => version === 2));
    await load(cluster, 300, 600);
    for (const node of cluster.nodes) await cluster.kill(node);
    await cluster.upAll();
    await cluster.until('the version after a restart', () => versions().every((version) => version === 2));
  });

  it('S1 a member whose program is older than the version of the cluster is refused, or waits, and loses nothing', async () => {
    cluster = new Cluster(calm);
    const [, , three] = cluster.nodes as Three;
    for (const node of cluster.nodes) node.newestVersion = 2;
    await cluster.upAll();
    await cluster.leader();
    await cluster.until('the new version', () => versions().every((version) => version === 2));
    const flushed = three.store.status().flushedIndex;
    for (let i = 0; three.store.status().flushedIndex === flushed; i += 200) await load(cluster, i, i + 200);
    await cluster.stop(three);
    three.newestVersion = 1;
    await assert.rejects(cluster.up(three), (error) => codeOf(error) === 'CLUSTER_NEWER');
    three.newestVersion = 2;
    await cluster.up(three);
    await cluster.settled();
  });

  it('S1 an entry of a kind that nobody knows stops no member: reads of what was applied go on, and a newer program goes on', async () => {
    cluster = await Cluster.start(calm);
    const leader = await cluster.leader();
    await leader.store.put(put('a', '1'));
    assert.ok(leader.replica.driver.proposeAsLeader(sealed(99, 1)));
    await cluster.until('all to wait', () => cluster.nodes.every((node) => node.replica.applier.blockedBy !== undefined));
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.deepEqual(cluster.failures, []);
    for (const node of cluster.nodes) {
      const { kvs } = await node.store.range({ ...get('a'), serializable: true });
      assert.equal(kvs.length, 1);
      assert.match(node.store.status().errors.join(), /newer program/);
    }
    for (const node of cluster.nodes) await cluster.kill(node);
    await cluster.upAll();
    await cluster.until('all to wait again', () => cluster.nodes.every((node) => node.replica.applier.blockedBy !== undefined));
    assert.deepEqual(cluster.failures, []);
  });

  it('S1 a proposal that was damaged on its way to the leader ends nobody, and what is asked for later is done', async () => {
    cluster = await Cluster.start(calm);
    const follower = await cluster.follower();
    await follower.store.put(put('a', '1'));
    follower.replica.driver.propose(Uint8Array.of(2 ^ 64, 1, 1, 1));
    follower.replica.driver.propose(sealed(2, 1));
    await follower.store.put(put('b', '2'));
    await cluster.settled();
    for (const node of cluster.nodes) await cluster.kill(node);
    await cluster.upAll();
    await cluster.settled();
  });
});
