import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { ETCD_MESSAGES } from '../../api/etcd-error.js';
import { silent } from '../../base/testing/silent.js';
import { ClientError, connect, op, type AuthOptions, type Client } from '../../client/client.js';
import { RpcStats } from '../../observability/rpc-stats.js';
import { Passwords } from '../auth/passwords.js';
import { clientPort } from '../rpc/client-server.js';
import { Health } from '../rpc/health-service.js';
import { clientMethods } from '../rpc/services.js';
import type { ClientPort } from '../transport/client-port.js';
import { listenAddress } from '../transport/listen-address.js';
import { FakeStore } from './fake-store.js';
import type { FakeWatch } from './fake-watch.js';

const ROOT: AuthOptions = { name: 'root', password: 'secret-root' };
const ALICE: AuthOptions = { name: 'alice', password: 'secret-alice' };

describe('the client with auth', () => {
  let store: FakeStore;
  let server: ClientPort;
  let endpoint: string;
  const clients: Client[] = [];

  function as(auth?: AuthOptions): Client {
    const client = connect({ endpoints: [endpoint], ...(auth === undefined ? {} : { auth }) });
    clients.push(client);
    return client;
  }

  beforeEach(async () => {
    store = new FakeStore();
    server = clientPort(clientMethods(store, new Health(), { maxRequestBytes: 1_572_864 }, new Passwords(4)), {
      maxReceiveBytes: 2_097_152, maxConcurrentStreams: 1000, keepaliveIntervalMs: 0, keepaliveTimeoutMs: 20_000,
      store: { hasLeader: true }, stats: new RpcStats(), events: silent,
    });
    endpoint = `127.0.0.1:${await server.listen(listenAddress('http://127.0.0.1:0'))}`;
    const { auth } = as();
    await auth.userAdd('root', { password: ROOT.password });
    await auth.userGrantRole('root', 'root');
    await auth.userAdd('alice', { password: ALICE.password });
    await auth.roleAdd('reader');
    await auth.roleGrantPermission('reader', 'read', { prefix: 'a' });
    await auth.userGrantRole('alice', 'reader');
    await auth.enable();
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await server.drain(100);
  });

  async function refused(promise: Promise<unknown>, code: keyof typeof ETCD_MESSAGES): Promise<ClientError> {
    const error: unknown = await promise.then(() => undefined, (reason: unknown) => reason);
    assert.ok(error instanceof ClientError, String(error));
    assert.equal(error.details, ETCD_MESSAGES[code]);
    return error;
  }

  it('authenticates at the first call, once for all that begin together', async () => {
    const tokens = store.auth.tokens.size;
    const root = as(ROOT);
    await Promise.all(['a', 'b', 'c', 'd'].map((key) => root.put(key, '1')));
    await root.get('a');
    assert.equal(store.auth.tokens.size, tokens + 1);
    const alice = as(ALICE);
    assert.equal((await alice.getRange({ prefix: 'a' })).count, 1);
    await refused(alice.put('a', '2'), 'PERMISSION_DENIED');
    await refused(alice.get('b'), 'PERMISSION_DENIED');
    await refused(as().get('a'), 'USER_EMPTY');
  });

  it('a token that is not good any more is asked for again, once, for calls and for streams', async () => {
    const root = as(ROOT);
    await root.put('a', '1');
    const before = store.status().revision;
    store.auth.tokens.clear();
    await root.put('a', '2');
    assert.equal(store.status().revision, before + 1, 'the put that was refused was made once');
    store.auth.tokens.clear();
    const seen: string[] = [];
    for await (const { key } of root.stream({ prefix: '' })) seen.push(Buffer.from(key).toString());
    assert.deepEqual(seen, ['a']);
    store.auth.tokens.clear();
    let bytes = 0;
    for await (const blob of root.backup()) bytes += blob.bytes.length;
    assert.equal(bytes, 2 * 65_536 + 32);
    // Whatever it is given is forgotten at once: it gives up after the second.
    store.auth.tokens.userOf = () => undefined;
    await refused(root.put('a', '3'), 'INVALID_AUTH_TOKEN');
    await refused(root.stream({ prefix: '' }).next(), 'INVALID_AUTH_TOKEN');
    assert.equal(store.status().revision, before + 1);
  });

  it('calls without a token while auth is off, and with one once it is on', async () => {
    const root = as(ROOT);
    await root.auth.disable();
    const late = as(ROOT);
    await late.put('a', '1');
    assert.equal((await late.auth.status()).enabled, false);
    await late.auth.enable();
    await late.put('a', '2');
    assert.equal((await late.txn().then(op.get('a')).commit()).succeeded, true);
    assert.equal((await late.auth.status()).enabled, true);
  });

  it('a password that is wrong is refused before the call is sent, and stands in nothing that is said', async () => {
    const wrong = as({ name: 'root', password: 'hunter2' });
    const error = await refused(wrong.put('a', '1'), 'AUTH_FAILED');
    assert.deepEqual([error.code, error.unsent], ['INVALID_ARGUMENT', true]);
    assert.doesNotMatch(inspect([error, wrong, as(ROOT)], { depth: 20, showHidden: true }), /hunter2|secret-root/);
    assert.equal(store.status().revision, 1);
    assert.throws(() => as({ name: '', password: 'x' }), /the name of the user is empty/);
    // Right from now on, by root.
    await as(ROOT).auth.userChangePassword('root', 'hunter2');
    await wrong.put('a', '1');
  });

  it('waits for a token no longer than the call may take, and ends with its signal', async () => {
    const root = as(ROOT);
    store.auth.password = () => new Promise(() => undefined);
    const late: unknown = await root.put('a', '1', { timeoutMs: 30 }).catch((reason: unknown) => reason);
    assert.ok(late instanceof ClientError);
    assert.deepEqual([late.code, late.unsent], ['DEADLINE_EXCEEDED', true]);
    const abort = new AbortController();
    const cancelled = root.put('a', '1', { signal: abort.signal }).catch((reason: unknown) => reason);
    abort.abort();
    assert.equal((await cancelled as ClientError).code, 'CANCELLED');
  });

  it('a watch logs in, goes on with another token where it was once its own is refused, and ends when that one is, too', async () => {
    const batches = as(ALICE).watch('a')[Symbol.asyncIterator]();
    const session = async (n: number): Promise<FakeWatch> => {
      while (store.watches.length <= n) await new Promise((resolve) => setImmediate(resolve));
      const fake = store.watches[n] as FakeWatch;
      await fake.until(() => fake.requests.length > 0);
      return fake;
    };
    const first = batches.next();
    const one = await session(0);
    one.answer({ created: true, revision: 4 });
    await first;
    const cancelReason = `rpc error: code = Unauthenticated desc = ${ETCD_MESSAGES.INVALID_AUTH_TOKEN}`;
    one.answer({ canceled: true, cancelReason });
    const asked = batches.next();
    const two = await session(1);
    const [again] = two.requests;
    assert.ok(again?.kind === 'create');
    assert.equal(again.create.startRevision, 5);
    const [old, fresh] = [one, two].map(({ options }) => options.caller?.token?.digest);
    assert.ok(old !== undefined && fresh !== undefined && old !== fresh);
    two.answer({ canceled: true, cancelReason });
    assert.equal((await refused(asked, 'INVALID_AUTH_TOKEN')).code, 'UNAUTHENTICATED');
  });

  it('tells users, roles and permissions as they are, and changes each', async () => {
    const { auth } = as(ROOT);
    await auth.roleGrantPermission('reader', 'readwrite', { from: 'x' });
    await auth.roleGrantPermission('reader', 'write', 'k');
    const told = (await auth.roleGet('reader')).permissions.map(({ type, key, rangeEnd }) =>
      [type, Buffer.from(key).toString(), Buffer.from(rangeEnd).toString()]);
    assert.deepEqual(told, [['read', 'a', 'b'], ['write', 'k', ''], ['readwrite', 'x', '\0']]);
    await auth.roleRevokePermission('reader', { from: 'x' });
    await auth.roleRevokePermission('reader', 'k');
    assert.equal((await auth.roleGet('reader')).permissions.length, 1);
    await auth.userAdd('bare');
    assert.deepEqual((await auth.userList()).users, ['alice', 'bare', 'root']);
    assert.equal(store.auth.auth.user('bare')?.hash, undefined);
    assert.deepEqual((await auth.userGet('alice')).roles, ['reader']);
    await auth.userRevokeRole('alice', 'reader');
    assert.deepEqual((await auth.userGet('alice')).roles, []);
    await auth.roleDelete('reader');
    assert.deepEqual((await auth.roleList()).roles, []);
    await auth.userDelete('bare');
    assert.deepEqual((await auth.userList()).users, ['alice', 'root']);
    assert.equal((await auth.status()).revision, store.auth.auth.revision);
  });
});
