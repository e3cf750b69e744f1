import assert from 'node:assert/strict';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import type { CrashDisk } from '../../base/disk/testing/crash-disk.js';
import type { Env } from '../../base/env.js';
import { seededRandom } from '../../base/testing/seeded-random.js';
import { newMessage } from '../../raft/message.js';
import { ReplicaError } from '../../replica/base/errors.js';
import { PromisesStore } from '../../replica/start/promises-store.js';
import { DOUBTED } from '../../replica/start/start-check.js';
import { get, put } from '../../api/testing/requests.js';
import { Chaos } from './chaos-env.js';
import { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { replaceOthers } from './replace-others.js';
import { calm } from './surroundings.js';

describe('a member whose data directory was emptied', function () {
  this.timeout(30_000);
  let cluster: Cluster;
  afterEach(() => cluster.close());

  it('R1 D1 is refused however often it starts, while the others serve', async () => {
    cluster = await Cluster.start(calm);
    const node = await cluster.follower();
    await node.store.put(put('a', '1'));
    await cluster.kill(node);
    node.disk = new MemoryDisk();
    for (let start = 0; start < 2; start++) {
      await assert.rejects(cluster.up(node), (error) => error instanceof ReplicaError && error.code === 'EMPTIED');
    }
    const [other] = cluster.alive;
    assert.equal((await other?.store.range(get('a')))?.kvs.length, 1);
  });

  it('one that was killed before its first term has promised nothing, and comes back however often that happens', async () => {
    cluster = new Cluster(calm);
    const [node] = cluster.nodes as [ClusterNode, ...ClusterNode[]];
    await cluster.upAll();
    while (node.starts < 4) {
      assert.equal(node.replica.driver.node.term, 0, 'nobody has stood for election yet');
      node.replica.gossip.say();
      await new Promise((resolve) => setImmediate(resolve));
      await cluster.kill(node);
      await cluster.up(node);
    }
    await node.store.put(put('a', '1'));
  });

  it('R1 D1 is refused though every other member restarted meanwhile: they remember through the log', async () => {
    cluster = await Cluster.start(calm);
    const node = await cluster.follower();
    await announced(cluster, node, 1);
    const others = cluster.nodes.filter((each) => each !== node);
    await cluster.kill(node);
    node.disk = new MemoryDisk();
    for (const other of others) await cluster.kill(other);
    await Promise.all(others.map((other) => cluster.up(other)));
    await assert.rejects(cluster.up(node), (error) => error instanceof ReplicaError && error.code === 'EMPTIED');
  });

  it('R1 D1 takes no part where members at other addresses took the place of all that its flags name, and says what to do', async () => {
    cluster = await Cluster.start(calm);
    const stays = await replaceOthers(cluster);
    await cluster.kill(stays);
    stays.disk = new MemoryDisk();
    // It knows them by their own word alone: that ends nobody.
    const began = cluster.up(stays);
    await cluster.until('it to say so', () => stays.events.some((event) => event.type === 'warning' && event.message === DOUBTED));
    assert.equal(stays.state, 'opening');
    await cluster.kill(stays);
    await began;
  });

  it('R5 an older copy of a data directory is refused: others have met a later start', async () => {
    cluster = await Cluster.start(calm);
    const node = await cluster.follower();
    await cluster.kill(node);
    const old = copyOf(node.disk);
    for (let life = 0; life < 2; life++) {
      await cluster.up(node);
      await announced(cluster, node, life + 2);
      await cluster.kill(node);
    }
    node.disk = old;
    await assert.rejects(cluster.up(node), (error) => error instanceof ReplicaError && error.code === 'ROLLED_BACK');
  });

  it('R1 R5 a copy of the very same start is refused too: others were told of what it lacks', async () => {
    cluster = await Cluster.start(calm);
    const node = await cluster.follower();
    await announced(cluster, node, 1);
    await node.store.put(put('a', '1'));
    const old = copyOf(node.disk);
    await node.store.put(put('b', '2'));
    await cluster.settled();
    await cluster.kill(node);
    node.disk = old;
    await assert.rejects(cluster.up(node), (error) => error instanceof ReplicaError && error.code === 'ROLLED_BACK');
  });

  it('R1 R5 so is one of a leader, which acknowledges to nobody but itself', async () => {
    cluster = await Cluster.start(calm);
    const node = await cluster.leader();
    const [other, third] = cluster.nodes.filter((each) => each !== node) as [ClusterNode, ClusterNode];
    await announced(cluster, node, 1);
    await cluster.settled();
    const old = copyOf(node.disk);
    // So nobody is elected in its place, and no later term tells.
    for (const each of [node, other]) cluster.hub.cut(each.id, third.id);
    await node.store.put(put('b', '2'));
    const { value } = node.replica.progress.applied;
    await cluster.until('it has told how far it is', () => (other.replica.gossip.of(node.id)?.applied ?? 0) >= value);
    await cluster.kill(node);
    node.disk = old;
    await assert.rejects(cluster.up(node), (error) => error instanceof ReplicaError && error.code === 'ROLLED_BACK');
  });

  it('R1 R5 D1 so is one of a member of whom everybody has restarted since: what it acknowledged is written down', async () => {
    cluster = await Cluster.start(calm);
    const node = await cluster.follower();
    const leader = await cluster.leader();
    const third = cluster.nodes.find((each) => each !== node && each !== leader) as ClusterNode;
    await announced(cluster, node, 1);
    await cluster.settled();
    const old = copyOf(node.disk);
    // The third one lags: only two have what is acknowledged now.
    for (const each of [node, leader]) cluster.hub.cut(each.id, third.id);
    await leader.store.put(put('b', '2'));
    const last = leader.replica.log.lastIndex();
    let kept = 0;
    await cluster.until('the leader to write down what it was told', () => {
      void PromisesStore.open({ disk: leader.disk } as unknown as Env, { self: leader.id, clusterId: 77n })
        .then(({ heard }) => (kept = heard.of(node.id).acknowledged));
      return kept >= last;
    });
    for (const each of cluster.nodes) await cluster.kill(each);
    cluster.hub.heal();
    node.disk = old;
    await Promise.all([leader, third].map((each) => cluster.up(each)));
    await assert.rejects(cluster.up(node), (error) => error instanceof ReplicaError && error.code === 'ROLLED_BACK');
    assert.equal((await (await cluster.leader()).store.range(get('b'))).kvs.length, 1);
  });

  it('R5 nobody who has its files is refused, though all lose power amid writes again and again, and remember all', async () => {
    const stormy = new Cluster<CrashDisk>(new Chaos(seededRandom(3)));
    try {
      for (let round = 0; round < 5; round++) {
        await stormy.upAll();
        const leader = await stormy.leader();
        await leader.store.put(put(`k${round}`, '1'));
        for (let i = 0; i < 20; i++) void leader.store.put(put(`k${round} ${i}`, '1')).catch(() => undefined);
        for (const { replica } of stormy.nodes) await replica.promises.stop();
        assert.ok([...leader.replica.promises.heard.all().values()].some(({ acknowledged }) => acknowledged > 0));
        for (const each of stormy.nodes) stormy.crash(each);
      }
      await stormy.upAll();
      const { kvs } = await (await stormy.leader()).store.range(get('k4'));
      assert.equal(kvs.length, 1);
    } finally {
      await stormy.close();
    }
  });

  it('R5 a member that went on with an older copy stops once a leader counts on entries that are gone', async () => {
    cluster = await Cluster.start(calm);
    const node = await cluster.follower();
    const { driver } = node.replica;
    const commit = driver.node.lastIndex + 1_000;
    driver.step({ ...newMessage('MsgHeartbeat', node.replica.leadership.leader, node.id, driver.node.term), commit });
    assert.equal(node.replica.life.state.s, 'failed');
    // It writes down first, for kintsugi recover, what only a leader could tell.
    while (cluster.failures.length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(node.disk.sizeOf('refused'));
    const [failure] = cluster.failures.splice(0);
    assert.equal(failure?.node, node.id);
    assert.ok(failure.cause instanceof ReplicaError && failure.cause.code === 'ROLLED_BACK', failure.message);
  });
});

/** Every member has it from the log. */
async function announced(cluster: Cluster, node: ClusterNode, incarnation: number): Promise<void> {
  const known = (): boolean => cluster.alive.every(({ replica }) => replica.kv.incarnationOf(node.id) === incarnation);
  await cluster.until('the start to be announced', known);
}

function copyOf(disk: MemoryDisk): MemoryDisk {
  const copy = new MemoryDisk();
  for (const dir of ['tables', 'manifest', 'log']) void copy.mkdir(dir);
  for (const path of disk.files()) {
    const from = disk.openSync(path, 'read');
    const bytes = new Uint8Array(from.size());
    from.readSync(bytes, 0);
    copy.openSync(path, 'create').writeSync(bytes, 0);
  }
  return copy;
}
