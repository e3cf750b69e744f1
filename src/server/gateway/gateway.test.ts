import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest, Agent, type IncomingMessage } from 'node:http';
import { connect as h2connect } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { setImmediate as turn } from 'node:timers/promises';
import { EtcdError } from '../../api/etcd-error.js';
import { KiB, MiB } from '../../base/bytes.js';
import { silent } from '../../base/testing/silent.js';
import type { Method } from '../../grpc/method.js';
import { Metrics } from '../../observability/metrics.js';
import { RpcStats } from '../../observability/rpc-stats.js';
import { serviceMethods } from '../../api/protos/protos.js';
import { OpsPages } from '../ops-http.js';
import { clientPort, type ClientServerOptions } from '../rpc/client-server.js';
import { Health } from '../rpc/health-service.js';
import { clientMethods } from '../rpc/services.js';
import { FakeStore } from '../testing/fake-store.js';
import { openTls } from '../tls/testing/open-tls.js';
import type { ClientPort } from '../transport/client-port.js';
import { listenAddress } from '../transport/listen-address.js';
import { TEST_CERTIFICATE, TEST_KEY } from '../transport/testing/test-certificate.js';
import { GATEWAY_PATHS } from './routes.js';

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

interface Stream {
  send(value: unknown): void;
  end(): void;
  /** The next of its answer, parsed. */
  line(): Promise<unknown>;
  readonly response: Promise<IncomingMessage>;
}

const FOO = Buffer.from('foo').toString('base64');
const BAR = Buffer.from('bar').toString('base64');

