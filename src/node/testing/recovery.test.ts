import assert from 'node:assert/strict';
import { fromUtf8 } from '../../base/bytes.js';
import { seededRandom } from '../../base/testing/seeded-random.js';
import { ChaosCluster, type ChaosNode } from './chaos-cluster.js';
import { load, valueOf } from './chaos-load.js';
import { get } from '../../api/testing/requests.js';

const KEYS = 120;

async function check(cluster: ChaosCluster, last: number): Promise<void> {
  for (const node of cluster.alive) {
    for (let i = last - KEYS; i < last; i += 7) {
      const { kvs } = await node.store.range(get(`key${i % KEYS}`));
      assert.equal(kvs[0] && fromUtf8(kvs[0].value), valueOf(i));
    }
  }
}

describe('recovery of a whole cluster', function () {
  this.timeout(60_000);
  let cluster: ChaosCluster;

  beforeEach(async () => {
    cluster = new ChaosCluster(seededRandom(5));
    await Promise.all(cluster.nodes.map((node) => cluster.up(node)));
    await cluster.until('a leader', 10_000, () => cluster.leader() !== undefined);
  });

  afterEach(async () => {
    for (const node of cluster.nodes) await cluster.stop(node);
    assert.deepEqual(cluster.faults, []);
  });

  it('D1 compactions that no member recorded before all lost power are made again from the log', async () => {
    for (const node of cluster.nodes) node.life.stalled = (path) => path.startsWith('manifest/');
    let written = 0;
    const compacted = (): boolean => cluster.nodes.every(({ replica }) => replica.tree.materialized.levels.slice(1).flat().length > 0);
    while (!compacted() && written < 4_000) await load(cluster, written, (written += 100), KEYS);
    assert.ok(compacted(), 'something was compacted');
    for (const { replica } of cluster.nodes) assert.equal(replica.tree.durable.list().length, 0, 'and nothing of it recorded');
    for (const node of cluster.nodes) cluster.crash(node);
    await Promise.all(cluster.nodes.map((node) => cluster.up(node)));
    await cluster.settled(20_000);
    await check(cluster, written);
  });

  it('S5 the log is not shortened while it and the manifest of a snapshot do not belong together yet', async () => {
    const { follower, written } = await behindTheLog();
    let since = 0;
    await cluster.up(follower);
    const { replica } = follower;
    follower.life.stalled = (path) => {
      const between = path.startsWith('log/') && replica.tree.durable.flushed.index > replica.log.lastIndex();
      if (between) since ||= performance.now();
      // Longer than the interval at which logs are shortened.
      return between && performance.now() - since < 1_300;
    };
    await cluster.settled(20_000);
    assert.ok(since > 0, 'the moment was met');
    assert.equal(follower.store.status().snapshots.received, 1);
    await check(cluster, written);
  });

  it('D1 power lost between the manifest and the log of a snapshot: the next start goes on from there', async () => {
    const { follower, written } = await behindTheLog();
    let met = false;
    await cluster.up(follower);
    const { replica } = follower;
    follower.life.stalled = (path) => {
      const between = path.startsWith('log/') && replica.tree.durable.flushed.index > replica.log.lastIndex();
      met ||= between;
      return between;
    };
    await cluster.until('the moment', 10_000, () => met);
    cluster.crash(follower);
    await load(cluster, written, written + 100, KEYS);
    await cluster.up(follower);
    await cluster.settled(20_000);
    await check(cluster, written + 100);
  });

  /** A follower that is down, and whose next entry the others no longer have. */
  async function behindTheLog(): Promise<{ follower: ChaosNode; written: number }> {
    let written = 0;
    while (written < 300) await load(cluster, written, (written += 100), KEYS);
    const follower = cluster.nodes.find((node) => node !== cluster.leader()) as ChaosNode;
    const last = follower.replica.log.lastIndex();
    cluster.crash(follower);
    const gone = (): boolean => cluster.alive.every((node) => node.store.status().firstLogIndex > last + 1);
    while (!gone() && written < 4_000) await load(cluster, written, (written += 100), KEYS);
    assert.ok(gone());
    return { follower, written };
  }
});
