import assert from 'node:assert/strict';
import { utf8 } from '../../base/bytes.js';
import { codeOf } from '../../base/errors.js';
import type { KintsugiEvent } from '../../base/events.js';
import { get, put } from '../../api/testing/requests.js';
import { NEWEST_VERSION } from '../../replica/base/protocol.js';
import { leaseIn } from '../../replica/kv/leases.js';
import { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { load } from './load.js';
import { calm } from './surroundings.js';

type Three = [ClusterNode, ClusterNode, ClusterNode];

const refusedAs = (code: string) => (error: unknown): boolean => codeOf(error) === code;
const EVERY_MS = 100;

describe('leases', function () {
  this.timeout(60_000);
  let cluster: Cluster;

  /** Of each member, by the kind of event. */
  let counted: Map<number, { granted: number; revoked: number; renewed: number }>;

  async function start(): Promise<Three> {
    counted = new Map();
    const onEvent = ({ id }: ClusterNode, event: KintsugiEvent): void => {
      const counts = counted.get(id) ?? { granted: 0, revoked: 0, renewed: 0 };
      counted.set(id, counts);
      if (event.type === 'leases-renewed') counts.renewed += event.count;
      if (event.type !== 'leases-changed') return;
      counts.granted += event.granted;
      counts.revoked += event.revoked;
    };
    cluster = await Cluster.start(calm, { watcher: { onEvent } });
    await cluster.until('the newest version', () => cluster.nodes.every(({ replica }) => replica.state.version === NEWEST_VERSION));
    return cluster.nodes as Three;
  }

  const leased = (key: string, id: bigint): Promise<unknown> => cluster.nodes[0]!.store.put({ ...put(key, 'v'), lease: id });
  const isThere = (node: ClusterNode, id: bigint): boolean => node.replica.kv.leases.has(id);

  /** By any member that is up, as a client does, until it is stopped. */
  function keepAlive(id: bigint): { answers: number[]; stop(): Promise<void> } {
    const answers: number[] = [];
    let stopped = false;
    const run = (async () => {
      for (let i = 0; !stopped; i++) {
        const up = cluster.alive;
        const node = up[i % up.length];
        if (node !== undefined) await node.store.lease.keepAlive(id).then(({ ttl }) => answers.push(ttl), () => undefined);
        await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
      }
    })();
    return { answers, stop: () => ((stopped = true), run) };
  }

  afterEach(() => cluster.close());

  it('S2 a revoke deletes all keys of the lease in one revision, on every member, and a keep-alive after it is never answered with a TTL', async () => {
    const [one, two, three] = await start();
    const { id } = await two.store.lease.grant({ id: 0n, ttl: 60 });
    assert.ok(id > 0n);
    await assert.rejects(three.store.lease.grant({ id, ttl: 60 }), refusedAs('LEASE_EXISTS'));
    await assert.rejects(one.store.lease.grant({ id: 7n, ttl: 9_000_000_001 }), refusedAs('LEASE_TTL_TOO_LARGE'));
    await assert.rejects(one.store.put({ ...put('x', 'v'), lease: 7n }), refusedAs('LEASE_NOT_FOUND'));
    for (const key of ['c', 'a', 'b']) await leased(key, id);
    await one.store.put(put('b', 'without'));
    for (const { store } of [one, two, three]) {
      const { ttl, grantedTtl, keys } = await store.lease.timeToLive(id, true);
      assert.deepEqual([grantedTtl, keys.map((key) => Buffer.from(key).toString())], [60, ['a', 'c']]);
      assert.ok(ttl === 59 || ttl === 60);
      assert.equal((await store.lease.keepAlive(id)).ttl, 60);
      assert.deepEqual((await store.lease.list()).ids, [id]);
    }
    const before = (await one.store.range(get('a'))).revision;
    assert.equal((await three.store.lease.revoke(id)).revision, before + 1);
    for (const { store } of [one, two, three]) {
      assert.equal((await store.lease.keepAlive(id)).ttl, 0);
      assert.equal((await store.lease.timeToLive(id, true)).ttl, -1);
      const { kvs } = await store.range({ ...get('a'), rangeEnd: utf8('z') });
      assert.deepEqual(kvs.map(({ key }) => Buffer.from(key).toString()), ['b']);
      await assert.rejects(store.lease.revoke(id), refusedAs('LEASE_NOT_FOUND'));
    }
    await cluster.settled();
    const leader = await cluster.leader();
    for (const { id } of cluster.nodes) {
      assert.deepEqual(counted.get(id), { granted: 1, revoked: 1, renewed: id === leader.id ? 3 : 0 }, `what member ${id} has counted`);
    }
  });

  it('a lease that nobody keeps alive ends, and one that is kept alive does not, through kills of leaders and a restart of all', async () => {
    await start();
    const [kept, idle] = [5n, 6n];
    const { ttl } = await cluster.nodes[0]!.store.lease.grant({ id: kept, ttl: 1 });
    await cluster.nodes[0]!.store.lease.grant({ id: idle, ttl: 1 });
    await leased('kept', kept);
    await leased('idle', idle);
    const granted = Date.now();
    const keeper = keepAlive(kept);
    for (let kills = 0; kills < 2; kills++) {
      const leader = await cluster.leader();
      await cluster.kill(leader);
      await cluster.leader();
      await cluster.up(leader);
    }
    await cluster.until('the idle one to end', () => cluster.alive.every((node) => !isThere(node, idle)) || undefined, 15_000);
    const took = Date.now() - granted;
    assert.ok(took >= 1000 * ttl, `after ${took} ms of ${ttl} s`);
    for (const node of cluster.nodes) await cluster.kill(node);
    await cluster.upAll();
    await cluster.leader();
    // It would have ended by then, were it not kept alive: one that was granted with it has.
    await cluster.nodes[0]!.store.lease.grant({ id: idle, ttl: 1 });
    await cluster.until('the idle one to end again', () => cluster.alive.every((node) => !isThere(node, idle)) || undefined);
    assert.ok(cluster.nodes.every((node) => isThere(node, kept)), 'it was kept alive');
    assert.ok(keeper.answers.length > 5 && keeper.answers.every((each) => each === ttl), `answers: ${keeper.answers.join()}`);
    assert.equal((await cluster.nodes[1]!.store.range(get('kept'))).count, 1);
    assert.equal((await cluster.nodes[1]!.store.range(get('idle'))).count, 0);
    await keeper.stop();
    await cluster.settled();
  });

  it('the time that is left is in the log: a change of leader does not renew a lease, and a restart finds it in tables', async () => {
    const [one] = await start();
    await one.store.lease.grant({ id: 9n, ttl: 12 });
    await leased('a', 9n);
    const written = (): number => Math.min(...cluster.nodes.map((node) => leaseIn(node.replica.tree.current, 9n)?.remainingMs || Infinity));
    await cluster.until('the log to say that less is left', () => written() < 11_000);
    await load(cluster, 0, 400, 200);
    await cluster.settled();
    const leader = await cluster.leader();
    assert.ok(leader.replica.log.firstIndex() > 10, 'it is in tables');
    const logged = written();
    for (const node of cluster.nodes) await cluster.kill(node);
    await cluster.upAll();
    await cluster.leader();
    const left = await one.replica.leaseRouter.timeLeft(9n);
    assert.ok(left !== undefined && left.leftMs <= logged + one.replica.options.electionMs / 2, `${left?.leftMs} ms are left of ${logged}`);
    const { keys } = await one.store.lease.timeToLive(9n, true);
    assert.equal(keys.length, 1);
    for (const { replica } of cluster.nodes) assert.deepEqual([replica.kv.leases.count, replica.kv.leases.attached], [1, 1]);
    await assert.rejects(one.store.downgrade('enable', NEWEST_VERSION - 1), /leases/);
    await one.store.lease.revoke(9n);
    assert.equal(await one.store.downgrade('enable', NEWEST_VERSION - 1), NEWEST_VERSION - 1);
  });
});
