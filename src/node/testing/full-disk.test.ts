import assert from 'node:assert/strict';
import { must } from '../../base/assert.js';
import type { SmallDisk } from '../../base/disk/testing/small-disk.js';
import { get, put } from '../../api/testing/requests.js';
import { NEWEST_VERSION } from '../../replica/base/protocol.js';
import { RECOVERS_BY_ITSELF } from '../../replica/start/after-refusal.js';
import { LEFT_STATE_GIVEN } from '../../replica/start/left-state.js';
import { START_LACKS_ROOM } from '../../replica/state/until-room.js';
import { RESERVE_PATH } from '../../replica/state/reserve.js';
import { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { load } from './load.js';
import { resolved, rotEntries } from './log-damage.js';
import { smallDisks } from './small-disks.js';

const LOG_BYTES = 64 * 1024;

describe('a full disk', function () {
  this.timeout(60_000);
  let cluster: Cluster<SmallDisk>;

  beforeEach(async () => {
    cluster = await Cluster.start(smallDisks, { logSegmentBytes: LOG_BYTES });
    await load(cluster, 0, 200, 50);
    await cluster.settled();
    await cluster.until('the reserves', () => cluster.nodes.every(({ disk }) => disk.sizeOf(RESERVE_PATH) === LOG_BYTES));
  });
  afterEach(() => cluster.close());

  /** Through those, until that member takes no more entries. */
  async function untilRefused(node: ClusterNode<SmallDisk>, through: readonly ClusterNode<SmallDisk>[]): Promise<void> {
    for (let i = 0; !stuck(node); i++) await through[i % through.length]?.store.put(put(`more${i % 50}`, 'v'.repeat(400)));
  }

  function stuck({ replica, disk }: ClusterNode<SmallDisk>): boolean {
    return replica.room.short && disk.sizeOf(RESERVE_PATH) === undefined && cluster.leading !== undefined &&
      replica.log.lastIndex() + 50 < cluster.leading.replica.log.lastIndex();
  }

  async function value({ store }: ClusterNode<SmallDisk>, key: string, serializable = true): Promise<number> {
    return (await store.range(get(key, serializable))).kvs.length;
  }

  it('C1 of a follower: it stops acknowledging and serves what it has, the others go on, and it comes back by itself', async () => {
    const node = await cluster.follower();
    const others = cluster.nodes.filter((other) => other !== node);
    node.disk.fill();
    await untilRefused(node, others);
    assert.equal(await value(node, 'key1'), 1);
    assert.ok(node.store.status().errors.some((error) => error.includes('no room')), node.store.status().errors.join());
    for (const { store } of others) await store.put(put('after', 'x'));
    node.disk.capacity = Infinity;
    await cluster.settled();
    assert.ok(!node.replica.room.short);
    assert.equal(await value(node, 'after', false), 1);
    assert.equal(node.disk.sizeOf(RESERVE_PATH), LOG_BYTES);
    assert.deepEqual(cluster.failures, []);
  });

  it('C1 of the leader: another one leads, and clients write on', async () => {
    const node = await cluster.leader();
    const others = cluster.nodes.filter((other) => other !== node);
    node.disk.fill();
    for (let i = 0; !node.replica.room.short || cluster.leading === node; i++) await others[i % 2]?.store.put(put(`more${i % 50}`, 'v'.repeat(400)));
    await cluster.until('another leader', () => cluster.leading !== undefined && cluster.leading !== node);
    await others[0]?.store.put(put('after', 'x'));
    node.disk.capacity = Infinity;
    await cluster.settled();
    assert.equal(await value(node, 'after', false), 1);
  });

  it('C1 a member starts on a full disk, again and again, takes part as far as it can, and comes back by itself', async () => {
    const node = await cluster.follower();
    const others = cluster.nodes.filter((other) => other !== node);
    node.disk.fill();
    await untilRefused(node, others);
    for (let life = 0; life < 3; life++) {
      await cluster.kill(node);
      node.disk.fill();
      await cluster.up(node);
      await cluster.until('it to follow', () => node.replica.leadership.leader !== 0);
      assert.equal(await value(node, 'key2'), 1);
      assert.ok(node.disk.used <= node.disk.capacity);
    }
    node.disk.capacity = Infinity;
    await cluster.settled();
    assert.deepEqual(cluster.failures, []);
  });

  it('C1 a member that mends its log on a full disk waits for room, and serves what it had meanwhile', async () => {
    const node = await cluster.follower();
    // Behind all that its tables hold.
    for (let i = 0; i < 5; i++) await node.store.put(put('late', `${i}`));
    await cluster.stop(node);
    const { table } = await resolved(node.disk);
    await rotEntries(node.disk, [table.lastIndex - 1]);
    await node.disk.unlink(RESERVE_PATH);
    node.disk.fill();
    const starting = cluster.up(node);
    await cluster.until('it to wait for room', () => node.waitingStore !== undefined);
    const { waitsFor } = must(node.waitingStore, 'it waits').status();
    assert.match(waitsFor ?? '', /room on the disk/);
    assert.equal((await must(node.waitingStore, 'it waits').range(get('key2', true))).kvs.length, 1);
    assert.ok(!node.up);
    node.disk.capacity = Infinity;
    await starting;
    await cluster.settled();
    assert.equal(await value(node, 'key2', false), 1);
    assert.deepEqual(cluster.failures, []);
  });

  it('C1 of all members at once, on file systems that copy what is overwritten: no election and no start ends anybody', async () => {
    for (const { disk } of cluster.nodes) {
      disk.copiesOnWrite = true;
      disk.fill();
    }
    const leader = await cluster.leader();
    await cluster.kill(leader);
    await cluster.until('one to have no room for a promise', () => cluster.alive.some(({ replica }) => replica.room.short));
    const up = cluster.up(leader);
    await cluster.until('a start to wait', () => leader.events.some((event) => event.type === 'warning' && event.message === START_LACKS_ROOM));
    for (const node of cluster.alive) assert.equal(await value(node, 'key3'), 1);
    assert.deepEqual(cluster.failures, []);
    for (const { disk } of cluster.nodes) disk.capacity = Infinity;
    await up;
    await cluster.leader();
    await cluster.nodes[0]?.store.put(put('after', 'x'));
    await cluster.settled();
    for (const node of cluster.nodes) assert.equal(await value(node, 'after', false), 1);
    assert.deepEqual(cluster.failures, []);
  });

  it('C1 of all members at once: nobody stops, reads go on, and writes do as soon as there is room', async () => {
    for (const { disk } of cluster.nodes) disk.fill();
    const writes: Promise<unknown>[] = [];
    for (let i = 0; i < 3_000; i++) writes.push(cluster.nodes[i % 3]?.store.put(put(`more${i}`, 'v'.repeat(200))).catch((error: unknown) => error) ?? Promise.resolve());
    await cluster.until('two to be full', () => cluster.nodes.filter(({ replica }) => replica.room.short).length >= 2);
    for (const node of cluster.nodes) assert.equal(await value(node, 'key3'), 1);
    for (const { disk } of cluster.nodes) disk.capacity = Infinity;
    await Promise.all(writes);
    await cluster.leader();
    await cluster.nodes[0]?.store.put(put('after', 'x'));
    await cluster.settled();
    for (const node of cluster.nodes) assert.equal(await value(node, 'after', false), 1);
    assert.deepEqual(cluster.failures, []);
  });
});

describe('a full disk of a member that recovers by itself', function () {
  this.timeout(60_000);
  let cluster: Cluster<SmallDisk>;

  afterEach(() => cluster.close());

  it('C1 D1 it waits for room to write down that it does, and then that it was let in, and asks nobody anew', async () => {
    cluster = await Cluster.start(smallDisks, { logSegmentBytes: LOG_BYTES, autoRecover: true });
    await cluster.until('the newest version', () => cluster.nodes.every(({ store }) => store.status().clusterVersion === NEWEST_VERSION));
    const node = await cluster.follower();
    await cluster.kill(node);
    const [other = assert.fail()] = cluster.alive;
    await cluster.kill(other);
    for (const path of ['hardstate', RESERVE_PATH]) if (node.disk.sizeOf(path) !== undefined) await node.disk.unlink(path);
    const warned = (message: string): number => node.events.filter((event) => event.type === 'warning' && event.message === message).length;

    node.disk.fill();
    const comes = cluster.recovered(node);
    await cluster.until('it to wait', () => warned(START_LACKS_ROOM) > 0);
    assert.equal(warned(RECOVERS_BY_ITSELF), 0);
    node.disk.capacity = Infinity;
    await cluster.until('it to ask', () => node.events.some(({ type }) => type === 'readmission'));

    node.disk.fill();
    const waited = warned(START_LACKS_ROOM);
    await cluster.up(other);
    await cluster.until('it to wait again', () => warned(START_LACKS_ROOM) > waited, 20_000);
    node.disk.capacity = Infinity;
    const next = await comes;
    assert.notEqual(next.id, node.id);
    await cluster.until('it to vote', () => next.replica.membership.standing(next.id) === 'voter', 20_000);
    await cluster.settled(20_000);
    // Whoever opens its files anew has new connections, too.
    assert.equal(warned(LEFT_STATE_GIVEN), 1);
  });
});
