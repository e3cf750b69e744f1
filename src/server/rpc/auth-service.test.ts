import assert from 'node:assert/strict';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { ETCD_MESSAGES, type EtcdErrorCode } from '../../api/etcd-error.js';
import { serviceMethods } from '../../api/protos/protos.js';
import { Deferred } from '../../base/deferred.js';
import { silent } from '../../base/testing/silent.js';
import { RpcStats } from '../../observability/rpc-stats.js';
import { Passwords } from '../auth/passwords.js';
import { FakeStore } from '../testing/fake-store.js';
import { listenAddress } from '../transport/listen-address.js';
import type { ClientPort } from '../transport/client-port.js';
import { clientPort } from './client-server.js';
import { Health } from './health-service.js';
import { clientMethods } from './services.js';
import { ETCD_STATUS } from './status.js';

const KEY = Buffer.from('a');
const END = Buffer.from('b');
const OPEN = Buffer.from([0]);

describe('auth over loopback', () => {
  let store: FakeStore;
  let server: ClientPort;
  let client: Client;
  const tokens: Record<string, string> = {};

  before(async () => {
    store = new FakeStore();
    const methods = clientMethods(store, new Health(), { maxRequestBytes: 1_572_864 }, new Passwords(4));
    server = clientPort(methods, {
      maxReceiveBytes: 2_097_152, maxConcurrentStreams: 100, keepaliveIntervalMs: 0, keepaliveTimeoutMs: 20_000,
      store, stats: new RpcStats(), events: silent,
    });
    const port = await server.listen(listenAddress('http://127.0.0.1:0'));
    client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    for (const name of ['root', 'right', 'wrong']) await auth('UserAdd', { name, password: `secret-${name}` });
    await auth('UserGrantRole', { user: 'root', role: 'root' });
    await auth('RoleAdd', { name: 'r' });
    await auth('RoleGrantPermission', { name: 'r', perm: { permType: 'READWRITE', key: KEY, range_end: END } });
    await auth('UserGrantRole', { user: 'right', role: 'r' });
    await auth('AuthEnable', {});
    for (const name of ['root', 'right', 'wrong']) tokens[name] = String((await auth('Authenticate', { name, password: `secret-${name}` }))['token']);
  });

  after(async () => {
    client.close();
    await server.drain(100);
  });

  /** The last answer of a call. `who`: whose token is sent; a text in `<>` is sent as it is. */
  function call(path: string, request: object, who?: string): Promise<Record<string, unknown>> {
    const [, service = '', name = ''] = path.split('/');
    const method = serviceMethods(service)[name];
    assert.ok(method, path);
    const metadata = new Metadata();
    if (who !== undefined) metadata.set('token', tokens[who] ?? who);
    const { requestSerialize } = method;
    const options = { deadline: Date.now() + 20_000 };
    const deserialize = method.responseDeserialize as (bytes: Buffer) => Record<string, unknown>;
    if (!method.responseStream) {
      return new Promise((resolve, reject) => {
        client.makeUnaryRequest(path, requestSerialize, deserialize, request, metadata, options,
          (error, response) => (error === null ? resolve(response ?? {}) : reject(error)));
      });
    }
    return new Promise((resolve, reject) => {
      const stream = client.makeServerStreamRequest(path, requestSerialize, deserialize, request, metadata, options);
      let last: Record<string, unknown> = {};
      stream.on('data', (answer: Record<string, unknown>) => (last = answer)).on('end', () => resolve(last)).on('error', reject);
    });
  }
  const auth = (name: string, request: object, who?: string): Promise<Record<string, unknown>> => call(`/etcdserverpb.Auth/${name}`, request, who);

  async function refused(code: EtcdErrorCode, promise: Promise<unknown>, what = ''): Promise<void> {
    await assert.rejects(promise, (error: ServiceError) => {
      assert.deepEqual([error.code, error.details], [ETCD_STATUS[code], ETCD_MESSAGES[code]], what);
      return true;
    });
  }

  it('a stream of keep-alives ends at a lease with keys that its caller may not write, once all before is answered', async () => {
    for (const [ID, key] of [['71', 'a1'], ['72', 'z1'], ['73', undefined]] as const) {
      await call('/etcdserverpb.Lease/LeaseGrant', { ID, TTL: '600' }, 'root');
      if (key !== undefined) await call('/etcdserverpb.KV/Put', { key: Buffer.from(key), lease: ID }, 'root');
    }
    const { path, requestSerialize, responseDeserialize } = serviceMethods('etcdserverpb.Lease')['LeaseKeepAlive'] ?? assert.fail();
    async function asks(who: string | undefined, ids: readonly string[]): Promise<readonly string[]> {
      const metadata = new Metadata();
      if (who !== undefined) metadata.set('token', tokens[who] ?? who);
      const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata, { deadline: Date.now() + 20_000 });
      for (const ID of ids) stream.write({ ID });
      stream.end();
      const said: string[] = [];
      try {
        for await (const { ID, TTL } of stream as AsyncIterable<{ ID: string; TTL: string }>) said.push(`${ID}: ${TTL}`);
      } catch (error) {
        said.push((error as ServiceError).details);
      }
      return said;
    }
    const [none, bad, denied] = [ETCD_MESSAGES.USER_EMPTY, ETCD_MESSAGES.INVALID_AUTH_TOKEN, ETCD_MESSAGES.PERMISSION_DENIED];
    const ids = ['73', '71', '72', '73'];
    assert.deepEqual(await asks('root', ids), ['73: 600', '71: 600', '72: 600', '73: 600']);
    // What was asked before is still waited for when the one is refused.
    const gate = new Deferred();
    store.lease.gate = gate.promise;
    const keepAlive = store.lease.keepAlive.bind(store.lease);
    store.lease.keepAlive = (...asked) => {
      const answer = keepAlive(...asked);
      answer.catch(() => setImmediate(gate.resolve));
      return answer;
    };
    assert.deepEqual(await asks('right', ids), ['73: 600', '71: 600', denied]);
    assert.deepEqual(await asks('wrong', ids), ['73: 600', denied]);
    assert.deepEqual(await asks('<none>', ids), [bad]);
    assert.deepEqual(await asks(undefined, ids), [none]);
    for (const ID of ['71', '72', '73']) await call('/etcdserverpb.Lease/LeaseRevoke', { ID }, 'root');
  });

  it('CVE-2026-33343: nested transactions, compares and prev_kv are checked, whatever branch is taken', async () => {
    const other = Buffer.from('z');
    const nest = (op: object, depth: number): object =>
      depth === 0 ? op : { request_txn: { compare: [], success: [], failure: [nest(op, depth - 1)] } };
    for (const op of [{ request_put: { key: other } }, { request_range: { key: other } }, { request_delete_range: { key: other } },
      { request_txn: { compare: [{ key: other, target: 'VERSION' }] } }]) {
      for (const depth of [0, 1, 5]) await refused('PERMISSION_DENIED', call('/etcdserverpb.KV/Txn', { success: [nest(op, depth)] }, 'right'));
    }
    await auth('RoleAdd', { name: 'w' }, 'root');
    await auth('RoleGrantPermission', { name: 'w', perm: { permType: 'WRITE', key: other } }, 'root');
    await auth('UserGrantRole', { user: 'wrong', role: 'w' }, 'root');
    await call('/etcdserverpb.KV/Put', { key: other }, 'wrong');
    await refused('PERMISSION_DENIED', call('/etcdserverpb.KV/Put', { key: other, prev_kv: true }, 'wrong'));
    await refused('PERMISSION_DENIED', call('/etcdserverpb.KV/DeleteRange', { key: other, prev_kv: true }, 'wrong'));
    await auth('UserRevokeRole', { name: 'wrong', role: 'w' }, 'root');
  });

  it('GHSA-xg4h-6gfc-h4m8: who may one range may no longer one', async () => {
    await refused('PERMISSION_DENIED', call('/etcdserverpb.KV/Range', { key: KEY, range_end: OPEN }, 'right'));
    await refused('PERMISSION_DENIED', call('/etcdserverpb.KV/Range', { key: KEY, range_end: Buffer.from('b\0') }, 'right'));
    await call('/etcdserverpb.KV/Range', { key: KEY, range_end: END }, 'right');
  });

  it('CVE-2026-33413: alarms are raised, and members changed, by root alone', async () => {
    await refused('PERMISSION_DENIED', call('/etcdserverpb.Maintenance/Alarm', { action: 'ACTIVATE', alarm: 'NOSPACE' }, 'right'));
    await refused('USER_EMPTY', call('/etcdserverpb.Maintenance/Alarm', { action: 'GET' }));
    await refused('PERMISSION_DENIED', call('/etcdserverpb.Cluster/MemberAdd', { peerURLs: ['http://x:1'] }, 'right'));
    await refused('USER_EMPTY', call('/etcdserverpb.Cluster/MemberList', {}));
  });

  it("passwords are good or not, in etcd's words, and what is told has neither a password nor its hash", async () => {
    await refused('AUTH_FAILED', auth('Authenticate', { name: 'right', password: 'wrong' }));
    await refused('AUTH_FAILED', auth('Authenticate', { name: 'nobody', password: 'secret-right' }));
    await refused('PASSWORD_TOO_LONG', auth('UserAdd', { name: 'long', password: 'p'.repeat(73) }, 'root'));
    assert.deepEqual((await auth('UserGet', { name: 'right' }, 'root'))['roles'], ['r']);
    assert.deepEqual((await auth('RoleGet', { role: 'r' }, 'root'))['perm'], [{ permType: 'READWRITE', key: KEY, range_end: END }]);
    assert.match(store.auth.auth.user('right')?.hash ?? '', /^\$2[aby]\$04\$/);
    assert.ok(!Buffer.from(store.auth.auth.encode()).includes('secret-'), 'no password in what is sealed');
    const secret = tokens['root']?.split('.')[0] ?? '';
    assert.equal(store.auth.tokens.userOf(secret), undefined, 'what is kept of a token is its digest');
    assert.equal((await auth('AuthStatus', {}))['enabled'], true);
  });

  it('C1 a flood of Authenticate leaves the event loop to others, and is refused beyond a bound', async () => {
    const passwords = new Passwords(4);
    const asked = Array.from({ length: 200 }, () => passwords.hash('x').then(() => 'done', (error: Error) => error.message));
    const said = await Promise.all(asked);
    assert.equal(said.filter((each) => each === 'done').length, 64);
    assert.ok(said.includes(`TOO_MANY_REQUESTS: ${ETCD_MESSAGES.TOO_MANY_REQUESTS}`), said.at(-1));
  });
});
