import assert from 'node:assert/strict';
import { must } from '../../base/assert.js';
import { fromUtf8 } from '../../base/bytes.js';
import type { CrashDisk } from '../../base/disk/testing/crash-disk.js';
import { codeOf } from '../../base/errors.js';
import type { KintsugiEvent } from '../../base/events.js';
import { seededRandom } from '../../base/testing/seeded-random.js';
import { LOG_DAMAGED, LOG_MENDED, LOG_WAITS, TAIL_TAKEN } from '../../replica/log-recovery/recover-log.js';
import { get, put } from '../../api/testing/requests.js';
import { NEWEST_VERSION } from '../../replica/base/protocol.js';
import { Chaos } from './chaos-env.js';
import { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { load, valueOf } from './load.js';
import { resolved, rotEntries, tearEntry } from './log-damage.js';

type Node = ClusterNode<CrashDisk>;

const said = (node: Node, what: string): boolean => node.events.some((event) => event.type === 'warning' && event.message === what);

async function check(node: Node, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) {
    const { kvs } = await node.store.range({ ...get(`key${i}`), serializable: true });
    assert.equal(kvs[0] && fromUtf8(kvs[0].value), valueOf(i), `key${i}`);
  }
}

describe('a member whose log is damaged', function () {
  this.timeout(60_000);
  let cluster: Cluster<CrashDisk>;

  async function start(members = 3, seed = 5): Promise<void> {
    cluster = await Cluster.start(new Chaos(seededRandom(seed)), { members });
    await load(cluster, 0, 40);
    await cluster.settled(20_000);
  }

  /** All stop in order, so that all their entries are proven. */
  async function stopAll(): Promise<void> {
    for (const node of cluster.nodes) await cluster.stop(node);
  }

  async function join(n: number): Promise<Node> {
    const url = `http://m${n}:2380`;
    const members = await (await cluster.leader()).store.changeMembers({ kind: 'add', id: 0, peerUrls: [url], learner: false });
    const node = cluster.machine(must(members.find(({ peerUrls }) => peerUrls[0] === url), 'it was added').id, await cluster.leader());
    await cluster.up(node);
    await cluster.until('the new member to know itself', () => node.replica.membership.has(node.id));
    await cluster.settled(20_000);
    return node;
  }

  afterEach(() => cluster.close());

  it('D1 takes what it lost from the others, and its log is whole from then on', async () => {
    await start();
    const node = await cluster.follower();
    await cluster.stop(node);
    const { table } = await resolved(node.disk);
    const lost = [table.baseIndex + 2, table.lastIndex - 8, table.lastIndex - 7, table.lastIndex];
    await rotEntries(node.disk, lost);
    await load(cluster, 40, 60);
    await cluster.up(node);
    assert.ok(said(node, LOG_MENDED));
    await cluster.settled(20_000);
    await check(node, 0, 60);
    cluster.crash(node);
    assert.deepEqual((await resolved(node.disk)).faults, []);
    node.events.length = 0;
    await cluster.up(node);
    assert.ok(!said(node, LOG_MENDED), 'what it took is durable');
    await cluster.settled(20_000);
    await check(node, 0, 60);
  });

  it('D1 two and three that lost different entries mend each other, with nobody whole among them', async () => {
    await start();
    await stopAll();
    for (const [i, node] of cluster.nodes.entries()) {
      const { table } = await resolved(node.disk);
      const lost = [];
      for (let index = table.baseIndex + 1; index <= table.lastIndex; index++) if (index % 3 === i) lost.push(index);
      await rotEntries(node.disk, lost);
    }
    await cluster.upAll();
    assert.ok(cluster.nodes.every((node) => said(node, LOG_MENDED)));
    await cluster.settled(20_000);
    for (const node of cluster.nodes) await check(node, 0, 40);
  });

  it('R6 waits while no copy is left and those that are away might have one, and goes on once one is back', async () => {
    await start();
    await stopAll();
    const [a, b, c] = cluster.nodes as [Node, Node, Node];
    const { table } = await resolved(a.disk);
    for (const node of [a, b]) await rotEntries(node.disk, [table.lastIndex - 3]);
    const waiting = [cluster.up(a), cluster.up(b)];
    await cluster.until('both say that they wait', () => said(a, LOG_WAITS) && said(b, LOG_WAITS));
    await cluster.until('both serve what was applied before', () => a.waitingStore !== undefined && b.waitingStore !== undefined);
    assert.ok(!a.up && !b.up, 'neither takes part');
    await Promise.all([...waiting, cluster.up(c)]);
    assert.ok(a.waitingStore === undefined && b.waitingStore === undefined);
    await cluster.settled(20_000);
    for (const node of cluster.nodes) await check(node, 0, 40);
  });

  it('says what it waits for once, however many entries it waits for', async () => {
    await start();
    await stopAll();
    const [a, b, c] = cluster.nodes as [Node, Node, Node];
    const { table } = await resolved(a.disk);
    for (const node of [a, b]) await rotEntries(node.disk, [1, 3, 5, 7, 9].map((back) => table.lastIndex - back));
    const waiting = [cluster.up(a), cluster.up(b)];
    await cluster.until('both say that they wait', () => said(a, LOG_WAITS) && said(b, LOG_WAITS));
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    for (const { events } of [a, b]) {
      const what = events.flatMap((event) => (event.type === 'warning' && event.message === LOG_WAITS ? [JSON.stringify(event.data)] : []));
      assert.deepEqual(what, [...new Set(what)]);
      assert.ok(what.every((text) => text.includes(`"index":${table.lastIndex - 9}`)), what.join());
    }
    await Promise.all([...waiting, cluster.up(c)]);
  });

  it('D1 R4 while it waits it serves what was applied before, says what it waits for, and refuses all else', async () => {
    await start();
    const { store, replica } = await cluster.leader();
    const lost = replica.log.lastIndex() + 1;
    await store.put(put('late', 'lies in the lost entry or behind it'));
    for (let i = 0; i < 4; i++) await store.put(put('later', `${i}`));
    await cluster.settled(20_000);
    await stopAll();
    const { table } = await resolved(must(cluster.nodes[0], 'there are three').disk);
    assert.ok(lost + 4 <= table.lastIndex);
    for (const node of cluster.nodes) await rotEntries(node.disk, [lost]);
    for (const node of cluster.nodes) cluster.up(node).catch(() => undefined);
    await cluster.until('all to serve what was applied before', () => cluster.nodes.every(({ waitingStore }) => waitingStore !== undefined));
    for (const { waitingStore } of cluster.nodes) {
      const store = must(waitingStore, 'it waits');
      const { kvs } = await store.range({ ...get('key0'), serializable: true });
      assert.equal(kvs[0] && fromUtf8(kvs[0].value), valueOf(0));
      assert.deepEqual((await store.range({ ...get('late'), serializable: true })).kvs, [], 'it lies behind what was applied');
      await assert.rejects(store.range(get('key0')), { code: 'NO_LEADER' });
      await assert.rejects(store.put(), { code: 'NO_LEADER' });
      await assert.rejects(store.checkLinearizable(), { code: 'NO_LEADER' });
      const { leader, waitsFor, members, appliedIndex } = store.status();
      assert.deepEqual([leader, members.length], [0, 3]);
      assert.ok(appliedIndex > 0 && appliedIndex < lost, `${appliedIndex} of ${table.lastIndex}`);
      assert.match(waitsFor ?? '', new RegExp(`log entry ${lost} of term .* have lost it, too`));
    }
  });

  it('R6 a leader\'s last entry that reached nobody else is cut once the others lead without it', async () => {
    await start();
    const old = await cluster.leader();
    const others = cluster.nodes.filter((node) => node !== old);
    for (const node of others) cluster.hub.cut(old.id, node.id);
    const before = old.replica.log.lastIndex();
    void old.store.put(put('lost', 'x')).catch(() => undefined);
    await cluster.until('it is on the disk of the old leader', () => old.replica.log.lastIndex() > before);
    await cluster.stop(old);
    cluster.hub.heal();
    const { table } = await resolved(old.disk);
    await rotEntries(old.disk, [table.lastIndex]);
    await load(cluster, 40, 60);
    await cluster.up(old);
    await cluster.settled(20_000);
    assert.ok(said(old, LOG_MENDED));
    assert.deepEqual((await old.store.range({ ...get('lost'), serializable: true })).kvs, []);
    await check(old, 0, 60);
  });

  it('D1 one whose last segment is gone takes all that a leader has', async () => {
    await start();
    await load(cluster, 40, 300);
    const node = await cluster.follower();
    await cluster.stop(node);
    const { kept } = await resolved(node.disk);
    const last = kept.at(-1)?.generation ?? 0;
    assert.ok(kept[0]?.generation !== last, 'it is not its only one');
    for (const name of await node.disk.list('log')) if (Number.parseInt(name, 16) >= last) await node.disk.unlink(`log/${name}`);
    await load(cluster, 300, 320);
    await cluster.up(node);
    await cluster.settled(20_000);
    await check(node, 0, 320);
  });

  it('D1 what the others have dropped from their logs comes with the version of one of them', async () => {
    await start();
    const node = await cluster.follower();
    await cluster.stop(node);
    const { table } = await resolved(node.disk);
    const { index } = node.replica.tree.durable.flushed;
    const lost = Math.max(index, table.baseIndex) + 2;
    await rotEntries(node.disk, [lost]);
    let written = 40;
    while (!cluster.alive.every(({ replica }) => replica.log.firstIndex() > lost)) await load(cluster, written, (written += 100));
    await cluster.up(node);
    await cluster.settled(20_000);
    await check(node, 0, written);
  });

  for (const flushed of [false, true]) {
    const where = flushed ? 'in tables' : 'in its log';
    it(`R6 a majority of the members that the flags name cuts nothing, once there are more (${where})`, async () => {
      await start();
      const [a, b, c] = cluster.nodes as [Node, Node, Node];
      await cluster.until('the newest version', () => cluster.nodes.every((node) => node.store.status().clusterVersion === NEWEST_VERSION));
      const grown = [await join(4), await join(5)];
      const { index } = a.replica.tree.durable.flushed;
      for (let i = 40; flushed && a.replica.tree.durable.flushed.index < index + 60; i += 100) await load(cluster, i, i + 100);
      for (const far of [b, c]) for (const near of [a, ...grown]) cluster.hub.cut(far.id, near.id);
      await cluster.until('a leader that has a majority', () => [a, ...grown].some(({ replica }) => replica.leadership.isLeader));
      const from = Math.max(b.replica.log.lastIndex(), c.replica.log.lastIndex()) + 1;
      await a.store.put(put('kept', 'x'));
      await stopAll();
      cluster.hub.heal();
      const { table } = await resolved(a.disk);
      await rotEntries(a.disk, Array.from({ length: table.lastIndex - from + 1 }, (_, i) => from + i));
      const waiting = cluster.up(a);
      await Promise.all([cluster.up(b), cluster.up(c)]);
      await cluster.until('it says that it waits', () => said(a, LOG_WAITS));
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      assert.ok(!a.up, 'two of five prove nothing');
      await Promise.all([waiting, ...grown.map((node) => cluster.up(node))]);
      await cluster.settled(20_000);
      for (const node of cluster.nodes) {
        assert.equal((await node.store.range({ ...get('kept'), serializable: true })).kvs.length, 1);
      }
    });
  }

  it('one that was removed meanwhile is told so: nobody gives it what it lost', async () => {
    await start();
    await cluster.until('the newest version', () => cluster.nodes.every(({ replica }) => replica.state.version === NEWEST_VERSION));
    const gone = await cluster.follower();
    await cluster.stop(gone);
    const { table } = await resolved(gone.disk);
    await rotEntries(gone.disk, [table.lastIndex - 3]);
    await (await cluster.leader()).store.changeMembers({ kind: 'remove', id: gone.id });
    await assert.rejects(cluster.up(gone), (error) => codeOf(error) === 'REMOVED');
    assert.ok(said(gone, LOG_DAMAGED) && !said(gone, LOG_MENDED));
  });

  it('R6 alone it has nobody to ask, and stops as it is', async () => {
    await start(1);
    const [node] = cluster.nodes as [Node];
    await cluster.stop(node);
    const { table } = await resolved(node.disk);
    await rotEntries(node.disk, [table.lastIndex]);
    await assert.rejects(cluster.up(node), (error) => codeOf(error) === 'ENTRY_FAULTY');
  });
});

