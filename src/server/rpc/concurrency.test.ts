import assert from 'node:assert/strict';
import { EMPTY, utf8 } from '../../base/bytes.js';
import { Caller } from '../../api/caller.js';
import { get, put } from '../../api/testing/requests.js';
import type { Store } from '../../node/store.js';
import { Cluster } from '../../node/testing/cluster.js';
import { calm } from '../../node/testing/surroundings.js';
import { NEWEST_VERSION } from '../../replica/base/protocol.js';
import { RawClient, refusal, type Answer } from '../testing/raw-client.js';
import { serveStore, type Served } from '../testing/serve.js';
import { Places } from '../concurrency/places.js';
import { Queue } from '../concurrency/queue.js';

const LOCK = 'v3lockpb.Lock';
const ELECTION = 'v3electionpb.Election';

describe('Lock and Election', function () {
  this.timeout(30_000);
  let cluster: Cluster;
  let served: Omit<Served, 'store'>[] = [];
  let clients: RawClient[] = [];

  before(() => start(1));
  after(stop);

  async function start(members: number): Promise<void> {
    cluster = await Cluster.start(calm, { members });
    await cluster.until('the newest version', () => cluster.nodes.every(({ replica }) => replica.state.version === NEWEST_VERSION));
    served = await Promise.all(cluster.nodes.map(({ store }) => serveStore(store)));
  }

  /** Of the n-th member, on a connection of its own. */
  function client(n = 0): RawClient {
    const found = new RawClient(served[n % served.length]?.endpoint ?? '');
    clients.push(found);
    return found;
  }

  const store = (): Store => cluster.alive[0]?.store as Store;
  const grant = async (id: number, ttl = 600): Promise<string> => String((await store().lease.grant({ id: BigInt(id), ttl })).id);

  async function keys(prefix: string): Promise<string[]> {
    const { kvs } = await store().range({ ...get(prefix), rangeEnd: utf8(`${prefix}\xff`), sortTarget: 'create', sortOrder: 'ascend' });
    return kvs.map(({ key }) => Buffer.from(key).toString());
  }

  async function queued(prefix: string, count: number): Promise<void> {
    while ((await keys(prefix)).length !== count) await new Promise((resolve) => setTimeout(resolve, 2));
  }

  afterEach(async () => {
    for (const each of clients) each.close();
    clients = [];
    // Whatever a test leaves behind is gone: the next one begins with nothing.
    for (const id of (await store().lease.list()).ids) await store().lease.revoke(id);
    await cluster.until('no watch', () => store().status().watches.streams === 0);
  });

  async function stop(): Promise<void> {
    await Promise.all(served.map(({ server }) => server.drain(0)));
    await cluster.close();
  }

  it('whoever cancels, is late, or goes away gives up their place, and a lease that was granted for it', async () => {
    const lock = { name: Buffer.from('l') };
    await client().call(LOCK, 'Lock', { ...lock, lease: await grant(1) });
    const one = client().ask(LOCK, 'Lock', { ...lock, lease: await grant(2) });
    await queued('l/', 2);
    one.cancel();
    await queued('l/', 1);
    assert.match(await refusal(client().call(LOCK, 'Lock', { ...lock, lease: '2' }, 100)), /^4: /);
    await queued('l/', 1);
    const gone = client();
    const lost = gone.ask(ELECTION, 'Campaign', lock);
    await queued('l/', 2);
    assert.equal((await store().lease.list()).ids.length, 3);
    gone.close();
    lost.cancel();
    await queued('l/', 1);
    while ((await store().lease.list()).ids.length > 2) await new Promise((resolve) => setTimeout(resolve, 2));
    const { leader } = await client().call(ELECTION, 'Campaign', { name: Buffer.from('free'), value: Buffer.from('v') });
    const { lease } = leader as { lease: string };
    assert.equal((await store().lease.timeToLive(BigInt(lease), false)).grantedTtl, 60, 'what is taken stays');
    assert.deepEqual(await keys('free/'), [`free/${BigInt(lease).toString(16)}`]);
  });

  it('calls with one lease share a place: one that leaves does not take it from the other', async () => {
    const name = Buffer.from('l');
    const { key } = await client().call(LOCK, 'Lock', { name, lease: await grant(1) });
    const lease = await grant(2);
    const one = client().ask(LOCK, 'Lock', { name, lease });
    await queued('l/', 2);
    const served2 = client();
    const two = served2.ask(LOCK, 'Lock', { name, lease });
    // It has been looked at once this one has, on the same connection.
    await served2.call(LOCK, 'Unlock', { key: Buffer.from('none') });
    one.cancel();
    await refusal(one.answer);
    await client().call(LOCK, 'Unlock', { key });
    assert.deepEqual((await two.answer)['key'], Buffer.from('l/2'));
    assert.deepEqual((await client().call(LOCK, 'Lock', { name, lease }))['key'], Buffer.from('l/2'));
    assert.deepEqual(await keys('l/'), ['l/2']);
  });

  it('whose lease ends while they wait is told at once, and nobody takes a place whose key was made anew', async () => {
    const name = Buffer.from('l');
    await client().call(LOCK, 'Lock', { name, lease: await grant(1) });
    const waits = [client().ask(LOCK, 'Lock', { name, lease: await grant(2) }), client().ask(ELECTION, 'Campaign', { name, lease: await grant(3) })];
    await queued('l/', 3);
    await store().lease.revoke(2n);
    await store().lease.revoke(3n);
    assert.deepEqual(await Promise.all(waits.map(({ answer }) => refusal(answer))), ['2: mutex: session is expired', '2: election: not leader']);
    const again = client().ask(LOCK, 'Lock', { name, lease: await grant(4) });
    await queued('l/', 2);
    const key = utf8('l/4');
    const remake = { kind: 'put' as const, request: { ...put('l/4', ''), lease: 4n } };
    await store().txn({ compare: [], success: [{ kind: 'delete-range', request: { key, rangeEnd: EMPTY, prevKv: false } }], failure: [] });
    await store().txn({ compare: [], success: [remake], failure: [] });
    assert.equal(await refusal(again.answer), '2: mutex: session is expired');
    assert.deepEqual(await keys('l/'), ['l/1', 'l/4'], 'it is not theirs to delete');
  });

  it('W1 an observer hears of each leader and its values in order, also when it reads nothing for long and history is compacted', async () => {
    const name = Buffer.from('e');
    const seen: string[] = [];
    const stream = client().listen(ELECTION, 'Observe', { name });
    stream.on('data', (answer: { kv: { value: Buffer } }) => seen.push(answer.kv.value.toString()));
    stream.on('error', () => undefined);
    const heard = (last: string): Promise<true> => cluster.until(last, () => seen.at(-1) === last);
    const leads = async (n: number): Promise<Answer> =>
      (await client().call(ELECTION, 'Campaign', { name, lease: await grant(n), value: Buffer.from(`${n}`) }))['leader'] as Answer;
    for (let n = 1; n < 4; n++) {
      const leader = await leads(n);
      await heard(`${n}`);
      await client().call(ELECTION, 'Proclaim', { leader, value: Buffer.from(`${n}+`) });
      await heard(`${n}+`);
      const { header } = await client().call(ELECTION, 'Resign', { leader });
      await store().compact({ revision: Number((header as { revision: string }).revision), physical: false });
    }
    assert.deepEqual(seen, ['1', '1+', '2', '2+', '3', '3+']);
    stream.cancel();
    await cluster.until('its watch to end', () => store().status().watches.streams === 0);
  });

  it('C1 who waits asks nothing of the store, one key that goes wakes one of them, and no more than a bound may wait', async () => {
    let looks = 0;
    const { store: real } = cluster.nodes[0] as { store: Store };
    const counted = new Proxy(real, {
      get: (target, name) => {
        if (name === 'txn') looks++;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    const places = new Places(counted, 5);
    const queue = new Queue(utf8('q'));
    const caller = new Caller({ hasToken: false });
    const abort = new AbortController();
    const all = [];
    for (let n = 1; n <= 5; n++) all.push(await places.enter(queue, BigInt(await grant(n)), EMPTY, caller));
    await assert.rejects(places.enter(queue, 0n, EMPTY, caller), /too many requests/);
    const turns: number[] = [];
    const waits = all.map((place, n) => place.turn(abort.signal).then((turn) => turn !== undefined && turns.push(n)));
    await waits[0];
    await cluster.until('all to wait', () => real.status().watches.watchers === 8);
    looks = 0;
    for (const [n, { key }] of all.slice(0, 3).entries()) {
      await real.deleteRange({ key, rangeEnd: EMPTY, prevKv: false });
      await waits[n + 1];
    }
    assert.deepEqual([turns, looks], [[0, 1, 2, 3], 3]);
    abort.abort();
    await assert.rejects(Promise.all(waits), /context canceled/);
    await Promise.all(all.map((place) => place.leave()));
    assert.deepEqual([places.waiting, await keys('q/'), real.status().watches.streams], [0, ['q/4'], 0]);
  });

  it('all that is asked for is asked of the caller: who may not leaves nothing behind, and it is asked again when it is their turn', async () => {
    const admin = client();
    const auth = (name: string, request: object): Promise<Answer> => admin.call('etcdserverpb.Auth', name, request);
    const perm = (permType: string): object => ({ permType, key: Buffer.from('l/'), range_end: Buffer.from('l0') });
    await auth('RoleAdd', { name: 'root' });
    for (const [user, role, type] of [['root', 'root', ''], ['alice', 'both', 'READWRITE'], ['bob', 'half', 'WRITE']] as const) {
      await auth('UserAdd', { name: user, password: user });
      if (type !== '') await auth('RoleAdd', { name: role });
      if (type !== '') await auth('RoleGrantPermission', { name: role, perm: perm(type) });
      await auth('UserGrantRole', { user, role });
    }
    await auth('AuthEnable', {});
    const as = async (user: string): Promise<RawClient> => {
      const own = client();
      own.token = String((await own.call('etcdserverpb.Auth', 'Authenticate', { name: user, password: user }))['token']);
      return own;
    };
    admin.token = (await as('root')).token;
    const name = Buffer.from('l');
    const [bad, nobody] = [client(), client()];
    bad.token = 'nonsense';
    for (const [who, why] of [[bad, '16: etcdserver: invalid auth token'], [nobody, '2: etcdserver: user name is empty'], [await as('bob'), '2: etcdserver: permission denied']] as const) {
      assert.equal(await refusal(who.call(LOCK, 'Lock', { name })), why);
      assert.equal(await refusal(who.call(ELECTION, 'Campaign', { name })), why);
      assert.equal(await refusal(who.call(ELECTION, 'Leader', { name })), why);
      const observed = who.listen(ELECTION, 'Observe', { name });
      const ended = await new Promise<Error & { code: number }>((resolve) => observed.on('error', resolve as (error: Error) => void).resume());
      assert.ok(ended.message.includes(why.slice(3)), ended.message);
    }
    assert.equal(await refusal(nobody.call(LOCK, 'Unlock', { key: Buffer.from('l/1') })), '2: etcdserver: user name is empty');
    assert.deepEqual([await keys('l/'), (await store().lease.list()).ids], [[], []]);

    const { key } = await (await as('alice')).call(LOCK, 'Lock', { name });
    const alice = await as('alice');
    const [second, third] = [alice.ask(LOCK, 'Lock', { name }, 10_000), (await as('root')).ask(LOCK, 'Lock', { name })];
    await queued('l/', 3);
    // What she has shown was good when she came.
    cluster.nodes[0]?.replica.state.access.tokens.clear();
    await store().deleteRange({ key: key as Buffer, rangeEnd: EMPTY, prevKv: false });
    const place = (await Promise.race([second.answer, third.answer]))['key'] as Buffer;
    const last = (await as('alice')).ask(LOCK, 'Lock', { name });
    await queued('l/', 3);
    admin.token = (await as('root')).token;
    await auth('RoleRevokePermission', { role: 'both', key: Buffer.from('l/'), range_end: Buffer.from('l0') });
    await store().deleteRange({ key: place, rangeEnd: EMPTY, prevKv: false });
    const [, other] = await Promise.all([second.answer, third.answer]);
    await store().deleteRange({ key: other['key'] as Buffer, rangeEnd: EMPTY, prevKv: false });
    assert.equal(await refusal(last.answer), '2: etcdserver: permission denied');
    await queued('l/', 0);
    await auth('AuthDisable', {});
  });

  it('a lock asked for at all members is held by one after the other, in the order in which they came, and across a change of leader', async () => {
    await stop();
    await start(3);
    const order: number[] = [];
    let holders = 0;
    const run = async (n: number): Promise<void> => {
      const { key } = await client(n).call(LOCK, 'Lock', { name: Buffer.from('l'), lease: await grant(100 + n) });
      assert.equal(++holders, 1);
      order.push(n);
      if (n === 4) await (await cluster.leader()).store.moveLeader((await cluster.follower()).id);
      await new Promise((resolve) => setImmediate(resolve));
      holders--;
      await client(n + 1).call(LOCK, 'Unlock', { key });
    };
    const { key } = await client().call(LOCK, 'Lock', { name: Buffer.from('l'), lease: await grant(99) });
    const all: Promise<void>[] = [];
    for (let n = 0; n < 9; n++) {
      all.push(run(n));
      await queued('l/', n + 2);
    }
    await client(2).call(LOCK, 'Unlock', { key });
    await Promise.all(all);
    assert.deepEqual(order, [...order.keys()]);
    assert.deepEqual(await keys('l/'), []);
  });
});
