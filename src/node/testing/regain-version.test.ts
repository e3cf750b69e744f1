import assert from 'node:assert/strict';
import { fromUtf8 } from '../../base/bytes.js';
import type { CrashDisk } from '../../base/disk/testing/crash-disk.js';
import { codeOf } from '../../base/errors.js';
import { seededRandom } from '../../base/testing/seeded-random.js';
import { tablePath } from '../../storage/table/table-meta.js';
import { layoutOf } from '../../replica/log/segment-layout.js';
import { PEERS_FOUND } from '../../replica/log-recovery/known-peers.js';
import { VERSION_REGAINED } from '../../replica/start/regain-version.js';
import { Chaos } from './chaos-env.js';
import { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { bytesOf, replace, spoil } from './files.js';
import { load, valueOf } from './load.js';
import { resolved, rotEntries } from './log-damage.js';
import { replaceOthers } from './replace-others.js';
import { get, put } from '../../api/testing/requests.js';

const SEGMENT_BYTES = 64 * 1024;

async function check(node: ClusterNode<CrashDisk>, to: number): Promise<void> {
  for (let i = 0; i < to; i += 7) {
    const { kvs } = await node.store.range({ ...get(`key${i}`), serializable: true });
    assert.equal(kvs[0] && fromUtf8(kvs[0].value), valueOf(i));
  }
}

async function ruinManifest(node: ClusterNode<CrashDisk>): Promise<void> {
  for (const name of await node.disk.list('manifest')) {
    const path = `manifest/${name}`;
    await spoil(node.disk, path, 0, node.disk.sizeOf(path) ?? 0);
  }
}

/** Tables that lie on a disk, with their bytes. */
async function tablesOf({ disk }: ClusterNode<CrashDisk>): Promise<Map<string, number>> {
  return new Map((await disk.list('tables')).map((name) => [name, disk.sizeOf(`tables/${name}`) ?? 0]));
}

function atRest({ store }: ClusterNode<CrashDisk>): boolean {
  const { owedTables, pendingPlans, sealedMemtables, lastLogIndex, appliedIndex } = store.status();
  return owedTables + pendingPlans + sealedMemtables === 0 && appliedIndex === lastLogIndex;
}

async function loseLog(node: ClusterNode<CrashDisk>): Promise<void> {
  for (const name of await node.disk.list('log')) await node.disk.unlink(`log/${name}`);
}

const regained = (node: ClusterNode<CrashDisk>): boolean => node.events.some((event) => event.type === 'warning' && event.message === VERSION_REGAINED);

describe('a member whose manifest cannot be read', function () {
  this.timeout(60_000);
  let cluster: Cluster<CrashDisk>;

  async function start(members: number): Promise<void> {
    cluster = await Cluster.start(new Chaos(seededRandom(11)), { members, logSegmentBytes: SEGMENT_BYTES });
  }

  async function longLog(): Promise<number> {
    let written = 0;
    const shortened = (): boolean => cluster.alive.every((node) => node.store.status().firstLogIndex > 1);
    while (!shortened() && written < 4_000) {
      await load(cluster, written, (written += 200));
      await cluster.settled(20_000);
    }
    assert.ok(shortened());
    return written;
  }

  afterEach(() => cluster.close());

  it('D1 takes the version of a peer, keeps its log and the tables that are good, and goes on', async () => {
    await start(3);
    const written = await longLog();
    await cluster.settled(20_000);
    const node = await cluster.follower();
    const first = node.replica.log.firstIndex();
    cluster.crash(node);
    await ruinManifest(node);
    await load(cluster, written, written + 20);
    await cluster.until('the others to have nothing left to do', () => cluster.alive.every((peer) => atRest(peer)));
    const own = await tablesOf(node);
    const peers = await tablesOf(await cluster.leader());
    const lackedBytes = [...peers].reduce((sum, [name, bytes]) => sum + (own.has(name) ? 0 : bytes), 0);
    await cluster.up(node);
    assert.ok(regained(node));
    assert.ok(node.replica.log.firstIndex() >= first && node.replica.log.firstIndex() > 1, 'the log is still its own');
    const received = node.events.find((event) => event.type === 'snapshot-received');
    assert.ok(received?.type === 'snapshot-received' && received.reusedBytes > 0, JSON.stringify(received));
    assert.ok(received.fetchedBytes <= lackedBytes, `it fetched more than the tables that it lacked: ${JSON.stringify({ ...received, lackedBytes })}`);
    await cluster.settled(20_000);
    await check(node, written + 20);
    cluster.crash(node);
    node.events.length = 0;
    await cluster.up(node);
    assert.ok(!regained(node), 'what it took is durable');
    await cluster.settled(20_000);
  });

  it('D1 asks members that its log has added, when none of its flags is left', async () => {
    await start(3);
    let written = await longLog();
    const stays = await replaceOthers(cluster);
    await load(cluster, written, (written += 20));
    await cluster.settled(20_000);
    assert.ok(stays.replica.log.firstIndex() > 1, 'without a version its log is of no use');
    cluster.crash(stays);
    await ruinManifest(stays);
    await cluster.up(stays);
    assert.ok(regained(stays));
    assert.ok(stays.events.some((event) => event.type === 'warning' && event.message === PEERS_FOUND));
    await cluster.settled(20_000);
    await check(stays, written);
  });

  it('R1 one that was removed meanwhile is told so: nobody gives it a version', async () => {
    await start(3);
    await longLog();
    const gone = await cluster.follower();
    cluster.crash(gone);
    await ruinManifest(gone);
    await (await cluster.leader()).store.changeMembers({ kind: 'remove', id: gone.id });
    await assert.rejects(cluster.up(gone), (error) => codeOf(error) === 'REMOVED');
    assert.ok(!regained(gone));
  });

  it('D1 asks members that talk to it, when neither its flags nor its log name one that is left', async () => {
    await start(3);
    let written = await longLog();
    const stays = await replaceOthers(cluster);
    const changed = stays.replica.log.lastIndex();
    // What is done beside the writes is not to be outrun by them.
    while (stays.replica.log.firstIndex() <= changed) {
      await load(cluster, written, (written += 200));
      await cluster.settled(20_000);
    }
    cluster.crash(stays);
    await ruinManifest(stays);
    await cluster.up(stays);
    assert.ok(regained(stays));
    await cluster.settled(20_000);
    await check(stays, written);
  });

  it('D1 finds who the members are now when the state that it starts from cannot be read, and all that it names are gone', async () => {
    await start(3);
    let written = await longLog();
    const [stays, ...origin] = cluster.nodes as [ClusterNode<CrashDisk>, ...ClusterNode<CrashDisk>[]];
    const urls = [4, 5].map((n) => `http://m${n}:2380`);
    for (const [at, url] of urls.entries()) {
      const leader = await cluster.leader();
      const members = await leader.store.changeMembers({ kind: 'add', id: 0, peerUrls: [url], learner: false });
      await cluster.up(cluster.machine(members.find(({ peerUrls }) => peerUrls[0] === url)?.id ?? 0, leader));
      await cluster.settled(20_000);
      if (at === 0) await load(cluster, written, (written += 20));
    }
    // It has their additions in its log, and was away for all that came then.
    cluster.crash(stays);
    for (const old of origin) {
      old.leaves = true;
      await (await cluster.leader()).store.changeMembers({ kind: 'remove', id: old.id });
      await cluster.until('it to be gone', () => codeOf(old.removed) === 'REMOVED');
      await cluster.without(old);
    }
    for (const name of await stays.disk.list('tables')) await spoil(stays.disk, `tables/${name}`, 0, stays.disk.sizeOf(`tables/${name}`) ?? 0);
    await cluster.up(stays);
    assert.ok(stays.events.some((event) => event.type === 'warning' && event.message === PEERS_FOUND));
    await cluster.settled(20_000);
    await check(stays, written);
  });

  it('D1 waits for a peer, and power may go while it does', async () => {
    await start(3);
    const written = await longLog();
    for (const node of cluster.nodes) cluster.crash(node);
    const [node, ...others] = cluster.nodes as [ClusterNode<CrashDisk>, ...ClusterNode<CrashDisk>[]];
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
  });

  it('D1 R6 has the only good copy of a log entry: it gives it to those that cannot give it a version before', async () => {
    await start(3);
    const written = await longLog();
    await cluster.settled(20_000);
    const [node, ...others] = cluster.nodes as [ClusterNode<CrashDisk>, ...ClusterNode<CrashDisk>[]];
    for (const each of cluster.nodes) await cluster.stop(each);
    await ruinManifest(node);
    for (const other of others) {
      const { table } = await resolved(other.disk, SEGMENT_BYTES);
      await rotEntries(other.disk, [table.lastIndex], SEGMENT_BYTES);
    }
    await cluster.upAll();
    assert.ok(regained(node));
    await cluster.settled(20_000);
    for (const each of cluster.nodes) await check(each, written);
  });

  it('D1 has the only good copy of one block and lacks another: it gives and takes while it waits', async () => {
    await start(3);
    const written = await longLog();
    await cluster.settled(20_000);
    const [node, ...others] = cluster.nodes as [ClusterNode<CrashDisk>, ...ClusterNode<CrashDisk>[]];
    const big = node.replica.tree.materialized.list().filter(({ bytes }) => bytes > 24_000);
    assert.ok(big.length > 0);
    for (const each of cluster.nodes) cluster.crash(each);
    await ruinManifest(node);
    for (const { id } of big) {
      await spoil(node.disk, tablePath(id), 12_000, 16_000);
      for (const other of others) await spoil(other.disk, tablePath(id), 1_000, 8_000);
    }
    await cluster.upAll();
    assert.ok(regained(node));
    for (const each of cluster.nodes) await check(each, written);
  });

  it('D1 what is damaged of its log behind what the peer has in tables is mended, too', async () => {
    await start(3);
    const written = await longLog();
    const node = await cluster.follower();
    await load(cluster, written, written + 20);
    await cluster.stop(node);
    await ruinManifest(node);
    const names = (await node.disk.list('log')).filter((name) => name.endsWith('.seg'));
    const { dataStart, dataEnd } = layoutOf(SEGMENT_BYTES);
    for (const name of names) await spoil(node.disk, `log/${name}`, dataStart, dataEnd);
    await cluster.up(node);
    assert.ok(regained(node));
    await cluster.settled(20_000);
    await check(node, written + 20);
  });

  it('R3 takes nothing of its log for committed that the version does not follow', async () => {
    await start(3);
    await load(cluster, 0, 400);
    const old = await cluster.leader();
    const [other, third] = cluster.nodes.filter((node) => node !== old) as [ClusterNode<CrashDisk>, ClusterNode<CrashDisk>];
    let next = 400;
    const sealed = (): boolean => cluster.nodes.every((node) => node.replica.tree.latest.seals.length > 0);
    // A seal that all have and whose flush nobody has recorded yet: the flushed index of the others
    // will be before the cut, and their last edit behind it.
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
    await cluster.until('the version of the others leaves that log', apart, 20_000);
    cluster.crash(old);
    await ruinManifest(old);
    cluster.hub.heal();
    await cluster.up(old);
    assert.ok(regained(old));
    await cluster.settled(20_000);
    for (const node of cluster.nodes) assert.deepEqual((await node.store.range({ ...get('lost0'), serializable: true })).kvs, []);
  });

  it('R2 with its log gone as well it has forgotten what it acknowledged, and stops', async () => {
    for (const count of [1, 3]) {
      await start(count);
      await load(cluster, 0, 400);
      const [node] = cluster.nodes as [ClusterNode<CrashDisk>];
      for (const each of cluster.nodes) cluster.crash(each);
      await ruinManifest(node);
      await loseLog(node);
      const others = cluster.nodes.filter((each) => each !== node).map((each) => cluster.up(each));
      await assert.rejects(cluster.up(node), (error) => codeOf(error) === 'LOG_MISSING');
      await Promise.all(others);
      if (count === 1) await cluster.close();
    }
  });

  it('D1 two that lost theirs before anything was flushed go on from their whole logs', async () => {
    await start(3);
    await load(cluster, 0, 20);
    for (const node of cluster.nodes) cluster.crash(node);
    const [a, b] = cluster.nodes as [ClusterNode<CrashDisk>, ClusterNode<CrashDisk>];
    for (const node of [a, b]) await ruinManifest(node);
    await cluster.upAll();
    await cluster.settled(20_000);
    await check(a, 20);
  });

  it('D1 one with a whole log does not wait for a peer that is away', async () => {
    await start(3);
    await load(cluster, 0, 20);
    for (const node of cluster.nodes) cluster.crash(node);
    const [a, b] = cluster.nodes as [ClusterNode<CrashDisk>, ClusterNode<CrashDisk>];
    await ruinManifest(a);
    await Promise.all([cluster.up(a), cluster.up(b)]);
    const { replica } = await cluster.leader();
    await cluster.until('it has applied what the leader has', () => a.replica.progress.applied.value >= replica.progress.applied.value, 20_000);
    await check(a, 20);
  });

  it('D1 one whose manifest ends before its log begins takes a version too', async () => {
    await start(3);
    const old = new Map<string, Uint8Array>();
    const node = await cluster.follower();
    await load(cluster, 0, 100);
    await cluster.settled(20_000);
    const before = node.replica.tree.durable.flushed.index;
    for (const name of await node.disk.list('manifest')) old.set(`manifest/${name}`, bytesOf(node.disk, `manifest/${name}`));
    let written = await longLog();
    await cluster.settled(20_000);
    while (node.replica.log.firstIndex() <= before + 1) {
      await load(cluster, written, (written += 200));
      await cluster.settled(20_000);
    }
    cluster.crash(node);
    for (const [path, bytes] of old) await replace(node.disk, path, bytes);
    await cluster.up(node);
    assert.ok(regained(node));
    await cluster.settled(20_000);
    await check(node, written);
  });

  it('D1 alone with a whole log makes everything again from it', async () => {
    await start(1);
    await load(cluster, 0, 100);
    const [node] = cluster.nodes as [ClusterNode<CrashDisk>];
    assert.equal(node.replica.log.firstIndex(), 1);
    cluster.crash(node);
    await ruinManifest(node);
    await cluster.up(node);
    await cluster.settled(20_000);
    await check(node, 100);
  });

  for (const end of ['an orderly stop', 'a power loss']) {
    it(`D1 alone with a shortened log says what is lost, after ${end}`, async () => {
      await start(1);
      const [node] = cluster.nodes as [ClusterNode<CrashDisk>];
      const [first] = (await node.disk.list('log')).sort();
      await longLog();
      if (end === 'a power loss') {
        // It may give the log back what was just cut off, unless that is durable: files go after
        // the first index has moved.
        for (let looks = 0; (await node.disk.list('log')).includes(first ?? ''); looks++) {
          assert.ok(looks < 5_000);
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
        await node.disk.syncDir('log');
        cluster.crash(node);
      } else await cluster.stop(node);
      await ruinManifest(node);
      await assert.rejects(cluster.up(node), (error) => codeOf(error) === 'MANIFEST_UNREADABLE');
    });
  }
});