describe('the JSON gateway', () => {
  let store: FakeStore;
  let stats: RpcStats;
  let server: ClientPort;
  let url: string;
  let port: number;
  const sockets: Socket[] = [];
  const health = new Health();

  async function open(more: readonly (readonly [string, Method])[] = [], options: Partial<ClientServerOptions> = {}): Promise<void> {
    store = new FakeStore();
    stats = new RpcStats();
    const metrics = new Metrics();
    metrics.attach(store, stats);
    const methods = new Map([...clientMethods(store, health, { maxRequestBytes: 1_572_864 }), ...more]);
    const pages = new OpsPages({ store, metrics, health, dataDir: tmpdir(), version: '1' });
    server = clientPort(methods, {
      maxReceiveBytes: 2 * MiB, maxConcurrentStreams: 100, keepaliveIntervalMs: 0, keepaliveTimeoutMs: 20_000, store, stats, events: silent,
      site: { pages, store, gateway: true }, ...options,
    });
    port = await server.listen(listenAddress('http://127.0.0.1:0'));
    url = `http://127.0.0.1:${port}`;
  }

  beforeEach(() => open());
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    server.close();
  });

  async function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const response = await fetch(url + path, { method: 'POST', body: text, headers: { connection: 'close', ...headers } });
    const said = await response.text();
    return { status: response.status, headers: response.headers, body: said === '' ? '' : JSON.parse(said) };
  }

  /** A request whose body and answer go on. */
  async function stream(path: string): Promise<Stream> {
    const request = httpRequest(url + path, { method: 'POST', agent: new Agent() });
    request.on('error', () => undefined).on('socket', (socket) => sockets.push(socket));
    request.flushHeaders();
    const response = once(request, 'response').then(([message]) => message as IncomingMessage);
    response.catch(() => undefined);
    let text = '';
    let wake: () => void = () => undefined;
    response.then((message) => message.on('error', () => undefined).on('data', (chunk: Buffer) => {
      text += chunk.toString();
      wake();
    }), () => undefined);
    return {
      send: (value) => void request.write(typeof value === 'string' ? value : JSON.stringify(value)),
      end: () => void request.end(),
      line: async () => {
        while (!text.includes('\n')) await new Promise<void>((resolve) => (wake = resolve));
        const line = text.slice(0, text.indexOf('\n'));
        text = text.slice(line.length + 1);
        return JSON.parse(line);
      },
      response,
    };
  }

  /** What comes of raw bytes until the socket is closed, or all was said. */
  async function raw(bytes: string, said: (heard: string) => boolean): Promise<string> {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    let heard = '';
    socket.on('error', () => undefined).on('data', (chunk: Buffer) => (heard += chunk.toString()));
    socket.write(bytes);
    await until(() => said(heard) || socket.closed);
    return heard;
  }

  async function until(holds: () => boolean): Promise<void> {
    const deadline = performance.now() + 15_000;
    while (!holds()) {
      assert.ok(performance.now() < deadline, `it never came to be: ${holds.toString()}`);
      await turn();
    }
  }

  const put = (key: string, value: string): string => {
    const body = JSON.stringify({ key, value });
    return `POST /v3/kv/put HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  };

  const header = { cluster_id: '193', member_id: '4097', raft_term: '3' };
  const served = (path: string, code = 0): number => stats.of(path, 'unary').handled[code] ?? 0;

  it('has a path for each method of etcd that etcd maps, and no other', () => {
    const paths = [...clientMethods(store, health, { maxRequestBytes: 1 }).keys()];
    const etcds = paths.filter((path) => /^\/(etcdserverpb|v3lockpb|v3electionpb)\./.test(path));
    const mapped = new Set(Object.values(GATEWAY_PATHS));
    assert.deepEqual(etcds.filter((path) => !mapped.has(path)), ['/etcdserverpb.KV/RangeStream'], 'methods without a path');
    const services = new Set(etcds.map((path) => path.split('/')[1]));
    const known = [...mapped].filter((path) => services.has(path.split('/')[1]));
    assert.deepEqual(known.filter((path) => !etcds.includes(path)), [], 'paths without a method');
    assert.ok(serviceMethods('etcdserverpb.KV')['Range']);
  });

  it('carries out calls as gRPC does, and counts them with its own', async () => {
    const first = await post('/v3/kv/put', { key: FOO, value: BAR });
    assert.deepEqual([first.status, first.body], [200, { header: { ...header, revision: '2' } }]);
    assert.equal(first.headers.get('content-type'), 'application/json');
    assert.equal(first.headers.get('grpc-metadata-content-type'), 'application/grpc');
    assert.ok(Number(first.headers.get('content-length')) > 0);
    const kv = { key: FOO, value: BAR, create_revision: '2', mod_revision: '2', version: '1' };
    assert.deepEqual((await post('/v3/kv/range', { key: FOO })).body, { header: { ...header, revision: '2' }, kvs: [kv], count: '1' });
    assert.deepEqual((await post('/v3beta/kv/range?x=1', { key: FOO, countOnly: true })).body, { header: { ...header, revision: '2' }, count: '1' });
    assert.deepEqual([served('/etcdserverpb.KV/Put'), served('/etcdserverpb.KV/Range')], [1, 2]);
  });

  it("refuses in etcd's words, with the HTTP status of each code", async () => {
    const refused = async (path: string, body: unknown, headers?: Record<string, string>): Promise<unknown> => {
      const { status, body: said } = await post(path, body, headers);
      return [status, said];
    };
    assert.deepEqual(await refused('/v3/kv/range', ''), [400, { code: 3, message: 'etcdserver: key is not provided' }]);
    assert.deepEqual(await refused('/v3/kv/range', { key: FOO, revision: '9' }), [400, { code: 11, message: 'etcdserver: mvcc: required revision is a future revision' }]);
    assert.deepEqual(await refused('/v3/kv/range', '{bad'), [400, { code: 3, message: "invalid character 'b' looking for beginning of object key string" }]);
    assert.deepEqual(await refused('/v3/kv/range', { key: '!!' }), [400, { code: 3, message: 'proto: (line 1:8): invalid value for bytes field key: "!!"' }]);
    assert.deepEqual(await refused('/v3/kv/nope', {}), [404, { code: 5, message: 'Not Found' }]);
    assert.deepEqual(await refused('/v3/kv/range/', {}), [404, { code: 5, message: 'Not Found' }]);
    assert.deepEqual(await refused('/v3/kv/range', {}, { 'grpc-timeout': 'soon' }), [400, { code: 3, message: 'invalid grpc-timeout: soon' }]);
    const instead = { 'x-http-method-override': 'GET' };
    assert.equal((await post('/v3/kv/range', { key: FOO }, instead)).status, 200, 'only a form means another method');
    assert.equal((await post('/v3/kv/range', { key: FOO }, { ...instead, 'content-type': 'application/x-www-form-urlencoded' })).status, 501);
    store.refusal = new EtcdError('NO_SPACE');
    assert.deepEqual(await refused('/v3/kv/put', { key: FOO }), [429, { code: 8, message: 'etcdserver: mvcc: database space exceeded' }]);
    store.refusal = new EtcdError('NO_LEADER');
    assert.deepEqual(await refused('/v3/kv/put', { key: FOO }), [503, { code: 14, message: 'etcdserver: no leader' }]);
    const get = await fetch(`${url}/v3/kv/range`);
    assert.deepEqual([get.status, await get.json()], [501, { code: 12, message: 'Method Not Allowed' }]);
    assert.equal(served('/etcdserverpb.KV/Range', 3), 1, 'what is no JSON is no call');
  });

  it('asks the table of permissions, and takes the token from Authorization', async () => {
    for (const [name, more] of [['root', {}], ['user', {}]] as const) {
      assert.equal((await post('/v3/auth/user/add', { name, password: 'x', ...more })).status, 200);
      assert.equal((await post('/v3/auth/role/add', { name })).status, 200);
      assert.equal((await post('/v3/auth/user/grant', { user: name, role: name })).status, 200);
    }
    assert.equal((await post('/v3/auth/enable', {})).status, 200);
    assert.deepEqual((await post('/v3/kv/range', { key: FOO })).body, { code: 3, message: 'etcdserver: user name is empty' });
    const { body } = await post('/v3/auth/authenticate', { name: 'user', password: 'x' });
    const { token } = body as { token: string };
    const denied = await post('/v3/kv/range', { key: FOO }, { authorization: token });
    assert.deepEqual([denied.status, denied.body], [403, { code: 7, message: 'etcdserver: permission denied' }]);
    const root = await post('/v3/auth/authenticate', { name: 'root', password: 'x' });
    const token2 = (root.body as { token: string }).token;
    assert.equal((await post('/v3/kv/range', { key: FOO }, { authorization: token2 })).status, 200);
    assert.equal((await post('/v3/kv/range', { key: FOO }, { 'grpc-metadata-token': token2 })).status, 200);
    const bad = await post('/v3/kv/range', { key: FOO }, { authorization: `${'0'.repeat(32)}.9` });
    assert.deepEqual([bad.status, bad.body, bad.headers.get('www-authenticate')], [401, { code: 16, message: 'etcdserver: invalid auth token' }, 'etcdserver: invalid auth token']);
  });

  it('ends a call at its deadline, and refuses it without a leader where one is required', async () => {
    const forever: Method = { kind: 'unary', refusable: false, handle: () => new Promise(() => undefined) };
    server.close();
    await open([['/etcdserverpb.KV/Compact', forever]]);
    const late = await post('/v3/kv/compaction', { revision: '1' }, { 'grpc-timeout': '50m' });
    assert.deepEqual([late.status, late.body], [504, { code: 4, message: 'context deadline exceeded' }]);
    store.leader = 0;
    const lost = await post('/v3/kv/range', { key: FOO }, { 'grpc-metadata-hasleader': 'true' });
    assert.deepEqual([lost.status, lost.body], [503, { code: 14, message: 'etcdserver: no leader' }]);
  });

  it('hands on metadata in bytes, and refuses what is no base64 where Go does', async () => {
    let heard: Uint8Array | undefined;
    const hears: Method = {
      kind: 'unary', refusable: false, handle: (_request, call) => {
        heard = call.metadataBytes('trace-bin');
        return new Uint8Array(0);
      },
    };
    server.close();
    await open([['/etcdserverpb.KV/Compact', hears]]);
    for (const value of ['AP+A', 'AP8=', 'AP8']) {
      assert.equal((await post('/v3/kv/compaction', {}, { 'grpc-metadata-trace-bin': value })).status, 200);
      assert.deepEqual(Buffer.from(heard ?? []), Buffer.from(value, 'base64'));
    }
    for (const [value, at] of [['!!', 0], ['YQ===', 2], ['YQ=A', 2], ['YWI=YWI=', 4], ['YQYQY', 4], ['Y===', 1], ['YQ==YQYQ', 4], ['YWI-', 3]] as const) {
      const { status, body } = await post('/v3/kv/compaction', {}, { 'grpc-metadata-trace-bin': value });
      assert.deepEqual([status, body], [400, { code: 3, message: `invalid binary header Grpc-Metadata-Trace-Bin: illegal base64 data at input byte ${at}` }], value);
    }
  });

  it('serves streams: a value in, a line out, and the last line says why it ended', async () => {
    const watch = await stream('/v3/watch');
    watch.send({ create_request: { key: FOO, startRevision: '3' } });
    await until(() => store.watches.length > 0);
    const [session] = store.watches;
    assert.ok(session);
    await session.until(() => session.requests.length === 1);
    session.answer({ created: true });
    assert.deepEqual(await watch.line(), { result: { header: { ...header, revision: '1' }, created: true } });
    assert.equal((await watch.response).statusCode, 200);
    watch.send('\n{"progress_request":{}} {"cancel_request":{"watch_id":"0"}}');
    await session.until(() => session.requests.length === 3);
    watch.end();
    session.answer({ revision: 7 });
    assert.deepEqual(await watch.line(), { result: { header: { ...header, revision: '7' } } }, 'who has said all goes on listening');
    session.answer(new EtcdError('NO_LEADER'));
    assert.deepEqual(await watch.line(), { error: { code: 14, message: 'etcdserver: no leader' } });
    const keep = await stream('/v3/lease/keepalive');
    keep.send('{"ID":"5"}{"ID":"6"}');
    keep.end();
    assert.deepEqual([await keep.line(), await keep.line()], [5, 6].map((id) => ({ result: { header: { ...header, revision: '1' }, ID: String(id) } })));
  });

  it('refuses a stream whose request is no JSON, before its first line or behind it', async () => {
    const watch = await stream('/v3/watch');
    watch.send('{"create_request":{"key":"!!"}}');
    assert.deepEqual(await watch.line(), { error: { code: 3, message: 'proto: (line 1:26): invalid value for bytes field key: "!!"' } });
    assert.equal((await watch.response).statusCode, 400);
    const keep = await stream('/v3/lease/keepalive');
    keep.send('{"ID":"5"}');
    await keep.line();
    keep.send('}');
    assert.deepEqual(await keep.line(), { error: { code: 3, message: "invalid character '}' looking for beginning of value" } });
    await until(() => store.watches.every(({ closed }) => closed));
  });

  it('cancels the call of a client that is gone', async () => {
    let cancelled = 0;
    const waits: Method = {
      kind: 'unary', refusable: false, handle: (_request, call) => new Promise((resolve) => call.onCancel(() => {
        cancelled++;
        resolve(new Uint8Array(0));
      })),
    };
    server.close();
    await open([['/etcdserverpb.KV/Compact', waits]]);
    const unary = await stream('/v3/kv/compaction');
    unary.send({ revision: '1' });
    unary.end();
    const watch = await stream('/v3/watch');
    watch.send({ create_request: { key: FOO } });
    await until(() => store.watches.length > 0 && stats.of('/etcdserverpb.KV/Compact', 'unary').started > 0);
    for (const socket of sockets) socket.destroy();
    await until(() => cancelled > 0);
    await until(() => store.watches.every(({ closed }) => closed));
    assert.equal(cancelled, 1);
  });

  it('answers the requests of a connection in their order, one after the other', async () => {
    const range = JSON.stringify({ key: FOO });
    const get = `POST /v3/kv/range HTTP/1.1\r\nhost: a\r\ncontent-length: ${range.length}\r\n\r\n${range}`;
    const said = put(FOO, BAR) + get + put(FOO, FOO) + get + 'GET /version HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n';
    const heard = await raw(said, (text) => text.includes('kintsugi'));
    const values = [...heard.matchAll(/"value":"([^"]+)"/g)].map(([, value]) => value);
    assert.deepEqual(values, [BAR, FOO]);
    assert.equal(heard.match(/HTTP\/1\.1 200 OK/g)?.length, 5);
  });

  it('takes a body in chunks, and says that it may come', async () => {
    const json = JSON.stringify({ key: FOO, value: BAR });
    const chunks = [...json].map((character) => `1\r\n${character}\r\n`).join('');
    const head = 'POST /v3/kv/put HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\nexpect: 100-continue\r\n\r\n';
    const heard = await raw(`${head}${chunks}0\r\n\r\n`, (text) => text.includes('revision'));
    assert.match(heard, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
  });

  it('bounds a request as gRPC does, in bytes and, as text, in twice as many', async () => {
    const value = Buffer.alloc(2 * MiB + 1).toString('base64');
    assert.deepEqual((await post('/v3/kv/put', { key: FOO, value })).body, { code: 8, message: 'grpc: received message larger than max (2097163 vs. 2097152)' });
    const large = await post('/v3/kv/put', { key: FOO, value: Buffer.alloc(1_700_000).toString('base64') });
    assert.deepEqual([large.status, large.body], [400, { code: 3, message: 'etcdserver: request is too large' }]);
    const { status, body } = await post('/v3/kv/put', `${' '.repeat(5 * MiB)}{}`);
    assert.equal(status, 429);
    assert.match((body as { message: string }).message, /^grpc: received message larger than max \(\d+ vs\. 4194304 bytes of JSON\)$/);
    assert.equal((await post('/v3/kv/put', { key: FOO, value: BAR })).status, 200);
  });

  it('gives up a request that is long in coming, and lets go of what has come of it', async () => {
    server.close();
    await open([], { receiveMs: 100 });
    const idle = await stream('/v3/watch');
    idle.send({ create_request: { key: FOO } });
    const heard = await raw(`POST /v3/kv/put HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n{"key":"${FOO}",`, (text) => text.endsWith('}'));
    assert.match(heard, /^HTTP\/1\.1 504 Gateway Timeout\r\n[^]*\{"code":4,"message":"grpc: the request took too long to come"\}$/);
    assert.equal(served('/etcdserverpb.KV/Put'), 0, 'nothing was carried out');
    assert.equal((await post('/v3/kv/put', { key: FOO, value: BAR })).status, 200);
    await until(() => store.watches.length > 0);
    store.watches[0]?.answer({ created: true });
    assert.equal((await idle.response).statusCode, 200, 'a request of many messages may be quiet');
  });

  it('holds a message and little more for a client that does not read, and goes on when it does', async () => {
    const MESSAGES = 400;
    let written = 0;
    const snapshot = serviceMethods('etcdserverpb.Maintenance')['Snapshot'];
    assert.ok(snapshot);
    const bytes = snapshot.responseSerialize({ blob: Buffer.alloc(64 * KiB) });
    const many: Method = {
      kind: 'server-stream', handle: async (_request, out) => {
        for (; written < MESSAGES; written++) await out.write(bytes);
      },
    };
    server.close();
    await open([['/etcdserverpb.Maintenance/Snapshot', many]]);
    const slow = await stream('/v3/maintenance/snapshot');
    slow.end();
    const message = await slow.response;
    message.pause();
    let before = -1;
    while (written !== before) {
      before = written;
      for (let i = 0; i < 200; i++) await turn();
    }
    assert.ok(written < MESSAGES - 50, `${written} messages were written to a client that does not read`);
    message.resume();
    for (let i = 0; i < MESSAGES; i++) await slow.line();
    assert.equal(written, MESSAGES);
  });

  it('is there over HTTP/2 where there is TLS, beside gRPC and the pages', async () => {
    const secure = await server.listen(listenAddress('https://127.0.0.1:0'), await openTls({ cert: TEST_CERTIFICATE, key: TEST_KEY }));
    const session = h2connect(`https://127.0.0.1:${secure}`, { rejectUnauthorized: false });
    session.on('error', () => undefined);
    const ask = async (method: string, path: string, body = ''): Promise<[number, string]> => {
      const request = session.request({ ':method': method, ':path': path }, { endStream: body === '' });
      if (body !== '') request.end(body);
      const [headers] = await once(request, 'response') as [Record<string, unknown>];
      let text = '';
      for await (const chunk of request) text += String(chunk);
      return [Number(headers[':status']), text];
    };
    assert.equal((await ask('POST', '/v3/kv/put', JSON.stringify({ key: FOO, value: BAR })))[0], 200);
    const [status, text] = await ask('POST', '/v3/kv/range', JSON.stringify({ key: FOO }));
    assert.deepEqual([status, (JSON.parse(text) as { count: string }).count], [200, '1']);
    assert.match((await ask('GET', '/version'))[1], /etcdserver/);
    assert.match((await ask('GET', '/metrics'))[1], /etcd_server_has_leader 1/);
    assert.equal((await ask('GET', '/nope'))[0], 404);
    const watch = session.request({ ':method': 'POST', ':path': '/v3/watch' });
    watch.write(JSON.stringify({ create_request: { key: FOO } }));
    await until(() => store.watches.length > 0);
    store.watches[0]?.answer({ created: true });
    assert.match(String((await once(watch, 'data'))[0]), /^\{"result":.*"created":true\}\}\n$/);
    watch.close();
    await until(() => store.watches.every(({ closed }) => closed));
    session.destroy();
  });
});
