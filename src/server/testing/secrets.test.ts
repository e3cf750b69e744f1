import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ReflectedRpc } from '../../api/protos/reflected-rpc.js';
import type { EventSink } from '../../base/events.js';
import { connect, type Client } from '../../client/client.js';
import { Endpoint } from '../../client/endpoint.js';
import { calm } from '../../node/testing/surroundings.js';
import { Cluster } from '../../node/testing/cluster.js';
import type { ClusterNode } from '../../node/testing/cluster-node.js';
import { logEvents, openLogger } from '../../observability/log.js';
import { RpcStats } from '../../observability/rpc-stats.js';
import { NEWEST_VERSION } from '../../replica/base/protocol.js';
import { Passwords } from '../auth/passwords.js';
import { clientPort } from '../rpc/client-server.js';
import { Health } from '../rpc/health-service.js';
import { clientMethods } from '../rpc/services.js';
import { listenAddress } from '../transport/listen-address.js';
import { RawClient } from './raw-client.js';

const [ROOT, OTHER, WRONG, VALUE] = ['pw-of-root-5c1', 'pw-of-web-77d', 'pw-wrong-e02', 'value-that-is-kept-f3a'];

describe('the log of a cluster', function () {
  this.timeout(30_000);
  let dir: string;
  let cluster: Cluster;
  let sink: EventSink;
  const open: { close(): void }[] = [];

  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'kintsugi-secrets-'));
    sink = logEvents(openLogger('debug', [join(dir, 'log')], {}), () => performance.now());
  });

  after(async () => {
    for (const each of open) each.close();
    await cluster.close();
    rmSync(dir, { recursive: true });
  });

  async function serve({ store }: ClusterNode): Promise<string> {
    const server = clientPort(clientMethods(store, new Health(), { maxRequestBytes: 4096 }, new Passwords(4)), {
      maxReceiveBytes: 1 << 20, maxConcurrentStreams: 100, keepaliveIntervalMs: 0, keepaliveTimeoutMs: 20_000,
      store: { hasLeader: true }, stats: new RpcStats(), events: sink,
    });
    open.push(server);
    return `127.0.0.1:${await server.listen(listenAddress('http://127.0.0.1:0'))}`;
  }

  function as(endpoint: string, password?: string): Client {
    const client = connect({ endpoints: [endpoint], ...(password === undefined ? {} : { auth: { name: 'root', password } }) });
    open.push(client);
    return client;
  }

  async function tokenOf(name: string): Promise<string> {
    const endpoint = new Endpoint(name, { dialTimeoutMs: 1_000 });
    open.push(endpoint);
    const rpc = new ReflectedRpc('etcdserverpb.Auth', 'Authenticate', 'read');
    const request = rpc.encodeRequest({ name: 'root', password: ROOT });
    const answer = await endpoint.unary(rpc.path, request, { deadline: Infinity, token: undefined });
    return String(rpc.decodeResponse(answer)['token']);
  }

  it('has no password, no hash, no token and no value in it, whatever is done, refused or lost', async () => {
    cluster = await Cluster.start(calm, { watcher: { onEvent: (_node, event) => sink.emit(event) } });
    await cluster.until('the newest version', () => cluster.nodes.every(({ replica }) => replica.state.version === NEWEST_VERSION));
    const [leader, follower] = [await cluster.leader(), await cluster.follower()];
    const endpoint = await serve(follower);
    const { auth } = as(endpoint);
    await auth.userAdd('root', { password: ROOT });
    await auth.userAdd('web', { password: OTHER });
    await auth.userGrantRole('root', 'root');
    await auth.enable();
    const root = as(endpoint, ROOT);
    const token = await tokenOf(endpoint);
    const given = Buffer.from(await new Passwords(4).hash(OTHER)).toString('base64');
    const raw = new RawClient(endpoint);
    open.push(raw);
    raw.token = token;
    await raw.call('etcdserverpb.Auth', 'UserChangePassword', { name: 'web', hashedPassword: given });
    await assert.rejects(raw.call('etcdserverpb.Auth', 'UserChangePassword', { name: 'web', hashedPassword: `${given}?` }), /no password user/);
    const refused = [
      as(endpoint, WRONG).put('a', VALUE), as(endpoint).put('a', VALUE), root.put('', VALUE), root.put('a', VALUE.repeat(500)),
      root.auth.userAdd('web', { password: OTHER }), root.auth.userChangePassword('nobody', WRONG), root.auth.userAdd('long', { password: WRONG.repeat(20) }),
    ];
    await Promise.all(refused.map((each) => assert.rejects(each)));
    for (let i = 0; i < 400; i++) await root.put(`key${i % 40}`, `${VALUE} ${'x'.repeat(200)}`);
    await cluster.kill(leader);
    await cluster.leader();
    await root.put('key', VALUE);
    await cluster.up(leader);
    await cluster.settled();
    const said = readFileSync(join(dir, 'log'), 'utf8');
    assert.ok(said.split('\n').length > 20 && /elected|leader|role/.test(said), said.slice(0, 2_000));
    const { state } = follower.replica;
    const hashes = ['root', 'web'].map((name) => state.auth.user(name)?.hash ?? '');
    const [secret = ''] = token.split('.');
    assert.ok(secret.length === 32 && hashes.every((hash) => hash.startsWith('$2')));
    for (const each of [ROOT, OTHER, WRONG, VALUE, secret, given, ...hashes]) {
      for (const form of ['utf8', 'hex', 'base64'] as const) {
        // Of base64 what does not depend on what follows.
        const text = Buffer.from(each).toString(form).replace(/.{0,2}=*$/, (end) => (form === 'base64' ? '' : end));
        assert.ok(!said.includes(text), `the log holds ${each} as ${form}`);
      }
    }
  });
});
