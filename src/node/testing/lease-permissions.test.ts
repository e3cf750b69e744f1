import assert from 'node:assert/strict';
import { Caller } from '../../api/caller.js';
import { put } from '../../api/testing/requests.js';
import { utf8 } from '../../base/bytes.js';
import { codeOf } from '../../base/errors.js';
import type { AuthCommand } from '../../replica/auth/auth-command.js';
import { NEWEST_VERSION } from '../../replica/base/protocol.js';
import { tablePath } from '../../storage/table/table-meta.js';
import { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { rot } from './files.js';
import { calm } from './surroundings.js';

const ANONYMOUS = new Caller({ hasToken: false });
const named = (commonName: string): Caller => new Caller({ hasToken: false, commonName });
/** `u` has all keys from `key` to `kez`, `reader` and `writer` half of that, `other` others. */
const [u, reader, writer, other, root, stranger, nameless] = ['u', 'reader', 'writer', 'other', 'root', 'stranger', ''].map(named) as
  [Caller, Caller, Caller, Caller, Caller, Caller, Caller];

function user(name: string, type: 'read' | 'write' | 'readwrite', key: string, rangeEnd: string): AuthCommand[] {
  return [
    { kind: 'user-add', user: name, hash: undefined }, { kind: 'role-add', role: name }, { kind: 'user-grant', user: name, role: name },
    { kind: 'role-grant', role: name, permission: { type, key: utf8(key), rangeEnd: utf8(rangeEnd) } },
  ];
}

const SETUP: readonly AuthCommand[] = [
  { kind: 'user-add', user: 'root', hash: 'r' }, { kind: 'user-grant', user: 'root', role: 'root' },
  ...user('u', 'readwrite', 'key', 'kez'), ...user('reader', 'read', 'key', 'kez'), ...user('writer', 'write', 'key', 'kez'),
  ...user('other', 'readwrite', 'other', 'others'),
];

/** Its keys are `key1` and `key2`; `other1` hangs on the second; nothing on the third. */
const [OURS, MIXED, BARE] = [7n, 8n, 9n] as const;

describe('who may do what to a lease', function () {
  this.timeout(60_000);
  let cluster: Cluster;
  let leader: ClusterNode;
  let follower: ClusterNode;

  afterEach(() => cluster.close());

  async function start(): Promise<void> {
    cluster = await Cluster.start(calm, { healing: { resendMs: 200, pollMs: 50 } });
    await cluster.until('the newest version', () => cluster.nodes.every(({ replica }) => replica.state.version === NEWEST_VERSION));
    [leader, follower] = [await cluster.leader(), await cluster.follower()];
    for (const command of SETUP) await leader.store.auth.change(command);
    for (const id of [OURS, MIXED, BARE]) await leader.store.lease.grant({ id, ttl: 600 });
    for (const [key, lease] of [['key1', OURS], ['key2', OURS], ['key3', MIXED], ['other1', MIXED]] as const) {
      await leader.store.put({ ...put(key, 'v'), lease });
    }
    await leader.store.auth.change({ kind: 'enable' });
  }

  const refused = (code: string, promise: Promise<unknown>): Promise<void> =>
    assert.rejects(promise, (error) => codeOf(error) === code, code);

  /** `done`: what is answered if it is allowed. */
  async function each(
    what: string, ask: (node: ClusterNode, caller: Caller) => Promise<unknown>, said: Readonly<Record<string, readonly Caller[]>>,
  ): Promise<void> {
    for (const node of [leader, follower]) {
      for (const [code, callers] of Object.entries(said)) {
        for (const caller of callers) {
          const answer = await ask(node, caller).then(() => 'done', codeOf);
          assert.equal(answer, code, `${what} by ${caller.commonName ?? 'nobody'}, asked of ${node === leader ? 'the leader' : 'a follower'}`);
        }
      }
    }
  }

  it('keeps it alive who may write each of its keys, and root; without keys any user', async () => {
    await start();
    const renewed = (): number => leader.events.reduce((sum, event) => sum + (event.type === 'leases-renewed' ? event.count : 0), 0);
    await each('a lease', ({ store }, caller) => store.lease.keepAlive(OURS, caller), {
      done: [u, writer, root], PERMISSION_DENIED: [reader, other, stranger, nameless], USER_EMPTY: [ANONYMOUS],
    });
    assert.equal(renewed(), 6, 'what was refused has kept nothing alive');
    await each('a lease of others, too', ({ store }, caller) => store.lease.keepAlive(MIXED, caller), {
      done: [root], PERMISSION_DENIED: [u, writer, reader, other, stranger], USER_EMPTY: [ANONYMOUS],
    });
    for (const id of [BARE, 404n]) {
      await each('no key', async ({ store }, caller) => store.lease.keepAlive(id, caller), {
        done: [u, writer, reader, other, root], PERMISSION_DENIED: [stranger, nameless], USER_EMPTY: [ANONYMOUS],
      });
    }
    assert.equal((await follower.store.lease.keepAlive(404n, u)).ttl, 0);
    assert.equal((await follower.store.lease.keepAlive(MIXED)).ttl, 600, 'the application itself');
  });

  it('R4 a follower that is behind judges a keep-alive by what was committed before it was asked', async () => {
    await start();
    assert.equal((await follower.store.lease.keepAlive(OURS, u)).ttl, 600);
    const alone = async (change: () => Promise<unknown>): Promise<void> => {
      for (const { id } of cluster.nodes) if (id !== follower.id) cluster.hub.cut(follower.id, id);
      await change();
      const denied = refused('PERMISSION_DENIED', follower.store.lease.keepAlive(OURS, u));
      cluster.hub.heal();
      await denied;
    };
    await alone(() => leader.store.put({ ...put('other2', 'v'), lease: OURS }));
    await leader.store.put(put('other2', 'without'));
    assert.equal((await follower.store.lease.keepAlive(OURS, u)).ttl, 600, 'it is theirs again');
    await alone(() => leader.store.auth.change({ kind: 'user-revoke', user: 'u', role: 'u' }));
  });

  it('is told the time that is left to any user, its keys to who may read each of them, and all leases to who may read all keys', async () => {
    await start();
    const everybody = [u, reader, writer, other, root];
    for (const id of [OURS, MIXED, BARE]) {
      await each('the time', ({ store }, caller) => store.lease.timeToLive(id, false, caller), {
        done: everybody, PERMISSION_DENIED: [stranger, nameless], USER_EMPTY: [ANONYMOUS],
      });
    }
    await each('the keys', ({ store }, caller) => store.lease.timeToLive(OURS, true, caller), {
      done: [u, reader, root], PERMISSION_DENIED: [writer, other, stranger], USER_EMPTY: [ANONYMOUS],
    });
    await each('the keys of others, too', ({ store }, caller) => store.lease.timeToLive(MIXED, true, caller), {
      done: [root], PERMISSION_DENIED: [u, reader, writer, other], USER_EMPTY: [ANONYMOUS],
    });
    const list = ({ store }: ClusterNode, caller: Caller): Promise<unknown> => store.lease.list(caller);
    await each('the list', list, { done: [root], PERMISSION_DENIED: [u, reader, writer, other, stranger], USER_EMPTY: [ANONYMOUS] });
    await leader.store.lease.revoke(MIXED);
    await each('the list', list, { done: [root, u, reader], PERMISSION_DENIED: [writer, other, stranger] });
    assert.deepEqual((await follower.store.lease.list(u)).ids, [OURS, BARE]);
  });

  it('S2 who attaches a key to it, or revokes it, may write all of its keys, before it is proposed and when it is applied', async () => {
    await start();
    const attach = (lease: bigint) => ({ store }: ClusterNode, caller: Caller): Promise<unknown> => store.put({ ...put('key9', 'v'), lease }, caller);
    await each('a put', attach(OURS), { done: [u, writer, root], PERMISSION_DENIED: [reader, other, stranger], USER_EMPTY: [ANONYMOUS] });
    await each('a put', attach(MIXED), { done: [root], PERMISSION_DENIED: [u, writer], USER_EMPTY: [ANONYMOUS] });
    await each('a txn', async ({ store }, caller) => {
      await store.txn({ compare: [], success: [], failure: [{ kind: 'put', request: { ...put('key9', 'v'), lease: MIXED } }] }, caller);
    }, { done: [root], PERMISSION_DENIED: [u, writer] });
    // It was allowed where it was asked for, and is not any more when it is applied.
    for (const { id } of cluster.nodes) if (id !== follower.id) cluster.hub.cut(follower.id, id);
    await leader.store.put({ ...put('other2', 'v'), lease: OURS });
    const late = [attach(OURS)(follower, u), follower.store.lease.revoke(OURS, u)].map((each) => refused('PERMISSION_DENIED', each));
    cluster.hub.heal();
    await Promise.all(late);
    await cluster.settled();
    for (const { replica } of cluster.nodes) assert.equal(replica.kv.leases.attached, 6, 'key1, key2, key3, key9, other1, other2');
  });

  it('S4 D1 what is asked about a lease reads blocks beyond parity from others, as reads do', async () => {
    await start();
    await leader.store.lease.revoke(MIXED);
    for (let i = 0; i < 160; i++) await leader.store.put({ ...put(`key${i}`, `value ${i} `.repeat(60)), lease: OURS });
    await cluster.until('tables', () => cluster.nodes.every((node) => node.store.status().manifest.tables.length > 0));
    await cluster.settled();
    const attach = (node: ClusterNode, key: string): Promise<unknown> => node.store.put({ ...put(key, 'v'), lease: OURS }, u);
    const questions: readonly (() => Promise<unknown>)[] = [
      () => attach(follower, 'key-new'),
      () => follower.store.lease.keepAlive(OURS, u),
      () => follower.store.lease.timeToLive(OURS, true, u),
      () => follower.store.lease.list(u),
    ];
    for (const ask of questions) {
      await cluster.kill(follower);
      const rotten = leader.store.status().manifest.tables.map(({ id }) => id);
      for (const id of rotten) {
        const size = follower.disk.sizeOf(tablePath(id));
        if (size !== undefined) await rot(follower.disk, tablePath(id), 1000, size - 1000);
      }
      await cluster.up(follower);
      await ask();
      assert.ok(follower.store.status().heal.repairedBlocks > 0, String(ask));
      // Copies of blocks are kept until then: the next question would find them.
      await follower.store.scrub(() => undefined);
      await cluster.until('the heal', () => cluster.nodes.every((node) => {
        const { hints, owedTables, manifest } = node.store.status();
        return hints.length === 0 && owedTables === 0 && manifest.tables.every(({ id }) => !rotten.includes(id));
      }));
    }
    await cluster.settled();
    for (const { replica } of cluster.nodes) assert.equal(replica.kv.leases.attached, 161);
    assert.deepEqual(cluster.failures, []);
  });

  it('R4 etcd#20615: a keep-alive that is answered with a TTL bears a revision from before the lease was revoked', async () => {
    await start();
    for (const node of [leader, follower]) {
      const id = BigInt(100 + node.id);
      await leader.store.lease.grant({ id, ttl: 600 });
      await leader.store.put({ ...put(`key of ${id}`, 'v'), lease: id });
      const router = node.replica.leaseRouter;
      const ask = router.keepAlive.bind(router);
      let revoked = 0;
      // The answer of the leader is long on its way.
      router.keepAlive = async (each) => {
        const ttl = await ask(each);
        revoked = (await node.store.lease.revoke(id)).revision;
        return ttl;
      };
      const { ttl, revision } = await node.store.lease.keepAlive(id, u);
      router.keepAlive = ask;
      assert.equal(ttl, 600);
      assert.ok(revoked > 0 && revision < revoked, `the lease went at ${revoked}; it was there at ${revision}`);
    }
  });
});
