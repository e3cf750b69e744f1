import assert from 'node:assert/strict';
import { RpcStats } from '../../observability/rpc-stats.js';
import { EtcdError } from '../../api/etcd-error.js';
import type { WatchCreateRequest, WatchEvent } from '../../api/watch.js';
import { utf8 } from '../../base/bytes.js';
import { silent } from '../../base/testing/silent.js';
import { ClientError, CompactedError, connect, type Client, type Watch, type WatchBatch } from '../../client/client.js';
import { putRequest } from '../../client/requests.js';
import { Cluster } from '../../node/testing/cluster.js';
import { calm } from '../../node/testing/surroundings.js';
import type { Store } from '../../node/store.js';
import { clientPort } from '../rpc/client-server.js';
import { Health } from '../rpc/health-service.js';
import { clientMethods } from '../rpc/services.js';
import type { ClientPort } from '../transport/client-port.js';
import { listenAddress } from '../transport/listen-address.js';
import { FakeStore } from './fake-store.js';
import type { FakeWatch } from './fake-watch.js';

interface Served {
  readonly server: ClientPort;
  readonly endpoint: string;
}

async function serve(store: Store): Promise<Served> {
  const server = clientPort(clientMethods(store, new Health(), { maxRequestBytes: 1_572_864 }), {
    maxReceiveBytes: 2_097_152, maxConcurrentStreams: 1000, keepaliveIntervalMs: 0, keepaliveTimeoutMs: 20_000,
    store: { hasLeader: true }, stats: new RpcStats(), events: silent,
  });
  return { server, endpoint: `127.0.0.1:${await server.listen(listenAddress('http://127.0.0.1:0'))}` };
}

function put(key: string, revision: number, more: Partial<WatchEvent> = {}): WatchEvent {
  const kv = { key: utf8(key), createRevision: revision, modRevision: revision, version: 1, value: utf8('v'), lease: 0n };
  return { type: 'put', kv, prevKv: undefined, ...more };
}

function plain({ revision, events, more }: WatchBatch): unknown {
  return [revision, events.map(({ kv }) => Buffer.from(kv.key).toString()).join(), more];
}

