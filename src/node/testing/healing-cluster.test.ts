import assert from 'node:assert/strict';
import { fromUtf8, toHex } from '../../base/bytes.js';
import { digest128 } from '../../base/digest.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import { get, put } from '../../api/testing/requests.js';
import { TestCluster, type TestNode } from './test-cluster.js';
import { Healing } from '../../healing/healing.js';

const KEYS = 900;

function value(i: number): string {
  return `${i}-`.padEnd(180, String((i * 2654435761) % 1000003));
}

async function load(cluster: TestCluster): Promise<void> {
  for (let at = 0; at < KEYS; at += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, i) => (cluster.nodes[i % 3] as TestNode).store.put(put(`k${at + i}`, value(at + i)))));
  }
  await cluster.settled();
}

function rewrite(node: TestNode, path: string, change: (bytes: Uint8Array) => void): void {
  const file = node.disk.openSync(path, 'write');
  const bytes = new Uint8Array(file.size());
  file.readSync(bytes, 0);
  change(bytes);
  file.writeSync(bytes, 0);
  file.close();
}

function tables(node: TestNode): readonly TableMeta[] {
  return node.replica.tree.materialized.list();
}

/** A reader of everything, through every node, both ways; returns the wrong, missing or failed reads. */
async function audit(cluster: TestCluster): Promise<string[]> {
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

async function healed(cluster: TestCluster): Promise<void> {
  await cluster.until('the hints to drain', () => cluster.alive.every((node) => node.store.hints().length === 0));
  await cluster.settled();
  for (const node of cluster.alive) {
    const report = await node.store.scrub(() => undefined);
    assert.equal(report.faults, 0, `node ${node.id}: a second scrub finds nothing`);
  }
  const digests = cluster.alive.map((node) =>
    tables(node)
      .map(({ id, bytes }) => {
        const file = node.disk.openSync(tablePath(id), 'read');
        const all = new Uint8Array(bytes);
        file.readSync(all, 0);
        file.close();
        return `${id}:${toHex(all.subarray(0, 4))}:${digest128(all)}`;
      })
      .join(' '),
  );
  assert.equal(new Set(digests).size, 1, 'all table files are byte-equal across nodes');
}

describe('healing in a cluster', function () {
  this.timeout(60_000);
  let cluster: TestCluster;
  beforeEach(async () => {
    cluster = await TestCluster.start(3, { makeHooks: (env) => new Healing(env, { resendMs: 300, pollMs: 100 }) });
    await load(cluster);
  });
  afterEach(() => cluster.stop());

  for (const role of ['follower', 'leader'] as const) {
    it(`H2 H3 flips within parity on the ${role} are corrected, hinted, healed through the log, and gone`, async () => {
      const node = role === 'leader' ? await cluster.leader() : await cluster.follower();
      for (const { id } of tables(node)) {
        rewrite(node, tablePath(id), (bytes) => {
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
    const all = tables(cluster.nodes[0] as TestNode);
    cluster.nodes.forEach((node, i) => {
      all.forEach(({ id }, j) => {
        if (j % 3 !== i) return;
        rewrite(node, tablePath(id), (bytes) => bytes.fill(0xa5, 200, Math.min(bytes.length, 12_000)));
      });
    });
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
    rewrite(node, tablePath((own[2] as TableMeta).id), (bytes) => bytes.fill(0));
    await cluster.up(node);
    assert.deepEqual(await audit(cluster), []);
    await node.store.scrub(() => undefined);
    await healed(cluster);
  });
});
