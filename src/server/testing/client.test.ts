import assert from 'node:assert/strict';
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import { RpcStats } from '../../observability/rpc-stats.js';
import { EtcdError } from '../../api/etcd-error.js';
import { Code } from '../../grpc/code.js';
import type { ServerStreamMethod } from '../../grpc/method.js';
import { RpcError } from '../../grpc/status.js';
import { clientPort } from '../rpc/client-server.js';
import { listenAddress } from '../transport/listen-address.js';
import { silent } from '../../base/testing/silent.js';
import { Health } from '../rpc/health-service.js';
import { clientMethods } from '../rpc/services.js';
import { serve, type Served } from './serve.js';
import { RANGE_STREAM_PATH } from '../../api/services/kv.js';
import { putRequest, rangeRequest } from '../../client/requests.js';
import { ClientError, compare, connect, op, type Client, type ClientOptions } from '../../client/client.js';

/** Nobody listens there: it was given to a server that is closed again. */
async function deadEndpoint(): Promise<string> {
  const server: NetServer = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return `127.0.0.1:${port}`;
}

describe('client', () => {
  let first: Served;
  let second: Served;
  let client: Client;

  const quick = (endpoints: readonly string[], more: Partial<ClientOptions> = {}): Client =>
    connect({ endpoints, retryDelayMs: 1, maxRetryDelayMs: 2, ...more });

  beforeEach(async () => {
    [first, second] = await Promise.all([serve(), serve()]);
    client = quick([first.endpoint]);
  });

  afterEach(async () => {
    client.close();
    await Promise.all([first.server.drain(100), second.server.drain(100)]);
  });

  async function rejects(promise: Promise<unknown>, expected: Partial<ClientError>): Promise<void> {
    await assert.rejects(promise, (error: unknown) => {
      assert.ok(error instanceof ClientError, String(error));
      for (const [name, value] of Object.entries(expected)) assert.deepEqual(error[name as keyof ClientError], value, `${name} of ${error.message}`);
      return true;
    });
  }

  it('a deadline that ends the last of several attempts does not hide why the others failed', async () => {
    first.store.refusal = new EtcdError('LEADER_CHANGED');
    const late = quick([first.endpoint], { timeoutMs: 500, retryDelayMs: 50, maxRetryDelayMs: 50, maxAttempts: 1_000 });
    setTimeout(() => (first.store.range = () => new Promise(() => undefined)), 200);
    const error: unknown = await late.get('a').catch((reason: unknown) => reason);
    late.close();
    assert.ok(error instanceof ClientError);
    assert.equal(error.code, 'DEADLINE_EXCEEDED');
    assert.match(error.failures.get(first.endpoint) ?? '', /leader changed/);
  });

  it('puts, gets, ranges and deletes with text or bytes', async () => {
    assert.equal((await client.put('a', 'one')).revision, 2);
    const again = await client.put(Buffer.from('a'), new Uint8Array([0xff, 0]), { prevKv: true });
    assert.equal(Buffer.from(again.prevKv?.value ?? []).toString(), 'one');
    assert.deepEqual([...(await client.get('a'))?.value ?? []], [0xff, 0]);
    assert.equal(await client.get('none'), undefined);
    await client.put('a/b', '1');
    await client.put('b', '2');
    const keys = async (range: Parameters<Client['getRange']>[0]): Promise<string[]> =>
      (await client.getRange(range)).kvs.map((kv) => Buffer.from(kv.key).toString());
    assert.deepEqual(await keys({ prefix: 'a' }), ['a', 'a/b']);
    assert.deepEqual(await keys({ prefix: '' }), ['a', 'a/b', 'b']);
    assert.deepEqual(await keys({ from: 'a/b' }), ['a/b', 'b']);
    assert.deepEqual(await keys({ key: 'a', end: 'a/b' }), ['a']);
    assert.equal((await client.getRange({ prefix: '' }, { countOnly: true })).count, 3);
    assert.equal((await client.delete({ prefix: 'a' })).deleted, 2);
    assert.equal(first.store.status().revision, 6);
  });

  it('carries out one branch of a txn, and refuses to be awaited instead of committed', async () => {
    const lock = () => client.txn().if(compare.version('lock', '=', 0)).then(op.put('lock', 'mine')).else(op.get('lock'));
    assert.equal((await lock().commit()).succeeded, true);
    const lost = await lock().commit();
    assert.equal(lost.succeeded, false);
    const [found] = lost.responses;
    assert.equal(found?.kind === 'range' && Buffer.from(found.response.kvs[0]?.value ?? []).toString(), 'mine');
    await rejects(Promise.resolve().then(async () => await (client.txn() as unknown as Promise<unknown>)), { code: 'INVALID_ARGUMENT', unsent: true });
  });

  it("rejects with one class of error that has the server's code and words", async () => {
    await rejects(client.getRange('a', { revision: 99 }), {
      code: 'OUT_OF_RANGE', details: 'etcdserver: mvcc: required revision is a future revision', endpoint: first.endpoint, transient: false, unsent: false,
    });
    await rejects(client.put('', 'x'), { code: 'INVALID_ARGUMENT', details: 'etcdserver: key is not provided' });
    await rejects(client.moveLeader(9n), { code: 'FAILED_PRECONDITION', details: 'etcdserver: bad leader transferee' });
    assert.throws(() => connect({ endpoints: ['ftp://127.0.0.1:1'] }), { code: 'INVALID_ARGUMENT' });
    assert.throws(() => connect({ endpoints: ['nonsense'] }), { code: 'INVALID_ARGUMENT' });
    assert.throws(() => connect({ endpoints: ['https://a:1'], tls: { cert: 'x' } }), { code: 'INVALID_ARGUMENT', details: 'tls: cert and key go together' });
    assert.throws(() => connect({ endpoints: [] }), { code: 'INVALID_ARGUMENT' });
  });

  it('reads a range key by key, by a stream where there is one and in pages where there is none', async () => {
    for (let n = 0; n < 1_050; n++) await first.store.put(putRequest(`k${String(n).padStart(4, '0')}`, 'v', {}));
    const old = new Map(clientMethods(first.store, new Health(), { maxRequestBytes: 1_572_864 }));
    old.delete(RANGE_STREAM_PATH);
    const server = clientPort(old, {
      maxReceiveBytes: 2_097_152, maxConcurrentStreams: 1000, keepaliveIntervalMs: 0, keepaliveTimeoutMs: 20_000,
      store: { hasLeader: true }, stats: new RpcStats(), events: silent,
    });
    const older = quick([`127.0.0.1:${await server.listen(listenAddress('http://127.0.0.1:0'))}`]);
    const limit = 1_030;
    for (const from of [quick([first.endpoint]), older]) {
      const keys: string[] = [];
      for await (const { key } of from.stream({ prefix: 'k' }, { limit })) keys.push(Buffer.from(key).toString());
      const sorted = keys.every((key, i) => i === 0 || key > (keys[i - 1] as string));
      assert.deepEqual([keys.length, keys[0], keys.at(-1), sorted], [limit, 'k0000', 'k1029', true]);
      let last: object = {};
      for await (const { count, more, revision } of from.rangeStream(rangeRequest({ prefix: 'k' }, { limit }))) last = { count, more, revision };
      assert.deepEqual(last, { count: 1_050, more: true, revision: 1_051 });
      await rejects(from.stream({ prefix: 'k' }, { order: 'descend' }).next(), { code: 'INVALID_ARGUMENT' });
      from.close();
    }
    server.close();
  });

  it('a stream of a range that breaks goes on behind the last key, at the same revision, wherever it is answered', async () => {
    for (let n = 0; n < 3_000; n++) await first.store.put(putRequest(`k${String(n).padStart(4, '0')}`, 'v', {}));
    const methods = new Map(clientMethods(first.store, new Health(), { maxRequestBytes: 4_096 }));
    const stream = methods.get(RANGE_STREAM_PATH) as ServerStreamMethod;
    let streams = 0;
    const revisions = new Set<number>();
    const range = first.store.range.bind(first.store);
    first.store.range = (request, caller) => {
      revisions.add(request.revision);
      return range(request, caller);
    };
    const breaking: ServerStreamMethod = {
      kind: 'server-stream',
      handle: (request, out, call) => {
        let chunks = ++streams % 4;
        const write = async (message: Uint8Array): Promise<void> => {
          if (chunks-- === 0) throw new RpcError(Code.UNAVAILABLE, 'the member is gone');
          await out.write(message);
          // Others write meanwhile.
          await first.store.put(putRequest(`k${String(streams).padStart(4, '0')}x`, 'new', {}));
        };
        return stream.handle(request, { write, cancelled: false, onCancel: (fn) => out.onCancel(fn) }, call);
      },
    };
    methods.set(RANGE_STREAM_PATH, breaking);
    const broken = clientPort(methods, {
      maxReceiveBytes: 2_097_152, maxConcurrentStreams: 1000, keepaliveIntervalMs: 0, keepaliveTimeoutMs: 20_000,
      store: { hasLeader: true }, stats: new RpcStats(), events: silent,
    });
    const endpoint = `127.0.0.1:${await broken.listen(listenAddress('http://127.0.0.1:0'))}`;
    const from = quick([await deadEndpoint(), endpoint]);
    const keys: string[] = [];
    let last: object = {};
    for await (const { kvs, count, more, revision } of from.rangeStream(rangeRequest({ prefix: 'k' }, { limit: 2_900 }))) {
      for (const { key } of kvs) keys.push(Buffer.from(key).toString());
      last = { count, more, revision };
    }
    assert.deepEqual(keys, Array.from({ length: 2_900 }, (_, n) => `k${String(n).padStart(4, '0')}`));
    assert.deepEqual(last, { count: 3_000, more: true, revision: 3_001 });
    assert.deepEqual([...revisions], [0, 3_001]);
    assert.ok(streams > 4, `${streams} streams`);
    from.close();
    broken.close();
  });

  it('moves to the next endpoint when one refuses connections, reads and writes alike, since nothing was sent', async () => {
    const both = quick([await deadEndpoint(), first.endpoint]);
    await both.put('a', '1');
    assert.equal((await both.getRange('a')).count, 1);
    assert.equal(first.store.status().revision, 2, 'the put was carried out once');
    both.close();
  });

  it('in round robin each call goes to the next endpoint, past those that do not answer', async () => {
    await using round = quick([first.endpoint, second.endpoint], { balance: 'round-robin' });
    for (let i = 0; i < 4; i++) await round.put('a', String(i));
    assert.deepEqual([first.store.status().revision, second.store.status().revision], [3, 3]);
    await using gap = quick([await deadEndpoint(), first.endpoint, second.endpoint], { balance: 'round-robin', maxRetryDelayMs: 60_000 });
    for (let i = 0; i < 4; i++) await gap.put('a', String(i));
    assert.deepEqual([first.store.status().revision, second.store.status().revision], [5, 5]);
    assert.throws(() => quick([first.endpoint], { balance: 'sideways' as 'last' }), { code: 'INVALID_ARGUMENT' });
  });

  it('a read that is answered UNAVAILABLE is asked elsewhere; a write is not, since it may have happened', async () => {
    const both = quick([first.endpoint, second.endpoint]);
    first.store.refusal = new EtcdError('LEADER_CHANGED');
    await both.getRange('a');
    const fresh = quick([first.endpoint, second.endpoint]);
    await rejects(fresh.put('a', '1'), { code: 'UNAVAILABLE', details: 'etcdserver: leader changed', attempts: 1, unsent: false });
    assert.equal(second.store.status().revision, 1, 'the second member was never asked');
    const readOnly = await fresh.txn().then(op.get('a')).commit();
    assert.equal(readOnly.succeeded, true);
    both.close();
    fresh.close();
  });

  it('retries are bounded, and the error says what each endpoint said', async () => {
    const dead = [await deadEndpoint(), await deadEndpoint()];
    const lost = quick(dead, { maxAttempts: 5 });
    await assert.rejects(lost.get('a'), (error: ClientError) => {
      assert.deepEqual([error.code, error.unsent, error.attempts, [...error.failures.keys()]], ['UNAVAILABLE', true, 5, dead]);
      assert.match(error.details, /^connect ECONNREFUSED 127\.0\.0\.1:\d+$/);
      return true;
    });
    lost.close();
  });

  it('asks the named endpoint and no other', async () => {
    await second.store.put({ key: Buffer.from('k'), value: Buffer.from('v'), lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false });
    assert.equal((await client.getRange('k')).count, 0);
    assert.equal((await client.getRange('k', { endpoint: second.endpoint })).count, 1);
    await rejects(client.get('k', { endpoint: await deadEndpoint(), timeoutMs: 200 }), { code: 'UNAVAILABLE', unsent: true });
  });

  it('ends a call at its deadline, and with CANCELLED when it is aborted or the client is closed', async () => {
    const accepted: Socket[] = [];
    const silent = createServer((socket) => void accepted.push(socket));
    await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done));
    const endpoint = `127.0.0.1:${(silent.address() as { port: number }).port}`;
    const stuck = quick([endpoint], { dialTimeoutMs: 10_000 });
    await assert.rejects(stuck.get('a', { timeoutMs: 50 }), ClientError);
    stuck.close();
    silent.close();
    for (const socket of accepted) socket.destroy();
    await rejects(client.get('a', { signal: AbortSignal.abort() }), { code: 'CANCELLED' });
    client.close();
    await rejects(client.get('a'), { code: 'CANCELLED', unsent: true });
  });

  it('tells status, members and health with 64-bit ids', async () => {
    const status = await client.status();
    assert.deepEqual([status.header.memberId, status.leader, status.raftTerm, status.dbSize], [0x1001n, 0x1001n, 3, 100]);
    const { members } = await client.memberList();
    assert.deepEqual(members.map((m) => [m.id, m.name, m.clientUrls]), [[0x1001n, 'a', ['http://127.0.0.1:2']], [0x1002n, 'b', []]]);
    assert.equal(await client.health(), 'SERVING');
    await client.moveLeader(0x1002n);
    assert.equal(first.store.leader, 0x1002);
  });

  it('heal gives counters, hints, tables, and a scrub that reports progress', async () => {
    const status = await client.heal.status();
    assert.deepEqual([status.name, status.counters.correctedBlocks, status.scrub.lastCompletedAt], ['a', 1, undefined]);
    assert.deepEqual(await client.heal.hints(), [{ tableId: 7, kind: 'corrected', node: 0x1002n, state: 'pending', offsets: [4096] }]);
    assert.deepEqual((await client.heal.verify()).tables, [{ id: 7, level: 0, bytes: 100, digest: 'ab' }]);
    const seen: (readonly [number, boolean])[] = [];
    for await (const progress of client.heal.scrub()) seen.push([progress.scannedBytes, progress.done]);
    assert.deepEqual(seen, [[50, false], [100, true]]);
  });

  it('is closed at the end of its scope', async () => {
    let inside: Client;
    {
      await using scoped = quick([first.endpoint]);
      inside = scoped;
      await inside.get('a');
    }
    await rejects(inside.get('a'), { code: 'CANCELLED' });
  });
});
