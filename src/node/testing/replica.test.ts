import assert from 'node:assert/strict';
import { fromUtf8 } from '../../base/bytes.js';
import { get, put } from '../../api/testing/requests.js';
import { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { assertEqualTrees } from './equal-trees.js';
import { calm } from './surroundings.js';

async function read(node: ClusterNode, key: string, serializable = false): Promise<string | undefined> {
  const { kvs } = await node.store.range(get(key, serializable));
  return kvs[0] && fromUtf8(kvs[0].value);
}

/** Random-looking and incompressible, so that memtables fill. */
function value(i: number, bytes = 200): string {
  let text = `${i}:`;
  let x = i * 2654435761;
  while (text.length < bytes) text += ((x = (x * 1103515245 + 12345) % 2147483648) % 36).toString(36);
  return text;
}

async function load(cluster: Cluster, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += 50) {
    await Promise.all(
      Array.from({ length: Math.min(50, to - at) }, (_, i) => {
        const node = cluster.alive[(at + i) % cluster.alive.length] as ClusterNode;
        return node.store.put(put(`key${String((at + i) % 700).padStart(5, '0')}`, value(at + i)));
      }),
    );
  }
}

describe('a cluster of replicas', () => {
  let cluster: Cluster;
  afterEach(() => cluster.close());

  it('R4 takes writes and linearizable reads on any node', async () => {
    cluster = await Cluster.start(calm);
    for (const node of cluster.nodes) await node.store.put(put(`from${node.id}`, `${node.id}`));
    for (const node of cluster.nodes) {
      for (const other of cluster.nodes) assert.equal(await read(node, `from${other.id}`), `${other.id}`);
    }
  });

  it('S2 S6 flushes and compacts to byte-equal tables and equal manifests on every replica', async () => {
    cluster = await Cluster.start(calm);
    await load(cluster, 0, 3000);
    await cluster.settled();
    const leader = await cluster.leader();
    assert.ok(leader.events.some((event) => event.type === 'plan'), 'something was compacted');
    assert.ok(leader.replica.tree.materialized.levels.slice(1).flat().length > 0);
    assertEqualTrees(cluster.nodes);
    for (const node of cluster.nodes) for (let i = 2300; i < 3000; i += 37) assert.equal(await read(node, `key${String(i % 700).padStart(5, '0')}`), value(i));
  });

  it('D1 goes on without its leader and loses no acknowledged write', async () => {
    cluster = await Cluster.start(calm);
    await load(cluster, 0, 400);
    const leader = await cluster.leader();
    await cluster.kill(leader);
    await load(cluster, 400, 800);
    for (const node of cluster.alive) for (let i = 200; i < 700; i += 13) assert.equal(await read(node, `key${String(i).padStart(5, '0')}`), value(i));
    await cluster.up(leader);
    await cluster.settled();
    assertEqualTrees(cluster.nodes);
  });

  it('D1 restarts from the flushed index: every node down at once, all acknowledged writes are there', async () => {
    cluster = await Cluster.start(calm);
    for (let round = 0; round < 3; round++) {
      await load(cluster, round * 500, round * 500 + 500);
      await Promise.all(cluster.nodes.map((node) => cluster.kill(node)));
      await Promise.all(cluster.nodes.map((node) => cluster.up(node)));
      await cluster.leader();
    }
    await cluster.settled();
    for (let i = 800; i < 1500; i += 7) assert.equal(await read(cluster.nodes[i % 3] as ClusterNode, `key${String(i % 700).padStart(5, '0')}`), value(i));
    assertEqualTrees(cluster.nodes);
  });

  it('S5 a follower behind the truncated log receives the manifest and fetches only what it lacks', async () => {
    cluster = await Cluster.start(calm);
    await load(cluster, 0, 1500);
    await cluster.settled();
    const follower = await cluster.follower();
    await cluster.kill(follower);
    await load(cluster, 1500, 3600);
    const leader = await cluster.leader();
    await cluster.until('the log to be shortened', () => leader.store.status().firstLogIndex > follower.replica.log.lastIndex() + 1);
    await cluster.up(follower);
    await cluster.settled();
    const { snapshots } = follower.store.status();
    assert.equal(snapshots.received, 1);
    assert.ok(snapshots.fetchedBytes > 0);
    assertEqualTrees(cluster.nodes);
    for (let i = 2900; i < 3600; i += 11) assert.equal(await read(follower, `key${String(i % 700).padStart(5, '0')}`, true), value(i));
  });

  it('re-proposes what was forwarded to a leader that died, and applies it once', async () => {
    cluster = await Cluster.start(calm);
    const leader = await cluster.leader();
    const follower = await cluster.follower();
    await follower.store.put(put('counter', '0'));
    const before = (await follower.store.range(get('counter'))).revision;
    const writes = Array.from({ length: 50 }, (_, i) => follower.store.put(put(`w${i}`, `${i}`)));
    await cluster.kill(leader);
    const done = await Promise.all(writes);
    assert.equal(new Set(done.map((response) => response.revision)).size, 50);
    const after = (await follower.store.range(get('counter'))).revision;
    assert.equal(after - before, 50, 'each write raised the revision once');
  });
});
