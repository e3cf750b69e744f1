import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, get as httpGet, type RequestOptions } from 'node:http';
import { connect as h2connect, type ClientHttp2Session } from 'node:http2';
import { get as httpsGet } from 'node:https';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { connect as tlsConnect } from 'node:tls';
import type { KintsugiEvent } from '../../base/events.js';
import type { Method } from '../../grpc/method.js';
import { Metrics } from '../../observability/metrics.js';
import { RpcStats } from '../../observability/rpc-stats.js';
import { OpsPages, opsServer } from '../ops-http.js';
import { clientPort, type ClientServerOptions } from '../rpc/client-server.js';
import { Health } from '../rpc/health-service.js';
import { FakeStore } from '../testing/fake-store.js';
import type { ClientPort } from './client-port.js';
import { listenAddress } from './listen-address.js';
import { openTls } from '../tls/testing/open-tls.js';
import { TEST_CERTIFICATE, TEST_KEY } from './testing/test-certificate.js';

const ANY = listenAddress('http://127.0.0.1:0');
const TLS = await openTls({ cert: TEST_CERTIFICATE, key: TEST_KEY });
const ECHO = '/test.Echo/Echo';

describe('the client port', () => {
  const ports: ClientPort[] = [];
  const sessions: ClientHttp2Session[] = [];
  const sockets: Socket[] = [];
  const events: KintsugiEvent[] = [];
  /** While it is there, calls wait for it. */
  let gate: Promise<void> | undefined;

  afterEach(() => {
    for (const session of sessions.splice(0)) session.destroy();
    for (const socket of sockets.splice(0)) socket.destroy();
    for (const port of ports.splice(0)) port.close();
    events.length = 0;
    gate = undefined;
  });

  function open(more: Partial<ClientServerOptions> = {}): ClientPort {
    const echo: Method = {
      kind: 'unary', refusable: true,
      handle: async (request) => {
        await gate;
        return request;
      },
    };
    const http1 = createHttpServer((request, response) => response.end(`${request.method} ${request.url}`));
    const port = clientPort(new Map([[ECHO, echo]]), {
      maxReceiveBytes: 1 << 20, maxConcurrentStreams: 100, keepaliveIntervalMs: 0, keepaliveTimeoutMs: 1_000, store: { hasLeader: true },
      stats: new RpcStats(), events: { emit: (event) => void events.push(event) }, http1, ...more,
    });
    ports.push(port);
    return port;
  }

  function session(url: string, options: object = {}): ClientHttp2Session {
    const made = h2connect(url, options);
    made.on('error', () => undefined);
    sessions.push(made);
    return made;
  }

  /** The grpc-status of one call. */
  function call(on: ClientHttp2Session): Promise<string> {
    return new Promise((resolve, reject) => {
      const stream = on.request({ ':method': 'POST', ':path': ECHO, te: 'trailers', 'content-type': 'application/grpc' });
      stream.on('trailers', (trailers) => resolve(String(trailers['grpc-status'])));
      stream.on('response', (headers) => {
        if (headers['grpc-status'] !== undefined) resolve(String(headers['grpc-status']));
      });
      stream.on('error', reject).resume();
      stream.end(Buffer.from([0, 0, 0, 0, 2, 1, 2]));
    });
  }

  function page(options: RequestOptions, secure = false): Promise<string> {
    return new Promise((resolve, reject) => {
      const get = secure ? httpsGet : httpGet;
      get({ ...options, path: '/health', agent: false, ...(secure ? { rejectUnauthorized: false } : {}) }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString())).on('end', () => resolve(text));
      }).on('error', reject);
    });
  }

  /** All that comes until the socket is closed. */
  function said(socket: Socket): Promise<Buffer> {
    sockets.push(socket);
    const parts: Buffer[] = [];
    return new Promise((resolve) => {
      socket.on('error', () => undefined).on('data', (chunk: Buffer) => parts.push(chunk)).on('close', () => resolve(Buffer.concat(parts)));
    });
  }

  async function until(holds: () => boolean): Promise<void> {
    while (!holds()) await turn();
  }

  it('serves gRPC and HTTP/1.1 on one port', async () => {
    const clients = open();
    const port = await clients.listen(ANY);
    assert.equal(await call(session(`http://127.0.0.1:${port}`)), '0');
    assert.equal(await page({ port }), 'GET /health');
    assert.equal(await call(session(`http://127.0.0.1:${port}`)), '0');
  });

  it('knows a protocol whose first bytes come one by one', async () => {
    const clients = open();
    const port = await clients.listen(ANY);
    const socket = connect(port, '127.0.0.1');
    const answer = said(socket);
    for (const byte of 'GET /slow HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n') {
      socket.write(byte);
      await turn();
    }
    assert.match((await answer).toString(), /GET \/slow$/);
  });

  for (const tls of [undefined, TLS]) {
    it(`answers an HTTP/1.1 client that closes its side behind its request, ${tls ? 'over TLS' : 'over TCP'}`, async () => {
      const http1 = opsServer(new OpsPages({ store: new FakeStore(), metrics: new Metrics(), health: new Health(), dataDir: tmpdir(), version: '1' }));
      const clients = open({ http1 });
      const port = await clients.listen(ANY, tls);
      for (const path of ['/version', '/metrics']) {
        const options = { port, host: '127.0.0.1', allowHalfOpen: true };
        const socket = tls ? tlsConnect({ ...options, ca: TEST_CERTIFICATE, servername: 'localhost' }) : connect(options);
        const answer = said(socket);
        socket.end(`GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`);
        assert.match((await answer).toString(), /^HTTP\/1\.1 200 OK\r\n/);
      }
      await until(() => clients.connections === 0);
    });

    it(`closes a client that closes its side before it has said anything, ${tls ? 'over TLS' : 'over TCP'}`, async () => {
      const clients = open();
      const port = await clients.listen(ANY, tls);
      for (const words of ['', 'GE', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n']) {
        const options = { port, host: '127.0.0.1', allowHalfOpen: true };
        const socket = tls ? tlsConnect({ ...options, ca: TEST_CERTIFICATE, servername: 'localhost' }) : connect(options);
        const gone = said(socket);
        socket.end(words);
        await gone;
      }
      await until(() => clients.connections === 0);
    });
  }

  it('serves both over TLS, as ALPN says', async () => {
    const clients = open();
    const port = await clients.listen(ANY, TLS);
    const secure = session(`https://localhost:${port}`, { ca: TEST_CERTIFICATE });
    assert.equal(await call(secure), '0');
    assert.equal(await page({ port, host: 'localhost' }, true), 'GET /health');
    // Somebody who speaks no TLS harms nobody.
    const plain = connect(port, '127.0.0.1');
    const answer = said(plain);
    plain.write('GET / HTTP/1.1\r\n\r\n');
    await answer;
    assert.equal(await call(secure), '0');
  });

  for (const tls of [undefined, TLS]) {
    it(`gives every caller its own bytes, ${tls ? 'over TLS' : 'over TCP'}, while a slow reader takes its time`, async () => {
      const clients = open();
      const port = await clients.listen(ANY, tls);
      const on = session(tls ? `https://localhost:${port}` : `http://127.0.0.1:${port}`, { ca: TEST_CERTIFICATE });
      const bodies = Array.from({ length: 120 }, (_, i) => Buffer.alloc(200 + 7_000 * (i % 5), i + 1));
      const answers = bodies.map((body, i) => new Promise<Buffer>((resolve, reject) => {
        const stream = on.request({ ':method': 'POST', ':path': ECHO, te: 'trailers', 'content-type': 'application/grpc' });
        const parts: Buffer[] = [];
        stream.on('error', reject).on('end', () => resolve(Buffer.concat(parts).subarray(5)));
        const frame = Buffer.alloc(5 + body.length);
        frame.writeUInt32BE(body.length, 1);
        body.copy(frame, 5);
        stream.end(frame);
        // Every third one is read a few turns later.
        const read = (): void => void stream.on('data', (part: Buffer) => parts.push(part));
        if (i % 3 > 0) read();
        else setTimeout(read, 20);
      }));
      assert.deepEqual((await Promise.all(answers)).map((answer, i) => answer.equals(bodies[i] as Buffer)), bodies.map(() => true));
    });
  }

  it('listens on a file', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'kintsugi-port-'));
    try {
      const clients = open();
      const path = join(dir, 'client.sock');
      await clients.listen(listenAddress(`unix://${path}`));
      assert.equal(await call(session('http://localhost', { createConnection: () => connect(path) })), '0');
      clients.close();
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it('takes the place of a file that was left by a process that was killed, and of nothing else', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'kintsugi-port-'));
    try {
      const address = listenAddress(`unix://${join(dir, 'client.sock')}`);
      const left = spawnSync(process.execPath, ['-e', `
        require('node:net').createServer().listen(${JSON.stringify(join(dir, 'client.sock'))}, () => process.kill(process.pid, 'SIGKILL'));
      `]);
      assert.equal(left.signal, 'SIGKILL');
      await open().listen(address);
      await assert.rejects(open().listen(address), /cannot listen on .*client\.sock: .*EADDRINUSE/);
      writeFileSync(join(dir, 'file'), 'kept');
      await assert.rejects(open().listen(listenAddress(`unix://${join(dir, 'file')}`)), /EADDRINUSE/);
      assert.equal(readFileSync(join(dir, 'file'), 'utf8'), 'kept');
      for (const port of ports.splice(0)) port.close();
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it('closes an HTTP/1.1 client that says nothing more', async () => {
    const http1 = createHttpServer((_request, response) => response.end());
    http1.timeout = 50;
    const clients = open({ http1 });
    const port = await clients.listen(ANY);
    const socket = connect(port, '127.0.0.1');
    const gone = said(socket);
    socket.write('GET / HTTP/1.1\r\nhost: a\r\n');
    await gone;
    await until(() => clients.connections === 0);
  });

  it('closes at once what is above its bound, says so once, and serves again when there is room', async () => {
    const clients = open({ maxConnections: 2 });
    const port = await clients.listen(ANY);
    const [one, two] = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
    const gone = [said(one), said(two)];
    await until(() => clients.connections === 2);
    for (let i = 0; i < 5; i++) assert.equal((await said(connect(port, '127.0.0.1'))).length, 0);
    assert.deepEqual([clients.connections, clients.refused], [2, 5]);
    assert.equal(events.length, 1);
    one.destroy();
    await gone[0];
    await until(() => clients.connections === 1);
    assert.equal(await call(session(`http://127.0.0.1:${port}`)), '0');
  });

  it('counts TLS clients from the first byte of their handshake on', async () => {
    const clients = open({ maxConnections: 1 });
    const port = await clients.listen(ANY, TLS);
    void said(connect(port, '127.0.0.1'));
    await until(() => clients.connections === 1);
    assert.equal((await said(connect(port, '127.0.0.1'))).length, 0);
  });

  it('refuses what is no HTTP in the words of HTTP/2, and closes', async () => {
    const clients = open();
    const port = await clients.listen(ANY);
    const socket = connect(port, '127.0.0.1');
    const answer = said(socket);
    socket.write('{"hello":"world"}');
    const bytes = await answer;
    // SETTINGS first, GOAWAY last (RFC 9113, 3.4).
    assert.equal(bytes[3], 4);
    assert.ok(bytes.includes(Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0])));
    await until(() => clients.connections === 0);
  });

  it('lets the calls that run end before it closes, and takes no new clients', async () => {
    const clients = open();
    const port = await clients.listen(ANY);
    let release: () => void = () => undefined;
    gate = new Promise((resolve) => (release = resolve));
    const running = session(`http://127.0.0.1:${port}`);
    const answer = call(running);
    await until(() => clients.connections === 1);
    await turn();
    const drained = clients.drain(60_000);
    const refused = await new Promise((resolve) => connect(port, '127.0.0.1').on('error', resolve).on('connect', () => resolve(undefined)));
    assert.ok(refused instanceof Error);
    release();
    assert.equal(await answer, '0');
    await drained;
    assert.equal(clients.connections, 0);
  });

  it('closes after its grace what does not end', async () => {
    const clients = open();
    const port = await clients.listen(ANY);
    gate = new Promise(() => undefined);
    call(session(`http://127.0.0.1:${port}`)).catch(() => undefined);
    void said(connect(port, '127.0.0.1'));
    await until(() => clients.connections === 2);
    await clients.drain(50);
    await until(() => clients.connections === 0);
  });
});
