import assert from 'node:assert/strict';
import { fromUtf8 } from '../../base/bytes.js';
import { seededRandom } from '../../base/testing/seeded-random.js';
import { tablePath } from '../../storage/table/table-meta.js';
import { layoutOf } from '../../replica/log/segment-layout.js';
import { VERSION_REGAINED } from '../../replica/start/regain-version.js';
import { ChaosCluster, type ChaosNode } from './chaos-cluster.js';
import { load, valueOf } from './chaos-load.js';
import { get, put } from '../../api/testing/requests.js';

const SEGMENT_BYTES = 64 * 1024;

async function check(node: ChaosNode, to: number): Promise<void> {
  for (let i = 0; i < to; i += 7) {
    const { kvs } = await node.store.range({ ...get(`key${i}`), serializable: true });
    assert.equal(kvs[0] && fromUtf8(kvs[0].value), valueOf(i));
  }
}

async function overwrite(node: ChaosNode, path: string, from: number, to: number): Promise<void> {
  const file = await node.disk.open(path, 'write');
  file.writeSync(new Uint8Array(to - from).fill(0x5a), from);
  await file.sync();
  file.close();
}

async function ruinManifest(node: ChaosNode): Promise<void> {
  for (const name of await node.disk.list('manifest')) {
    const path = `manifest/${name}`;
    await overwrite(node, path, 0, node.disk.sizeOf(path) ?? 0);
  }
}

async function loseLog(node: ChaosNode): Promise<void> {
  for (const name of await node.disk.list('log')) await node.disk.unlink(`log/${name}`);
}

const regained = (node: ChaosNode): boolean => node.events.some((event) => event.type === 'warning' && event.message === VERSION_REGAINED);

