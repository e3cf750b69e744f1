/**
 * The JSON gateway and the pages of a real process, in plain text and with clients' certificates:
 * what holds for etcd holds here (`CLUSTER_TEST_TARGET=etcd` asks it the same).
 */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { binaryOf } from '../scripts/lib/binary.js';
import { startSecond, type Second } from '../scripts/lib/compat/ctl/second.js';
import { ensureBuilt } from '../scripts/lib/ensure-built.mjs';
import { connect } from '../src/client/client.js';
import { target } from './harness.js';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('the JSON gateway of a real member', function () {
  this.timeout(60_000);
  let member: Second;

  before(async function () {
    this.timeout(180_000);
    if (target === 'kintsugi') ensureBuilt();
    member = await startSecond(binaryOf(target), 'test-gateway');
  });

  after(async () => {
    const { cluster } = member;
    await cluster.stop('SIGKILL');
    rmSync(cluster.dir, { recursive: true });
  });

  async function post(path: string, body: object, token?: string): Promise<[number, Record<string, unknown>]> {
    const headers = token === undefined ? {} : { authorization: token };
    const answer = await fetch(`${member.url}${path}`, { method: 'POST', body: JSON.stringify(body), headers });
    return [answer.status, await answer.json() as Record<string, unknown>];
  }

  const credentials = (): { ca: Buffer; cert: Buffer; key: Buffer } =>
    ({ ca: readFileSync(member.ca), cert: readFileSync(member.cert), key: readFileSync(member.key) });

  /** The same by whoever holds the certificate of `client`. */
  async function postAsClient(path: string, body: object): Promise<[number, string]> {
    const sent = request(`${member.tlsUrl}${path}`, { ...credentials(), method: 'POST', agent: false });
    sent.end(JSON.stringify(body));
    const [answer] = await once(sent, 'response') as [IncomingMessage];
    let text = '';
    for await (const chunk of answer) text += String(chunk);
    return [answer.statusCode ?? 0, text];
  }

  it('puts, reads and refuses, and says what it is', async () => {
    assert.equal((await post('/v3/kv/put', { key: base64('a'), value: base64('1') }))[0], 200);
    const [status, { kvs, count }] = await post('/v3/kv/range', { key: base64('a') });
    assert.deepEqual([status, (kvs as { value: string }[])[0]?.value, count], [200, base64('1'), '1']);
    assert.deepEqual(await post('/v3/kv/range', {}), [400, { code: 3, message: 'etcdserver: key is not provided' }]);
    const version = await (await fetch(`${member.url}/version`)).json() as Record<string, unknown>;
    for (const name of ['etcdserver', 'etcdcluster', 'storage']) assert.match(String(version[name]), /^\d+(\.\d+\.\d+)?$/, name);
    assert.equal((await fetch(`${member.url}/metrics`, { method: 'POST' })).status, 200);
    const refused = await fetch(`${member.url}/version`, { method: 'POST' });
    assert.equal(refused.status, 405);
    assert.match(refused.headers.get('allow') ?? '', /^GET\b/);
  });

  it('ignores no certificate in silence: its holder is asked to come by gRPC while auth is on', async () => {
    const range = { key: base64('a') };
    assert.equal((await postAsClient('/v3/kv/range', range))[0], 200);
    for (const name of ['root', 'client']) {
      await post('/v3/auth/user/add', { name, password: 'p' });
      await post('/v3/auth/role/add', { name });
      await post('/v3/auth/user/grant', { user: name, role: name });
    }
    await post('/v3/auth/role/grant', { name: 'client', perm: { permType: 'READ', key: base64('a') } });
    assert.equal((await post('/v3/auth/enable', {}))[0], 200);
    const ignored = 'CommonName of client sending a request against gateway will be ignored and not used as expected\n';
    assert.deepEqual(await postAsClient('/v3/kv/range', range), [400, ignored]);
    const { ca, cert, key } = credentials();
    const client = connect({ endpoints: [member.tlsUrl], tls: { ca, cert, key } });
    assert.equal(Buffer.from((await client.get('a'))?.value ?? []).toString(), '1');
    await assert.rejects(client.get('b'), { code: 'PERMISSION_DENIED' });
    client.close();
    const [, { token }] = await post('/v3/auth/authenticate', { name: 'root', password: 'p' });
    assert.equal((await post('/v3/auth/disable', {}, String(token)))[0], 200);
  });

  it('writes events as they come, and a watch that is open keeps nobody from stopping', async () => {
    const watch = await fetch(`${member.url}/v3/watch`, { method: 'POST', body: JSON.stringify({ create_request: { key: base64('w') } }) });
    const lines = watch.body?.pipeThrough(new TextDecoderStream()).getReader();
    assert.ok(lines);
    const until = async (what: string): Promise<void> => {
      for (let text = ''; !text.includes(what); ) {
        const { value, done } = await lines.read();
        assert.ok(!done, text);
        text += value;
      }
    };
    await until('"created":true');
    await post('/v3/kv/put', { key: base64('w'), value: base64('seen') });
    await until(base64('seen'));
    const node = member.cluster.node(0);
    await node.stop('SIGTERM', 10_000);
    assert.equal(node.exitCode, 0, 'it was killed, for it did not stop');
  });
});
