import assert from 'node:assert/strict';
import { fromUtf8 } from '../../base/bytes.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import { get, put } from '../../api/testing/requests.js';
import { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { assertEqualTrees } from './equal-trees.js';
import { rewrite } from './files.js';
import { calm } from './surroundings.js';

const KEYS = 900;

function value(i: number): string {
  return `${i}-`.padEnd(180, String((i * 2654435761) % 1000003));
}

async function load(cluster: Cluster): Promise<void> {
  for (let at = 0; at < KEYS; at += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, i) => (cluster.nodes[i % 3] as ClusterNode).store.put(put(`k${at + i}`, value(at + i)))));
  }
  await cluster.settled();
}

function tables(node: ClusterNode): readonly TableMeta[] {
  return node.replica.tree.materialized.list();
}

/**
 * A reader of everything, through every node, both ways; returns the wrong, missing or failed
 * reads.
 */
async function audit(cluster: Cluster): Promise<string[]> {
  const bad: string[] = [];
  for (const node of cluster.alive) {
    for (let i = 0; i < KEYS; i += 7) {
      for (const serializable of [true, false]) {
        try {
          const { kvs } = await node.store.range(get(`k${i}`, serializable));
          const got = kvs[0] && fromUtf8(kvs[0].value);
          if (got !== value(i)) bad.push(`node ${node.id} k${i}: ${got ?? 'missing'}`);
        } catch (error) {
          bad.push(`node ${node.id} k${i}: ${String(error)}`);
        }
      }
    }
  }
  return bad;
}

async function healed(cluster: Cluster): Promise<void> {
  await cluster.until('the hints to drain', () => cluster.alive.every((node) => node.store.hints().length === 0));
  await cluster.settled();
  for (const node of cluster.alive) {
    const report = await node.store.scrub(() => undefined);
    assert.equal(report.faults, 0, `node ${node.id}: a second scrub finds nothing`);
  }
  assertEqualTrees(cluster.nodes);
}

describe('healing in a cluster', function () {
  this.timeout(60_000);
  let cluster: Cluster;
  beforeEach(async () => {
    cluster = await Cluster.start(calm);
    await load(cluster);
  });
  afterEach(() => cluster.close());

  for (const role of ['follower', 'leader'] as const) {
    it(`H2 H3 flips within parity on the ${role} are corrected, hinted, healed through the log, and gone`, async () => {
      const node = role === 'leader' ? await cluster.leader() : await cluster.follower();
      for (const { id } of tables(node)) {
        await rewrite(node.disk, tablePath(id), (bytes) => {
          for (let at = 700; at < bytes.length; at += 4096) bytes[at] = (bytes[at] as number) ^ 0x10;
        });
      }
      await node.store.scrub(() => undefined);
      assert.deepEqual(await audit(cluster), []);
      const before = tables(node).length;
      await healed(cluster);
      assert.ok(before > 0 && cluster.nodes.every((other) => other.store.status().heal.healsApplied > 0));
    });
  }

  it('D1 different tables beyond parity on each of the three nodes at once: everything is read and mended', async () => {
    const all = tables(cluster.nodes[0] as ClusterNode);
    for (const [j, { id }] of all.entries()) {
      const { disk } = cluster.nodes[j % 3] as ClusterNode;
      await rewrite(disk, tablePath(id), (bytes) => bytes.fill(0xa5, 200, Math.min(bytes.length, 12_000)));
    }
    assert.deepEqual(await audit(cluster), []);
    for (const node of cluster.nodes) await node.store.scrub(() => undefined);
    await healed(cluster);
    assert.deepEqual(await audit(cluster), []);
  });

  it('D1 H5 deleted, truncated and zeroed tables on a stopped follower are mended after its restart', async () => {
    const node = await cluster.follower();
    await cluster.kill(node);
    const own = tables(node);
    assert.ok(own.length >= 3);
    await node.disk.unlink(tablePath((own[0] as TableMeta).id));
    const cut = node.disk.openSync(tablePath((own[1] as TableMeta).id), 'write');
    await cut.truncate(5000);
    cut.close();
    await rewrite(node.disk, tablePath((own[2] as TableMeta).id), (bytes) => bytes.fill(0));
    await cluster.up(node);
    assert.deepEqual(await audit(cluster), []);
    await node.store.scrub(() => undefined);
    await healed(cluster);
  });
});
