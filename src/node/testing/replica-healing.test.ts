import assert from 'node:assert/strict';
import { fromUtf8 } from '../../base/bytes.js';
import { get, put } from '../../api/testing/requests.js';
import { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { assertEqualTrees } from './equal-trees.js';
import { rot } from './files.js';
import { calm } from './surroundings.js';
import { tablePath } from '../../storage/table/table-meta.js';

const KEYS = 160;

describe('healing in whole replicas', () => {
  let cluster: Cluster;

  beforeEach(async () => {
    cluster = await Cluster.start(calm, { healing: { resendMs: 200, pollMs: 50 } });
    const leader = await cluster.leader();
    for (let i = 0; i < KEYS; i++) await leader.store.put(put(`k${i}`, `value ${i} `.repeat(60)));
    await cluster.until('tables', () => cluster.nodes.every((node) => node.store.status().manifest.tables.length > 0));
    await cluster.settled();
  });

  afterEach(() => cluster.close());

  function aTable(): number {
    const [first] = (cluster.nodes[0] as ClusterNode).store.status().manifest.tables;
    assert.ok(first);
    return first.id;
  }

  async function healed(without: number): Promise<void> {
    await cluster.until('the heal', () =>
      cluster.nodes.every((node) => {
        const status = node.store.status();
        return status.hints.length === 0 && status.owedTables === 0 && status.manifest.tables.every((table) => table.id !== without);
      }),
    );
    await cluster.settled();
    assertEqualTrees(cluster.nodes);
    for (const node of cluster.nodes) {
      for (let i = 0; i < KEYS; i += 7) {
        const { kvs } = await node.store.range(get(`k${i}`, true));
        assert.equal(fromUtf8(kvs[0]?.value ?? new Uint8Array(0)), `value ${i} `.repeat(60));
      }
      assert.equal((await node.store.scrub(() => undefined)).faults, 0);
    }
  }

  it('H1 S4 D1 rot on a follower, rot on the leader and a missing file: scrub finds them, the log heals them, all nodes agree', async () => {
    const leader = await cluster.leader();
    const [one, two] = cluster.nodes.filter((node) => node !== leader) as [ClusterNode, ClusterNode];
    const id = aTable();
    await rot(one.disk, tablePath(id), 1500, 1540);
    await rot(leader.disk, tablePath(id), 4000, 6500);
    await two.disk.unlink(tablePath(id));
    for (const node of cluster.nodes) assert.ok((await node.store.scrub(() => undefined)).faults > 0, `node ${node.id}`);
    await healed(id);
    assert.equal(leader.store.status().heal.healsProposed, 1);
  });

  it('S4 D1 a client read of a block beyond parity is answered with repaired bytes, and the table heals', async () => {
    const follower = await cluster.follower();
    await cluster.kill(follower);
    const id = aTable();
    const size = follower.disk.sizeOf(tablePath(id)) ?? 0;
    await rot(follower.disk, tablePath(id), 1000, size - 1000);
    await cluster.up(follower);
    for (let i = 0; i < KEYS; i++) {
      const { kvs } = await follower.store.range(get(`k${i}`, true));
      assert.equal(fromUtf8(kvs[0]?.value ?? new Uint8Array(0)), `value ${i} `.repeat(60));
    }
    assert.ok(follower.store.status().heal.repairedBlocks > 0);
    await healed(id);
  });

  it('H2 the node that holds the hint and the leader both restart, and the heal is done', async () => {
    const leader = await cluster.leader();
    const follower = await cluster.follower();
    const id = aTable();
    await rot(follower.disk, tablePath(id), 1500, 1540);
    await follower.store.scrub(() => undefined);
    await Promise.all([cluster.kill(leader), cluster.kill(follower)]);
    await Promise.all([cluster.up(leader), cluster.up(follower)]);
    await cluster.leader();
    await healed(id);
  });
});