describe('a log whose end was never proven to be durable', function () {
  this.timeout(60_000);

  it('R6 is asked of the others before it is cut, and a start does not wait for them', async () => {
    let victim: Node | undefined;
    const watcher = {
      // At once: 50 ms later its identity would be there, too.
      onEvent: (at: Node, { type }: KintsugiEvent): void => {
        if (at !== victim || type !== 'log-sync' || at.replica.log.lastIndex() <= before) return;
        victim = undefined;
        queueMicrotask(() => cluster.crash(at));
      },
    };
    const cluster: Cluster<CrashDisk> = await Cluster.start(new Chaos(seededRandom(9)), { members: 3, watcher });
    let before = Infinity;
    try {
      await load(cluster, 0, 20);
      await cluster.settled(20_000);
      const node = await cluster.follower();
      before = node.replica.log.lastIndex();
      victim = node;
      void cluster.nodes.find((each) => each !== node)?.store.put(put('last', 'x'.repeat(2_000)));
      await cluster.until('it has lost its power', () => !node.up);
      const { table, torn } = await resolved(node.disk);
      assert.deepEqual([table.lastIndex > before, torn], [true, []]);
      await tearEntry(node.disk, table.lastIndex);
      const after = await resolved(node.disk);
      assert.equal(after.torn.length, 1, 'nothing proves that it was synced');
      await cluster.up(node);
      assert.ok(said(node, TAIL_TAKEN));
      await cluster.settled(20_000);
    } finally {
      await cluster.close();
    }
  });
});
