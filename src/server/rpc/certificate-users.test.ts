import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { connect as h2connect, type IncomingHttpHeaders } from 'node:http2';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client as GrpcClient, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { ETCD_MESSAGES, type EtcdErrorCode } from '../../api/etcd-error.js';
import { serviceMethods } from '../../api/protos/protos.js';
import { KV } from '../../api/services/kv.js';
import { utf8 } from '../../base/bytes.js';
import { silent } from '../../base/testing/silent.js';
import { connect, type AuthOptions, type Client, type TlsOptions } from '../../client/client.js';
import { rangeRequest } from '../../client/requests.js';
import { Metrics } from '../../observability/metrics.js';
import { RpcStats } from '../../observability/rpc-stats.js';
import { Passwords } from '../auth/passwords.js';
import { nodeClock } from '../env/node-env.js';
import { OpsPages } from '../ops-http.js';
import { buildConfig } from '../options/config.js';
import { parseOptions } from '../options/parse.js';
import { FakeStore } from '../testing/fake-store.js';
import { PortTls } from '../tls/open.js';
import { Authority, type Issued } from '../tls/testing/authority.js';
import { listenAddress } from '../transport/listen-address.js';
import { clientPort } from './client-server.js';
import { Health } from './health-service.js';
import { clientMethods } from './services.js';

const ROOT: AuthOptions = { name: 'root', password: 'secret-root' };

