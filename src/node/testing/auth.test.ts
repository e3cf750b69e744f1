import assert from 'node:assert/strict';
import { Caller } from '../../api/caller.js';
import { EMPTY, utf8 } from '../../base/bytes.js';
import type { Disk } from '../../base/disk.js';
import { codeOf } from '../../base/errors.js';
import type { WatchSession } from '../../api/services/watch.js';
import { get, put } from '../../api/testing/requests.js';
import type { AuthCommand } from '../../replica/auth/auth-command.js';
import { NEWEST_VERSION } from '../../replica/base/protocol.js';
import { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { calm } from './surroundings.js';
import { load } from './load.js';

const ANONYMOUS = new Caller({ hasToken: false });
const SETUP: readonly AuthCommand[] = [
  { kind: 'user-add', user: 'root', hash: 'r' },
  { kind: 'user-grant', user: 'root', role: 'root' },
  { kind: 'user-add', user: 'u', hash: 'h' },
  { kind: 'role-add', role: 'keys' },
  { kind: 'role-grant', role: 'keys', permission: { type: 'readwrite', key: utf8('key'), rangeEnd: utf8('kez') } },
  { kind: 'user-grant', user: 'u', role: 'keys' },
];

describe('auth in a cluster', function () {
  this.timeout(60_000);
  let cluster: Cluster<Disk>;

  afterEach(() => cluster.close());

  async function start(): Promise<readonly [ClusterNode<Disk>, ClusterNode<Disk>, ClusterNode<Disk>]> {
    cluster = await Cluster.start(calm, { logSegmentBytes: 64 * 1024 });
    await cluster.until('the newest version', () => cluster.nodes.every(({ replica }) => replica.state.version === NEWEST_VERSION));
    const [a, b, c] = cluster.nodes;
    assert.ok(a && b && c);
    for (const command of SETUP) await a.store.auth.change(command);
    return [a, b, c];
  }

  async function log(node: ClusterNode<Disk>, user: string, digest: string): Promise<Caller> {
    const { revision } = await node.store.auth.password(user);
    const { index } = await node.store.auth.change({ kind: 'authenticate', user, revision, token: digest });
    return new Caller({ hasToken: true, token: { digest, index } });
  }

  const refused = (code: string, promise: Promise<unknown>): Promise<void> =>
    assert.rejects(promise, (error) => codeOf(error) === code, code);

  async function same(): Promise<void> {
    await cluster.settled();
    const [first, ...others] = cluster.nodes.map(({ replica }) => Buffer.from(replica.state.auth.encode()).toString('hex'));
    for (const other of others) assert.equal(other, first, 'S2 the auth state of all members');
  }

  it('S2 auth that is turned on and off under load, while users and roles change, never forks the members (etcd#14571)', async () => {
    const [a, b, c] = await start();
    const counts = { done: 0, refused: new Map<string, number>() };
    let stop = false;
    let token: Caller | undefined;
    const writer = async (node: ClusterNode<Disk>, n: number): Promise<void> => {
      for (let i = 0; !stop; i++) {
        const caller = i % 3 === 0 ? ANONYMOUS : token ?? ANONYMOUS;
        try {
          await node.store.put(put(`key${n}-${i % 50}`, String(i)), caller);
          counts.done++;
        } catch (error) {
          const code = codeOf(error) ?? String(error);
          counts.refused.set(code, (counts.refused.get(code) ?? 0) + 1);
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const writers = [a, b, c].flatMap((node, i) => [writer(node, 2 * i), writer(node, 2 * i + 1)]);
    try {
      for (let round = 0; round < 6; round++) {
        await b.store.auth.change({ kind: 'enable' });
        await refused('USER_EMPTY', b.store.put(put('key', 'v'), ANONYMOUS));
        token = await log(c, 'u', `token${round}`);
        await a.store.put(put('key', 'v'), token);
        await a.store.auth.change({ kind: 'role-add', role: `role${round}` });
        await b.store.auth.change({ kind: 'user-revoke', user: 'u', role: 'keys' });
        await refused('PERMISSION_DENIED', a.store.put(put('key', 'v'), token));
        await b.store.auth.change({ kind: 'user-grant', user: 'u', role: 'keys' });
        await c.store.auth.change({ kind: 'disable' });
      }
    } finally {
      stop = true;
      await Promise.all(writers);
    }
    await same();
    assert.deepEqual(cluster.failures, []);
    assert.ok(counts.done > 50 && (counts.refused.get('USER_EMPTY') ?? 0) > 5, `${counts.done} ${[...counts.refused].join(' ')}`);
    for (const code of counts.refused.keys()) {
      assert.ok(['USER_EMPTY', 'AUTH_OLD_REVISION', 'PERMISSION_DENIED', 'INVALID_AUTH_TOKEN'].includes(code), code);
    }
  });

  it('every member knows a token as soon as it was given out, and what a read may see is asked as of the read', async () => {
    const [a, b, c] = await start();
    await b.store.put(put('other', 'x'));
    await a.store.auth.change({ kind: 'enable' });
    const token = await log(a, 'u', 'one');
    await Promise.all([b, c].map(({ store }) => store.put(put('key', 'v'), token)));
    assert.equal((await c.store.range(get('key', true), token)).count, 1);
    for (const { store } of [a, b, c]) {
      await refused('PERMISSION_DENIED', store.range(get('other'), token));
      await refused('PERMISSION_DENIED', store.range({ ...get('key'), rangeEnd: Uint8Array.of(0) }, token));
      await refused('USER_EMPTY', store.range(get('key'), ANONYMOUS));
      await refused('INVALID_AUTH_TOKEN', store.range(get('key'), new Caller({ hasToken: true })));
      assert.equal((await store.range(get('other'))).count, 1, 'the application itself');
    }
    await b.store.auth.change({ kind: 'role-revoke', role: 'keys', range: { key: utf8('key'), rangeEnd: utf8('kez') } });
    await Promise.all([a, b, c].map(({ store }) => refused('PERMISSION_DENIED', store.range(get('key'), token))));
    await refused('PERMISSION_DENIED', a.store.auth.change({ kind: 'disable' }, token));
    assert.deepEqual((await c.store.auth.user('u', token)).roles, ['keys']);
    await refused('PERMISSION_DENIED', c.store.auth.user('root', token));
    await refused('PERMISSION_DENIED', c.store.auth.users(token));
  });

  it('a write that was on its way when its roles were changed is judged by what they are then, as of any member', async () => {
    await start();
    const [leader, behind] = [await cluster.leader(), await cluster.follower()];
    await leader.store.auth.change({ kind: 'enable' });
    const token = await log(leader, 'u', 'one');
    await behind.store.put(put('key', 'v'), token);
    for (const { id } of cluster.nodes) if (id !== behind.id) cluster.hub.cut(behind.id, id);
    await leader.store.auth.change({ kind: 'role-add', role: 'another' });
    const allowed = behind.store.put(put('key', 'w'), token);
    cluster.hub.heal();
    await allowed;
    for (const { id } of cluster.nodes) if (id !== behind.id) cluster.hub.cut(behind.id, id);
    await leader.store.auth.change({ kind: 'user-revoke', user: 'u', role: 'keys' });
    const denied = refused('PERMISSION_DENIED', behind.store.put(put('key', 'x'), token));
    cluster.hub.heal();
    await denied;
    await same();
  });

  it('auth that is turned on ends the open watches of every member that nobody may have, and a revoked permission those of its user', async () => {
    const nodes = await start();
    const watched = async (node: ClusterNode<Disk>, caller?: Caller): Promise<WatchSession> => {
      const session = node.store.watch({ caller });
      const key = { key: utf8('key'), rangeEnd: EMPTY, startRevision: 0, watchId: 0 };
      await session.handle({ kind: 'create', create: { ...key, progressNotify: false, noPut: false, noDelete: false, prevKv: false, fragment: false } });
      assert.equal((await session.next())?.created, true);
      return session;
    };
    const ended = async (sessions: readonly WatchSession[], reason: string): Promise<void> => {
      for (const session of sessions) {
        let answer = await session.next();
        for (; answer?.canceled === false; answer = await session.next()) {
          for (const { kv } of answer.events) assert.equal(Buffer.from(kv.value).toString(), 'for u', 'what was written before');
        }
        assert.equal(answer?.cancelReason, reason);
      }
    };
    const anonymous = await Promise.all(nodes.map((node) => watched(node, ANONYMOUS)));
    const own = await Promise.all(nodes.map((node) => watched(node)));
    await nodes[0].store.auth.change({ kind: 'enable' });
    const token = await log(nodes[1], 'u', 'one');
    await Promise.all(nodes.map(({ store }) => store.put(put('key', 'for u'), token)));
    await ended(anonymous, 'rpc error: code = InvalidArgument desc = etcdserver: user name is empty');
    const users = await Promise.all(nodes.map((node) => watched(node, token)));
    await nodes[2].store.auth.change({ kind: 'user-revoke', user: 'u', role: 'keys' });
    await Promise.all(nodes.map(({ store }) => store.put(put('key', 'for nobody'))));
    await ended(users, 'rpc error: code = PermissionDenied desc = etcdserver: permission denied');
    for (const session of own) {
      let heard = 0;
      while (heard < 6) heard += (await session.next())?.events.length ?? 0;
      session.close();
    }
  });

  it('GHSA-xg4h-6gfc-h4m8: a watch of one key hears of that key alone, and no range beyond what its caller may read is watched', async () => {
    const [a, , c] = await start();
    await a.store.auth.change({ kind: 'enable' });
    const token = await log(c, 'u', 'one');
    const session = c.store.watch({ caller: token });
    const plain = { startRevision: 0, progressNotify: false, noPut: false, noDelete: false, prevKv: false, watchId: 0, fragment: false };
    for (const [key, rangeEnd] of [['key', Uint8Array.of(0)], ['key', utf8('kez\0')], ['kez', EMPTY], ['', Uint8Array.of(0)]] as const) {
      await session.handle({ kind: 'create', create: { ...plain, key: utf8(key), rangeEnd } });
      const answer = await session.next();
      assert.deepEqual([answer?.canceled, answer?.cancelReason], [true, 'rpc error: code = PermissionDenied desc = etcdserver: permission denied']);
    }
    await session.handle({ kind: 'create', create: { ...plain, key: utf8('key'), rangeEnd: EMPTY } });
    assert.equal((await session.next())?.canceled, false);
    for (const key of ['key0', 'kez', 'key']) await a.store.put(put(key, 'v'));
    assert.deepEqual((await session.next())?.events.map(({ kv }) => Buffer.from(kv.key).toString()), ['key']);
    session.close();
  });

  it('S2 restarts, tables and a version without auth keep users and roles; a member that starts again knows no token of before', async () => {
    const [a, b] = await start();
    await a.store.auth.change({ kind: 'enable' });
    const token = await log(a, 'u', 'one');
    await load(cluster, 0, 400, 200);
    await cluster.settled();
    await refused('DOWNGRADE_REFUSED', a.store.downgrade('enable', NEWEST_VERSION - 1));
    for (const node of cluster.nodes) await cluster.kill(node);
    await cluster.upAll();
    await cluster.leader();
    await same();
    assert.deepEqual(await b.store.auth.status(), { enabled: true, revision: 7 });
    await refused('INVALID_AUTH_TOKEN', a.store.put(put('key', 'v'), token));
    await a.store.put(put('key', 'v'), await log(b, 'u', 'two'));
    await a.store.auth.change({ kind: 'disable' });
    for (const user of ['root', 'u']) await a.store.auth.change({ kind: 'user-delete', user });
    await a.store.auth.change({ kind: 'role-delete', role: 'keys' });
    assert.equal(await a.store.downgrade('enable', NEWEST_VERSION - 1), NEWEST_VERSION - 1);
    // Who has not heard of it would ask for what changes nothing any more, until its time is up.
    await cluster.until('the older version', () => cluster.nodes.every(({ replica }) => replica.state.version < NEWEST_VERSION));
    await refused('CLUSTER_TOO_OLD', a.store.auth.change({ kind: 'role-add', role: 'x' }));
    await a.store.put({ ...put('key', 'v'), lease: 0n, value: EMPTY }, ANONYMOUS);
    await same();
  });
});