describe('client.watch', () => {
  let store: FakeStore;
  let served: Served;
  let client: Client;

  beforeEach(async () => {
    store = new FakeStore();
    served = await serve(store);
    client = connect({ endpoints: [served.endpoint], retryDelayMs: 1, maxRetryDelayMs: 2 });
  });

  afterEach(async () => {
    client.close();
    await served.server.drain(100);
  });

  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  /** The n-th session of the member, and what it was asked to create. */
  async function session(n: number): Promise<{ readonly fake: FakeWatch; readonly create: WatchCreateRequest }> {
    while (store.watches.length <= n) await turn();
    const fake = store.watches[n] as FakeWatch;
    await fake.until(() => fake.requests.length > 0);
    const [request] = fake.requests;
    assert.ok(request?.kind === 'create');
    return { fake, create: request.create };
  }

  const begin = (watch: Watch): AsyncIterator<WatchBatch, void> => watch[Symbol.asyncIterator]();

  async function next(batches: AsyncIterator<WatchBatch, void>): Promise<unknown> {
    const { value } = await batches.next();
    return value === undefined ? undefined : plain(value);
  }

  async function rejects(promise: Promise<unknown>, code: ClientError['code'], details: RegExp): Promise<ClientError> {
    let found: ClientError | undefined;
    await assert.rejects(promise, (error: unknown) => {
      assert.ok(error instanceof ClientError, String(error));
      assert.equal(error.code, code, error.message);
      assert.match(error.details, details);
      found = error;
      return true;
    });
    return found as ClientError;
  }

  it('says what it wants as etcd has it, tells from where on it hears, and gives out revision by revision', async () => {
    const batches = begin(client.watch({ prefix: 'a' }, { prevKv: true, noDelete: true, progressNotify: true }));
    const first = next(batches);
    const { fake, create } = await session(0);
    assert.deepEqual(
      [Buffer.from(create.key).toString(), Buffer.from(create.rangeEnd).toString(), create.startRevision, create.prevKv,
        create.noPut, create.noDelete, create.progressNotify, create.fragment, fake.options.requireLeader],
      ['a', 'b', 0, true, false, true, true, true, true]);
    fake.answer({ created: true, revision: 7 });
    assert.deepEqual(await first, [7, '', false]);
    const prevKv = put('a', 5).kv;
    fake.answer({ revision: 9, events: [put('a', 8, { prevKv }), put('b', 8), put('a', 9, { type: 'delete' })] });
    const { value } = await batches.next() as { value: WatchBatch };
    assert.deepEqual(plain(value), [8, 'a,b', false]);
    assert.deepEqual([value.events[0]?.prevKv?.modRevision, value.events[1]?.prevKv, value.header.memberId], [5, undefined, 0x1001n]);
    assert.deepEqual(await next(batches), [9, 'a', false]);
    fake.answer({ revision: 12 });
    assert.deepEqual(await next(batches), [12, '', false], 'progress');
    await batches.return?.();
    await fake.until(() => fake.closed);
  });

  it('goes on after the last revision that it gave out, within it if it was cut off there, and after what progress told', async () => {
    const batches = begin(client.watch('a'));
    const first = next(batches);
    const one = (await session(0)).fake;
    one.answer({ created: true, revision: 7 });
    assert.deepEqual(await first, [7, '', false]);
    one.answer(new EtcdError('STOPPED'));
    let asked = next(batches);
    const two = await session(1);
    assert.equal(two.create.startRevision, 8, 'nothing came: from where it began');
    two.fake.answer({ created: true, revision: 20 });
    two.fake.answer({ revision: 11, fragment: true, events: [put('x', 10), put('a', 11), put('b', 11)] });
    assert.deepEqual(await asked, [10, 'x', false]);
    assert.deepEqual(await next(batches), [11, 'a,b', true]);
    two.fake.answer(new EtcdError('NO_LEADER'));
    asked = next(batches);
    const three = await session(2);
    assert.equal(three.create.startRevision, 11, 'the revision is not whole');
    three.fake.answer({ created: true, revision: 20 });
    three.fake.answer({ revision: 11, fragment: true, events: [put('a', 11)] });
    three.fake.answer({ revision: 11, fragment: true, events: [put('b', 11), put('c', 11)] });
    assert.deepEqual(await asked, [11, 'c', true], 'what was given out is left out');
    three.fake.answer({ revision: 12, events: [put('d', 11), put('a', 12)] });
    assert.deepEqual(await next(batches), [11, 'd', false]);
    assert.deepEqual(await next(batches), [12, 'a', false]);
    three.fake.answer({ revision: 30 });
    assert.deepEqual(await next(batches), [30, '', false]);
    three.fake.close();
    asked = next(batches);
    const four = await session(3);
    assert.equal(four.create.startRevision, 31, 'also where a member ends the call without an error');
    four.fake.answer({ created: true, revision: 30 });
    four.fake.answer({ revision: 31, events: [put('z', 31)] });
    assert.deepEqual(await asked, [31, 'z', false]);
    await batches.return?.();
  });

  it('a revision that is gone ends it with the revision that is left, a refusal with its code, at once', async () => {
    const batches = begin(client.watch('a', { startRevision: 3 }));
    const first = next(batches);
    const { fake, create } = await session(0);
    assert.equal(create.startRevision, 3);
    fake.answer({ created: true, revision: 90 });
    assert.deepEqual(await first, [2, '', false]);
    fake.answer({ canceled: true, compactRevision: 50 });
    const error = await rejects(batches.next(), 'OUT_OF_RANGE', /compacted/);
    assert.ok(error instanceof CompactedError);
    assert.equal(error.compactRevision, 50);

    const refused = begin(client.watch('a')).next();
    const reason = 'rpc error: code = PermissionDenied desc = etcdserver: permission denied';
    (await session(1)).fake.answer({ created: true, canceled: true, watchId: -1, cancelReason: reason });
    await rejects(refused, 'PERMISSION_DENIED', /^etcdserver: permission denied$/);
    const other = begin(client.watch('a')).next();
    (await session(2)).fake.answer({ created: true, canceled: true, watchId: -1, cancelReason: 'mvcc: watcher range is empty' });
    await rejects(other, 'UNKNOWN', /range is empty/);
    assert.equal(store.watches.length, 3, 'none of them is asked again');
  });

  it('a signal and the end of the client end it with CANCELLED, at any moment', async () => {
    const over = new AbortController();
    const running = begin(client.watch('a', { signal: over.signal }));
    const first = next(running);
    const { fake } = await session(0);
    fake.answer({ created: true, revision: 1 });
    await first;
    const waiting = running.next();
    over.abort();
    await rejects(waiting, 'CANCELLED', /./);
    await fake.until(() => fake.closed);
    await rejects(begin(client.watch('a', { signal: over.signal })).next(), 'CANCELLED', /./);

    const dead = connect({ endpoints: ['127.0.0.1:1'], retryDelayMs: 60_000, maxRetryDelayMs: 60_000 });
    const pausing = begin(dead.watch('a')).next();
    await turn();
    dead.close();
    await rejects(pausing, 'CANCELLED', /closed/);

    const batches = begin(client.watch('a'));
    const begun = next(batches);
    (await session(1)).fake.answer({ created: true, revision: 1 });
    await begun;
    const open = batches.next();
    client.close();
    await rejects(open, 'CANCELLED', /./);
  });

  it('one that cannot begin gives up after so many attempts; one that has begun goes on', async () => {
    const few = connect({ endpoints: [served.endpoint], retryDelayMs: 1, maxRetryDelayMs: 1, maxAttempts: 3 });
    store.refusal = new EtcdError('NO_LEADER');
    await rejects(begin(few.watch('a')).next(), 'UNAVAILABLE', /no leader/);
    store.refusal = undefined;
    const batches = begin(few.watch('a'));
    const first = next(batches);
    (await session(0)).fake.answer({ created: true, revision: 4 });
    await first;
    const asked = next(batches);
    for (let n = 0; n < 8; n++) (await session(n)).fake.answer(new EtcdError('STOPPED'));
    const { fake, create } = await session(8);
    assert.equal(create.startRevision, 5);
    fake.answer({ created: true, revision: 5 });
    fake.answer({ revision: 5, events: [put('a', 5)] });
    assert.deepEqual(await asked, [5, 'a', false]);
    few.close();
  });

  it('progress is asked for on the open call, and wrong arguments never leave the process', async () => {
    const watch = client.watch('a');
    const batches = begin(watch);
    const first = next(batches);
    const { fake } = await session(0);
    fake.answer({ created: true, revision: 4 });
    await first;
    watch.requestProgress();
    await fake.until(() => fake.requests.length === 2);
    assert.deepEqual(fake.requests[1], { kind: 'progress' });
    fake.answer({ revision: 6, watchId: -1 });
    assert.deepEqual(await next(batches), [6, '', false]);
    await rejects(begin(watch).next(), 'INVALID_ARGUMENT', /once/);
    assert.throws(() => client.watch('a', { startRevision: -1 }), { code: 'INVALID_ARGUMENT' });
    assert.throws(() => client.watch('a', { startRevision: 1.5 }), { code: 'INVALID_ARGUMENT' });
    await batches.return?.();
  });

  it('a consumer that does not take holds the member back: only so much is asked for ahead', async () => {
    const batches = begin(client.watch('a'));
    const first = next(batches);
    const { fake } = await session(0);
    fake.answer({ created: true, revision: 1 });
    await first;
    const value = new Uint8Array(256 * 1024);
    const event = put('a', 2);
    for (let n = 2; n < 200; n++) fake.answer({ revision: n, events: [{ ...event, kv: { ...event.kv, modRevision: n, value } }] });
    let before = -1;
    while (before !== fake.asked) {
      before = fake.asked;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.ok(fake.asked < 100, `${fake.asked} messages of 256 KiB were taken from the store, none by the consumer`);
    for (let n = 2; n < 200; n++) assert.deepEqual(await next(batches), [n, 'a', false]);
    await batches.return?.();
  });

  it('twenty watches at once leave neither listeners nor timers behind', async () => {
    const warnings: unknown[] = [];
    const warned = (warning: unknown): number => warnings.push(warning);
    process.on('warning', warned);
    const all = Array.from({ length: 20 }, () => begin(client.watch('a')));
    const firsts = all.map(next);
    for (let n = 0; n < 20; n++) (await session(n)).fake.answer({ created: true, revision: 1 });
    await Promise.all(firsts);
    for (const batches of all) await batches.return?.();
    for (const fake of store.watches) await fake.until(() => fake.closed);
    await turn();
    process.off('warning', warned);
    assert.deepEqual(warnings, []);
  });
});

describe('client.watch of a cluster', function () {
  this.timeout(30_000);

  it('W1 every change comes once and in order, over all endpoints, while members are killed, the leader first', async () => {
    const cluster = await Cluster.start(calm);
    const ports = await Promise.all(cluster.nodes.map((node) => serve(node.store)));
    const endpoints = ports.map(({ endpoint }) => endpoint);
    const client = connect({ endpoints, retryDelayMs: 5, maxRetryDelayMs: 50, dialTimeoutMs: 500 });
    const seen: string[] = [];
    const watching = (async (): Promise<void> => {
      for await (const { type, kv } of client.watchEvents({ prefix: 'k' }, { startRevision: 1, prevKv: true })) {
        seen.push(`${type} ${Buffer.from(kv.key).toString()} ${kv.modRevision}`);
        if (Buffer.from(kv.key).toString() === 'k-end') return;
      }
    })();
    const written: string[] = [];
    const write = async (key: string): Promise<void> => {
      const { store } = await cluster.leader();
      const { revision } = await store.put(putRequest(key, ''));
      written.push(`put ${key} ${revision}`);
    };
    for (let n = 0; n < 40; n++) await write(`k${n}`);
    const leader = await cluster.leader();
    await cluster.kill(leader);
    await ports[cluster.nodes.indexOf(leader)]?.server.drain(0);
    for (let n = 0; n < 40; n++) await write(`k${n}`);
    await write('k-end');
    await watching;
    assert.deepEqual(seen, written);
    client.close();
    await Promise.all(ports.map(({ server }) => server.drain(0)));
    await cluster.close();
  });
});
