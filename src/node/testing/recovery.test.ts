import assert from 'node:assert/strict';
import { fromUtf8 } from '../../base/bytes.js';
import type { CrashDisk } from '../../base/disk/testing/crash-disk.js';
import { seededRandom } from '../../base/testing/seeded-random.js';
import { Chaos } from './chaos-env.js';
import { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { load, valueOf } from './load.js';
import { get } from '../../api/testing/requests.js';

const KEYS = 120;

async function check(cluster: Cluster<CrashDisk>, last: number): Promise<void> {
  for (const node of cluster.alive) {
    for (let i = last - KEYS; i < last; i += 7) {
      const { kvs } = await node.store.range(get(`key${i % KEYS}`));
      assert.equal(kvs[0] && fromUtf8(kvs[0].value), valueOf(i));
    }
  }
}

describe('recovery of a whole cluster', function () {
  this.timeout(60_000);
  let cluster: Cluster<CrashDisk>;

  beforeEach(async () => {
    cluster = await Cluster.start(new Chaos(seededRandom(5)));
  });

  afterEach(() => cluster.close());

  it('D1 compactions that no member recorded before all lost power are made again from the log', async () => {
    for (const node of cluster.nodes) node.process.stalled = (path) => path.startsWith('manifest/');
    let written = 0;
    const compacted = (): boolean => cluster.nodes.every(({ replica }) => replica.tree.materialized.levels.slice(1).flat().length > 0);
    while (!compacted() && written < 4_000) await load(cluster, written, (written += 100), KEYS);
    assert.ok(compacted(), 'something was compacted');
    for (const { replica } of cluster.nodes) assert.equal(replica.tree.durable.list().length, 0, 'and nothing of it recorded');
    for (const node of cluster.nodes) cluster.crash(node);
    await cluster.upAll();
    await cluster.settled(20_000);
    await check(cluster, written);
  });

  it('S5 the log is not shortened while it and the manifest of a snapshot do not belong together yet', async () => {
    const { follower, written } = await behindTheLog();
    let since = 0;
    await cluster.up(follower);
    const { replica } = follower;
    follower.process.stalled = (path) => {
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
    follower.process.stalled = (path) => {
      const between = path.startsWith('log/') && replica.tree.durable.flushed.index > replica.log.lastIndex();
      met ||= between;
      return between;
    };
    await cluster.until('the moment', () => met);
    cluster.crash(follower);
    await load(cluster, written, written + 100, KEYS);
    await cluster.up(follower);
    await cluster.settled(20_000);
    await check(cluster, written + 100);
  });

  /** A follower that is down, and whose next entry the others no longer have. */
  async function behindTheLog(): Promise<{ follower: ClusterNode<CrashDisk>; written: number }> {
    let written = 0;
    while (written < 300) await load(cluster, written, (written += 100), KEYS);
    const follower = await cluster.follower();
    const last = follower.replica.log.lastIndex();
    cluster.crash(follower);
    const gone = (): boolean => cluster.alive.every((node) => node.store.status().firstLogIndex > last + 1);
    while (!gone() && written < 4_000) await load(cluster, written, (written += 100), KEYS);
    assert.ok(gone());
    return { follower, written };
  }
});
