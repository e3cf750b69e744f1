import assert from 'node:assert/strict';
import { get, put } from '../../api/testing/requests.js';
import { tablePath } from '../../storage/table/table-meta.js';
import { WatchedCluster, type LiveNode } from './testing/watched-cluster.js';

async function fill(cluster: WatchedCluster, from: number, count: number): Promise<void> {
  for (let i = from; i < from + count; i++) {
    const node = cluster.nodes.filter((each) => each.state === 'up')[i % 2] as LiveNode;
    await node.running?.store.put(put(`key ${i % 50}`, `value ${i} `.repeat(40)));
    cluster.world.nowUs += 20_000;
    if (i % 50 === 0) cluster.checks.step();
  }
}

describe('the checks over real replicas', function () {
  this.timeout(30_000);
  let cluster: WatchedCluster;

  beforeEach(async () => {
    cluster = await WatchedCluster.start();
  });

  afterEach(async () => {
    await cluster.stop();
  });

  it('R1 R2 R3 S2 S5 S6 say nothing while the truth is told, over restarts of every node', async () => {
    await fill(cluster, 0, 300);
    for (const node of cluster.nodes) {
      await cluster.kill(node);
      cluster.world.nowUs += 1_000_000;
      await fill(cluster, 300 * node.id, 150);
      await cluster.up(node);
      await cluster.leader();
    }
    await cluster.atRest();
    cluster.checks.finalCheck();
    assert.deepEqual(cluster.violations, []);
    const { tree } = (cluster.nodes[0] as LiveNode).running?.replica ?? assert.fail();
    assert.ok(tree.durable.list().length > 2, 'there are tables');
    assert.ok(tree.durable.flushed.index > 0);
  });

  it('is not at rest while a block is bad on a medium, and is again when it was healed', async () => {
    await fill(cluster, 0, 200);
    await cluster.atRest();
    const node = cluster.nodes[2] as LiveNode;
    const meta = node.running?.replica.tree.durable.list().at(-1) ?? assert.fail();
    const path = tablePath(meta.id);
    assert.ok(cluster.oracle.verdict.mayDamage(node.id, path, 600, 100));
    const bytes = cluster.node(3).memory.node(path)?.bytes ?? assert.fail();
    for (let i = 600; i < 700; i++) bytes[i] = (bytes[i] as number) ^ 0xff;
    cluster.oracle.noteDamage(node.id, path, 600, 100, 'burst');
    assert.match(cluster.checks.atRest().join(), new RegExp(`table ${meta.id} of node 3 is not as it was born`));
    await node.running?.store.scrub(() => undefined);
    await cluster.until('rest', () => {
      cluster.world.nowUs += 10_000;
      cluster.checks.step();
      return cluster.checks.atRest().length === 0;
    });
    cluster.checks.finalCheck();
    assert.deepEqual(cluster.violations, []);
  });

  it('D1 a block beyond parity is read from a peer, and nothing of the repair is left at rest', async () => {
    await fill(cluster, 0, 200);
    await cluster.atRest();
    const node = cluster.nodes[2] as LiveNode;
    const meta = node.running?.replica.tree.durable.list().at(-1) ?? assert.fail();
    const path = tablePath(meta.id);
    const region = cluster.oracle.census.pristine(meta.fileDigest)?.regions.find(({ kind }) => kind === 'data') ?? assert.fail();
    node.memory.node(path)?.bytes.fill(0, region.offset, region.offset + region.length);
    cluster.oracle.noteDamage(node.id, path, region.offset, region.length, 'zeroed');
    await cluster.kill(node);
    await cluster.up(node);
    await node.running?.store.range({ ...get('\0'), rangeEnd: Uint8Array.of(0) });
    assert.ok(node.running?.healing.counters.repairedBlocks, 'a read was repaired');
    await cluster.atRest();
    assert.deepEqual(cluster.violations, []);
  });

  it('S5 a file of the durable manifest that is gone without a fault is reported, with one it is not', async () => {
    await fill(cluster, 0, 200);
    await cluster.atRest();
    const node = cluster.nodes[1] as LiveNode;
    const meta = node.running?.replica.tree.durable.list()[0] ?? assert.fail();
    await node.memory.unlink(tablePath(meta.id));
    cluster.checks.finalCheck();
    assert.deepEqual(cluster.violations.map((violation) => violation.check), ['files of the durable manifest are there']);
    cluster.oracle.noteDamage(node.id, tablePath(meta.id), 0, meta.bytes, 'missing');
    cluster.checks.finalCheck();
    assert.equal(cluster.violations.length, 1);
  });
});