describe('users by their certificates', () => {
  const open: { close(): void }[] = [];
  let dir: string;
  let ca: Authority;
  let alice: Issued;
  let stranger: Issued;
  let passwords: Passwords;
  let store: FakeStore;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'kintsugi-cn-users-'));
    passwords = new Passwords(4);
    ca = await Authority.create();
    const own = await ca.issue();
    [alice, stranger] = [await ca.issue({ cn: 'alice', hosts: [] }), await ca.issue({ cn: 'stranger', hosts: [] })];
    for (const [name, text] of Object.entries({ ca: ca.pem, cert: own.cert, key: own.key })) writeFileSync(join(dir, name), text);
  });

  after(() => rmSync(dir, { recursive: true }));

  beforeEach(async () => {
    store = new FakeStore();
    const { auth } = store;
    await auth.change({ kind: 'user-add', user: 'root', hash: await passwords.hash(ROOT.password) });
    await auth.change({ kind: 'user-grant', user: 'root', role: 'root' });
    await auth.change({ kind: 'user-add', user: 'alice', hash: undefined });
    await auth.change({ kind: 'role-add', role: 'r' });
    await auth.change({ kind: 'role-grant', role: 'r', permission: { type: 'readwrite', key: utf8('a'), rangeEnd: utf8('b') } });
    await auth.change({ kind: 'user-grant', user: 'alice', role: 'r' });
    await auth.change({ kind: 'enable' });
  });

  afterEach(() => {
    for (const each of open.splice(0)) each.close();
  });

  const authority = (): string => `--trusted-ca-file=${join(dir, 'ca')}`;
  const both = (): string[] => ['--client-cert-auth', authority()];

  /** As a member does that is started with these flags. */
  async function serve(flags: readonly string[]): Promise<string> {
    const url = 'https://127.0.0.1:1';
    const { tls: { client } } = buildConfig(parseOptions([
      `--listen-client-urls=${url}`, `--advertise-client-urls=${url}`, `--cert-file=${join(dir, 'cert')}`, `--key-file=${join(dir, 'key')}`, ...flags,
    ], {}));
    const tls = await PortTls.open({ settings: client, clock: nodeClock, events: silent });
    const health = new Health();
    const stats = new RpcStats();
    const metrics = new Metrics();
    metrics.attach(store, stats);
    const pages = new OpsPages({ store, metrics, health, dataDir: dir, version: '1' });
    const server = clientPort(clientMethods(store, health, { maxRequestBytes: 1_572_864 }, passwords), {
      maxReceiveBytes: 2_097_152, maxConcurrentStreams: 1000, keepaliveIntervalMs: 0, keepaliveTimeoutMs: 20_000,
      store: { hasLeader: true }, stats, events: silent, site: { pages, store, gateway: true },
    });
    open.push(server, tls);
    return `127.0.0.1:${await server.listen(listenAddress('https://127.0.0.1:0'), tls.server)}`;
  }

  function as(address: string, own: Issued | undefined, auth?: AuthOptions): Client {
    const tls: TlsOptions = { ca: ca.pem, ...(own === undefined ? {} : { cert: own.cert, key: own.key }) };
    const client = connect({ endpoints: [`https://${address}`], tls, ...(auth === undefined ? {} : { auth }) });
    open.push(client);
    return client;
  }

  const refused = (promise: Promise<unknown>, code: EtcdErrorCode): Promise<void> =>
    assert.rejects(promise, (error: { details?: string }) => error.details === ETCD_MESSAGES[code], code);

  /** A read of `a` by alice, with this metadata. */
  function reads(address: string, entries: Readonly<Record<string, string>>): Promise<unknown> {
    const client = new GrpcClient(address, credentials.createSsl(Buffer.from(ca.pem), Buffer.from(alice.key), Buffer.from(alice.cert)));
    open.push(client);
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(entries)) metadata.set(name, value);
    const bytes = (each: Buffer): Buffer => each;
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(KV.Range.path, bytes, bytes, Buffer.from(KV.Range.encodeRequest(rangeRequest('a'))), metadata,
        (error: ServiceError | null, answer) => (error === null ? resolve(answer) : reject(error)));
    });
  }

  /** With a certificate alone; gives what it is refused with. */
  function refusalOf(address: string, own: Issued, path: string, message: object): Promise<string | undefined> {
    const client = new GrpcClient(address, credentials.createSsl(Buffer.from(ca.pem), Buffer.from(own.key), Buffer.from(own.cert)));
    open.push(client);
    const [, service = '', name = ''] = path.split('/');
    const { requestSerialize, responseDeserialize, requestStream } = serviceMethods(service)[name] ?? assert.fail(path);
    const options = { deadline: Date.now() + 20_000 };
    return new Promise((resolve) => {
      if (requestStream) {
        const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, new Metadata(), options);
        stream.on('data', () => resolve(undefined)).on('error', (error: ServiceError) => resolve(error.details));
        stream.end(message);
        return;
      }
      const done = (error: ServiceError | null): void => resolve(error?.details);
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, message, new Metadata(), options, done);
    });
  }

  type Said = readonly [status: number, text: string];

  interface Ask {
    readonly path: string;
    /** Undefined: a page is asked for. */
    readonly body?: string;
    readonly token?: string;
  }

  const headersOf = ({ token }: Ask): Record<string, string> => (token === undefined ? {} : { authorization: token });

  async function overHttp1(address: string, own: Issued | undefined, ask: Ask): Promise<Said> {
    const sent = request(`https://${address}${ask.path}`, {
      ca: ca.pem, cert: own?.cert, key: own?.key, method: ask.body === undefined ? 'GET' : 'POST', headers: headersOf(ask), agent: false,
    });
    sent.end(ask.body);
    const [response] = await once(sent, 'response') as [IncomingMessage];
    return [response.statusCode ?? 0, await textOf(response)];
  }

  async function overHttp2(address: string, own: Issued, ask: Ask): Promise<Said> {
    const session = h2connect(`https://${address}`, { servername: 'localhost', ca: ca.pem, cert: own.cert, key: own.key });
    session.on('error', () => undefined);
    open.push(session);
    const stream = session.request({ ...headersOf(ask), ':method': ask.body === undefined ? 'GET' : 'POST', ':path': ask.path });
    stream.end(ask.body);
    const [answer] = await once(stream, 'response') as [IncomingHttpHeaders];
    return [Number(answer[':status']), await textOf(stream)];
  }

  /** Over both, which say the same. */
  async function asks(address: string, own: Issued, ask: Ask): Promise<Said> {
    const said = await overHttp1(address, own, ask);
    assert.deepEqual(await overHttp2(address, own, ask), said, 'over HTTP/2');
    return said;
  }

  async function textOf(chunks: AsyncIterable<unknown>): Promise<string> {
    let text = '';
    for await (const chunk of chunks) text += String(chunk);
    return text;
  }

  it('the common name of a certificate that was verified is the user, and may what its roles may', async () => {
    const address = await serve(both());
    const client = as(address, alice);
    await client.put('a', '1');
    assert.equal((await client.getRange({ prefix: 'a' })).count, 1);
    await refused(client.get('b'), 'PERMISSION_DENIED');
    await refused(client.auth.userList(), 'PERMISSION_DENIED');
    await refused(as(address, stranger).get('a'), 'PERMISSION_DENIED');
    await refused(as(address, stranger).auth.userList(), 'USER_NOT_FOUND');
    await store.auth.change({ kind: 'user-revoke', user: 'alice', role: 'r' });
    await refused(client.get('a'), 'PERMISSION_DENIED');
  });

  it('a token that is sent decides, a bad one too, and the certificate of a gateway is not its clients', async () => {
    const address = await serve(both());
    await as(address, alice, ROOT).put('z', '1');
    await refused(as(address, alice).put('z', '1'), 'PERMISSION_DENIED');
    await reads(address, {});
    await refused(reads(address, { token: 'nonsense' }), 'INVALID_AUTH_TOKEN');
    await refused(reads(address, { authorization: 'Bearer nonsense' }), 'INVALID_AUTH_TOKEN');
    await refused(reads(address, { 'grpcgateway-accept': 'application/json' }), 'USER_EMPTY');
  });

  it('a certificate with a name makes no call of the JSON gateway while auth is on, but asks for pages', async () => {
    const address = await serve(both());
    const nameless = await ca.issue({ cn: '', hosts: [] });
    const range = { path: '/v3/kv/range', body: JSON.stringify({ key: Buffer.from('a').toString('base64') }) };
    const ignored: Said = [400, 'CommonName of client sending a request against gateway will be ignored and not used as expected\n'];
    const [, granted] = await overHttp1(address, nameless, { path: '/v3/auth/authenticate', body: JSON.stringify(ROOT) });
    const { token } = JSON.parse(granted) as { token: string };
    assert.deepEqual(await asks(address, alice, range), ignored);
    assert.deepEqual(await asks(address, alice, { ...range, token }), ignored, 'whatever token it shows');
    assert.deepEqual(await asks(address, alice, { ...range, path: '/v3/nope' }), ignored);
    assert.equal((await asks(address, alice, { path: '/version' }))[0], 200);
    assert.deepEqual(await asks(address, nameless, range), [400, '{"code":3,"message":"etcdserver: user name is empty"}']);
    assert.equal((await asks(address, nameless, { ...range, token }))[0], 200);
    await store.auth.change({ kind: 'disable' });
    assert.equal((await asks(address, alice, range))[0], 200);
  });

  it('a certificate of a machine that is no user, or without a name, is told of members, status and alarms, as by etcd, and no more', async () => {
    const address = await serve(both());
    const nameless = await ca.issue({ cn: '', hosts: [] });
    await store.lease.grant({ id: 7n, ttl: 60 });
    const denied = ETCD_MESSAGES.PERMISSION_DENIED;
    for (const [path, message, said] of [
      // What `etcdctl endpoint health` and `endpoint status` ask.
      ['/etcdserverpb.KV/Range', { key: Buffer.from('health') }, denied],
      ['/etcdserverpb.Maintenance/Alarm', { action: 'GET' }, undefined],
      ['/etcdserverpb.Maintenance/Status', {}, undefined],
      ['/etcdserverpb.Cluster/MemberList', {}, undefined],
      ['/kintsugi.v1.Heal/Status', {}, denied],
      ['/kintsugi.v1.Heal/Hints', {}, denied],
      ['/etcdserverpb.Lease/LeaseGrant', { TTL: '60' }, denied],
      ['/etcdserverpb.Lease/LeaseKeepAlive', { ID: '7' }, denied],
      ['/etcdserverpb.Lease/LeaseTimeToLive', { ID: '7' }, denied],
      ['/etcdserverpb.Lease/LeaseLeases', {}, denied],
    ] as const) {
      for (const own of [stranger, nameless]) assert.equal(await refusalOf(address, own, path, message), said, path);
      const isForKey = path.endsWith('/Range');
      assert.equal(await refusalOf(address, alice, path, message), isForKey ? denied : undefined, `${path} by alice`);
    }
  });

  it('a certificate that nobody asked for is nobody', async () => {
    const address = await serve([]);
    await refused(as(address, alice).get('a'), 'USER_EMPTY');
    await as(address, undefined, ROOT).get('a');
  });

  it('with an authority alone a certificate lets in and makes nobody a user', async () => {
    const address = await serve([authority()]);
    await assert.rejects(overHttp1(address, undefined, { path: '/version' }), 'nobody comes in without one');
    await refused(as(address, alice).get('a'), 'USER_EMPTY');
    await refused(reads(address, {}), 'USER_EMPTY');
    await as(address, alice, ROOT).put('z', '1');
    const range = { path: '/v3/kv/range', body: JSON.stringify({ key: Buffer.from('z').toString('base64') }) };
    const [, granted] = await overHttp1(address, alice, { path: '/v3/auth/authenticate', body: JSON.stringify(ROOT) });
    const { token } = JSON.parse(granted) as { token: string };
    assert.equal((await asks(address, alice, { ...range, token }))[0], 200, 'a token decides, and the name stands in no way');
    assert.deepEqual(await asks(address, alice, range), [400, '{"code":3,"message":"etcdserver: user name is empty"}']);
  });
});