describe('a member whose manifest cannot be read', function () {
  this.timeout(60_000);
  let cluster: ChaosCluster;

  async function start(count: number): Promise<void> {
    cluster = new ChaosCluster(seededRandom(11), count, SEGMENT_BYTES);
    await Promise.all(cluster.nodes.map((node) => cluster.up(node)));
    await cluster.until('a leader', 10_000, () => cluster.leader() !== undefined);
  }

  const follower = (): ChaosNode => cluster.nodes.find((node) => node !== cluster.leader()) as ChaosNode;

  async function longLog(): Promise<number> {
    let written = 0;
    const shortened = (): boolean => cluster.alive.every((node) => node.store.status().firstLogIndex > 1);
    while (!shortened() && written < 4_000) await load(cluster, written, (written += 200));
    assert.ok(shortened());
    return written;
  }

  afterEach(async () => {
    cluster.hub.heal();
    for (const node of cluster.nodes) await cluster.stop(node);
  });

  it('D1 takes the version of a peer, keeps its log and the tables that are good, and goes on', async () => {
    await start(3);
    const written = await longLog();
    await cluster.settled(20_000);
    const node = follower();
    const first = node.replica.log.firstIndex();
    cluster.crash(node);
    await ruinManifest(node);
    await load(cluster, written, written + 20);
    await cluster.up(node);
    assert.ok(regained(node));
    assert.ok(node.replica.log.firstIndex() >= first && node.replica.log.firstIndex() > 1, 'the log is still its own');
    const received = node.events.find((event) => event.type === 'snapshot-received');
    assert.ok(received?.type === 'snapshot-received' && received.reusedBytes > 10 * received.fetchedBytes, JSON.stringify(received));
    await cluster.settled(20_000);
    await check(node, written + 20);
    assert.deepEqual(cluster.faults, []);
    cluster.crash(node);
    node.events.length = 0;
    await cluster.up(node);
    assert.ok(!regained(node), 'what it took is durable');
    await cluster.settled(20_000);
    assert.deepEqual(cluster.faults, []);
  });

  it('D1 waits for a peer, and power may go while it does', async () => {
    await start(3);
    const written = await longLog();
    for (const node of cluster.nodes) cluster.crash(node);
    const [node, ...others] = cluster.nodes as [ChaosNode, ...ChaosNode[]];
    await ruinManifest(node);
    void cluster.up(node);
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.ok(!node.up);
    cluster.crash(node);
    void cluster.up(node);
    await Promise.all(others.map((other) => cluster.up(other)));
    await cluster.settled(20_000);
    assert.ok(regained(node));
    await check(node, written);
    assert.deepEqual(cluster.faults, []);
  });

  it('D1 has the only good copy of one block and lacks another: it gives and takes while it waits', async () => {
    await start(3);
    const written = await longLog();
    await cluster.settled(20_000);
    const [node, ...others] = cluster.nodes as [ChaosNode, ...ChaosNode[]];
    const big = cluster.tables(node).filter(({ bytes }) => bytes > 24_000);
    assert.ok(big.length > 0);
    for (const each of cluster.nodes) cluster.crash(each);
    await ruinManifest(node);
    for (const { id } of big) {
      await overwrite(node, tablePath(id), 12_000, 16_000);
      for (const other of others) await overwrite(other, tablePath(id), 1_000, 8_000);
    }
    await Promise.all(cluster.nodes.map((each) => cluster.up(each)));
    assert.ok(regained(node));
    for (const each of cluster.nodes) await check(each, written);
    assert.deepEqual(cluster.faults, []);
  });

  it('R6 damage to its log behind what the peer has in tables stops it as ever', async () => {
    await start(3);
    const written = await longLog();
    const node = follower();
    await load(cluster, written, written + 20);
    await cluster.stop(node);
    await ruinManifest(node);
    const names = (await node.disk.list('log')).filter((name) => name.endsWith('.seg'));
    const { dataStart, dataEnd } = layoutOf(SEGMENT_BYTES);
    for (const name of names) await overwrite(node, `log/${name}`, dataStart, dataEnd);
    await cluster.up(node);
    assert.equal(cluster.faults.length, 1);
    assert.match(cluster.faults[0] ?? '', /ENTRY_FAULTY/);
  });

  it('R3 takes nothing of its log for committed that the version does not follow', async () => {
    await start(3);
    await load(cluster, 0, 400);
    const old = cluster.leader() as ChaosNode;
    const [other, third] = cluster.nodes.filter((node) => node !== old) as [ChaosNode, ChaosNode];
    let next = 400;
    const sealed = (): boolean => cluster.nodes.every((node) => node.replica.tree.latest.seals.length > 0);
    // A seal that all have and whose flush nobody has recorded yet: F of the others will be before the cut, E behind it.
    while (!sealed()) {
      void old.store.put(put(`key${next}`, valueOf(next++))).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 1));
      assert.ok(next < 800);
    }
    for (const node of [other, third]) cluster.hub.cut(old.id, node.id);
    for (let i = 0; i < 60; i++) void old.store.put(put(`lost${i}`, 'never committed')).catch(() => undefined);
    const apart = (): boolean => {
      const { flushed, last } = other.replica.tree.durable;
      const { log } = old.replica;
      return last.term > 1 && log.lastIndex() >= last.index && log.term(last.index) < last.term && log.term(flushed.index) === flushed.term;
    };
    await cluster.until('the version of the others leaves that log', 20_000, apart);
    cluster.crash(old);
    await ruinManifest(old);
    cluster.hub.heal();
    await cluster.up(old);
    assert.ok(regained(old));
    await cluster.settled(20_000);
    for (const node of cluster.nodes) assert.deepEqual((await node.store.range({ ...get('lost0'), serializable: true })).kvs, []);
    assert.deepEqual(cluster.faults, []);
  });

  it('R2 with its log gone as well it has forgotten what it acknowledged, and stops', async () => {
    for (const count of [1, 3]) {
      await start(count);
      await load(cluster, 0, 400);
      const [node] = cluster.nodes as [ChaosNode];
      for (const each of cluster.nodes) cluster.crash(each);
      await ruinManifest(node);
      await loseLog(node);
      await Promise.all(cluster.nodes.map((each) => cluster.up(each)));
      assert.equal(cluster.faults.length, 1);
      assert.match(cluster.faults[0] ?? '', /LOG_MISSING/);
      if (count === 1) for (const each of cluster.nodes) await cluster.stop(each);
    }
  });

  it('D1 two that lost theirs before anything was flushed go on from their whole logs', async () => {
    await start(3);
    await load(cluster, 0, 20);
    for (const node of cluster.nodes) cluster.crash(node);
    const [a, b] = cluster.nodes as [ChaosNode, ChaosNode];
    for (const node of [a, b]) await ruinManifest(node);
    await Promise.all(cluster.nodes.map((node) => cluster.up(node)));
    await cluster.settled(20_000);
    await check(a, 20);
    assert.deepEqual(cluster.faults, []);
  });

  it('D1 one with a whole log does not wait for a peer that is away', async () => {
    await start(3);
    await load(cluster, 0, 20);
    for (const node of cluster.nodes) cluster.crash(node);
    const [a, b] = cluster.nodes as [ChaosNode, ChaosNode];
    await ruinManifest(a);
    await Promise.all([cluster.up(a), cluster.up(b)]);
    await cluster.until('a leader of two', 10_000, () => cluster.leader() !== undefined);
    await check(a, 20);
    assert.deepEqual(cluster.faults, []);
  });

  it('D1 one whose manifest ends before its log begins takes a version too', async () => {
    await start(3);
    const old = new Map<string, Uint8Array>();
    const node = follower();
    await load(cluster, 0, 100);
    await cluster.settled(20_000);
    const before = node.replica.tree.durable.flushed.index;
    for (const name of await node.disk.list('manifest')) old.set(`manifest/${name}`, cluster.fileOf(node, `manifest/${name}`));
    const written = await longLog();
    await cluster.settled(20_000);
    assert.ok(node.replica.log.firstIndex() > before + 1);
    cluster.crash(node);
    for (const [path, bytes] of old) {
      const file = await node.disk.open(path, 'write');
      file.writeSync(bytes, 0);
      await file.truncate(bytes.length);
      await file.sync();
      file.close();
    }
    await cluster.up(node);
    assert.ok(regained(node));
    await cluster.settled(20_000);
    await check(node, written);
    assert.deepEqual(cluster.faults, []);
  });

  it('D1 alone with a whole log makes everything again from it', async () => {
    await start(1);
    await load(cluster, 0, 100);
    const [node] = cluster.nodes as [ChaosNode];
    assert.equal(node.replica.log.firstIndex(), 1);
    cluster.crash(node);
    await ruinManifest(node);
    await cluster.up(node);
    await cluster.settled(20_000);
    await check(node, 100);
    assert.deepEqual(cluster.faults, []);
  });

  it('D1 alone with a shortened log says what is lost', async () => {
    await start(1);
    await longLog();
    const [node] = cluster.nodes as [ChaosNode];
    cluster.crash(node);
    await ruinManifest(node);
    await cluster.up(node);
    assert.equal(cluster.faults.length, 1);
    assert.match(cluster.faults[0] ?? '', /MANIFEST_UNREADABLE/);
  });
});
