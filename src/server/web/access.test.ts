import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { silent } from '../../base/testing/silent.js';
import { Metrics } from '../../observability/metrics.js';
import { RpcStats } from '../../observability/rpc-stats.js';
import { OpsPages } from '../ops-http.js';
import { clientPort } from '../rpc/client-server.js';
import { Health } from '../rpc/health-service.js';
import { clientMethods } from '../rpc/services.js';
import { FakeStore } from '../testing/fake-store.js';
import type { ClientPort } from '../transport/client-port.js';
import { listenAddress } from '../transport/listen-address.js';
import { hostName, type AccessRules } from './access.js';

describe('who may reach a client port over HTTP', () => {
  const servers: ClientPort[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  async function open(access?: AccessRules, gateway = true): Promise<number> {
    const store = new FakeStore();
    const metrics = new Metrics();
    const stats = new RpcStats();
    metrics.attach(store, stats);
    const pages = new OpsPages({ store, metrics, health: new Health(), dataDir: tmpdir(), version: '1' });
    const server = clientPort(clientMethods(store, new Health(), { maxRequestBytes: 1_572_864 }), {
      maxReceiveBytes: 2_097_152, maxConcurrentStreams: 100, keepaliveIntervalMs: 0, keepaliveTimeoutMs: 20_000,
      store, stats, events: silent, site: { pages, store, gateway, ...(access === undefined ? {} : { access }) },
    });
    servers.push(server);
    return server.listen(listenAddress('http://127.0.0.1:0'));
  }

  async function ask(port: number, method: string, path: string, headers: Record<string, string> = {}): Promise<[IncomingMessage, string]> {
    const request = httpRequest({ port, host: '127.0.0.1', method, path, headers, agent: false });
    request.end(method === 'POST' ? '{"key":"Zm9v"}' : undefined);
    const [response] = await once(request, 'response') as [IncomingMessage];
    let text = '';
    for await (const chunk of response) text += String(chunk);
    return [response, text];
  }

  const cors = ({ headers }: IncomingMessage): unknown[] =>
    ['origin', 'methods', 'headers'].map((name) => headers[`access-control-allow-${name}`]);
  const ALLOWED = ['POST, GET, OPTIONS, PUT, DELETE', 'accept, content-type, authorization'];

  it('is everybody, from every page, unless told otherwise', async () => {
    const port = await open();
    for (const [method, path] of [['POST', '/v3/kv/range'], ['GET', '/version'], ['GET', '/nope']] as const) {
      const [response] = await ask(port, method, path, { host: 'evil.example', origin: 'http://page.example' });
      assert.deepEqual(cors(response), ['*', ...ALLOWED]);
    }
    const [preflight, text] = await ask(port, 'OPTIONS', '/v3/kv/range', { origin: 'http://page.example' });
    assert.deepEqual([preflight.statusCode, text, ...cors(preflight)], [200, '', '*', ...ALLOWED]);
  });

  it('is pages of the origins that are named', async () => {
    const port = await open({ origins: ['http://page.example'], hosts: ['*'] });
    const [known] = await ask(port, 'POST', '/v3/kv/range', { origin: 'http://page.example' });
    assert.deepEqual([known.statusCode, ...cors(known)], [200, 'http://page.example', ...ALLOWED]);
    const [other] = await ask(port, 'POST', '/v3/kv/range', { origin: 'http://other.example' });
    assert.deepEqual([other.statusCode, ...cors(other)], [200, undefined, undefined, undefined], 'the browser keeps the answer from the page');
  });

  it('is requests to the host names that are named, whatever they ask for', async () => {
    const port = await open({ origins: ['*'], hosts: ['localhost', '::1'] });
    for (const host of ['localhost', 'localhost:2379', '[::1]:2379']) assert.equal((await ask(port, 'GET', '/version', { host }))[0].statusCode, 200, host);
    for (const [method, path] of [['POST', '/v3/kv/put'], ['GET', '/health'], ['OPTIONS', '/']] as const) {
      const [response, text] = await ask(port, method, path, { host: 'evil.example:2379' });
      assert.equal(response.statusCode, 421);
      assert.match(text, /^\netcd received your request, but the Host header was unrecognized\.\n[^]*--host-whitelist "evil\.example"\n[^]*\(CVE-2018-5702\)\.\n\n$/);
      assert.deepEqual(cors(response), [undefined, undefined, undefined]);
    }
    assert.equal(hostName('a'), 'a');
    assert.equal(hostName('::1'), '::1');
  });

  it('finds no gateway where it is turned off', async () => {
    const port = await open(undefined, false);
    assert.equal((await ask(port, 'POST', '/v3/kv/range'))[0].statusCode, 404, 'no page, whatever the method');
    assert.equal((await ask(port, 'GET', '/v3/kv/range'))[0].statusCode, 404);
    assert.equal((await ask(port, 'GET', '/version'))[0].statusCode, 200);
  });
});
