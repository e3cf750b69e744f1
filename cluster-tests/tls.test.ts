/**
 * Three real members that show each other and their clients certificates of an authority: started
 * by etcd's flags, they elect, serve, and refuse whoever has none.
 */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kintsugi } from '../scripts/lib/binary.js';
import { ensureBuilt } from '../scripts/lib/ensure-built.mjs';
import { ClusterNode } from '../scripts/lib/node.js';
import { connect, type Client } from '../src/client/client.js';
import { freePorts } from '../src/server/free-ports.js';
import { Authority, type Issued } from '../src/server/tls/testing/authority.js';
import { kintsugiOnly } from './harness.js';

describe('three members with mutual TLS', function () {
  this.timeout(90_000);
  let dir: string;
  let ca: Authority;
  let alice: Issued;
  const nodes: ClusterNode[] = [];
  let endpoints: string[];

  before(async function () {
    kintsugiOnly(this);
    ensureBuilt();
    dir = mkdtempSync(join(tmpdir(), 'kintsugi-cluster-tls-'));
    const at = (name: string, content: string | Buffer): string => {
      writeFileSync(join(dir, name), content);
      return join(dir, name);
    };
    ca = await Authority.create();
    alice = await ca.issue({ cn: 'alice', hosts: [] });
    const caFile = at('ca.pem', ca.pem);
    const crl = at('crl', await ca.revoke(['77']));
    const names = ['a', 'b', 'c'];
    const ports = await freePorts(6);
    const peerUrls = names.map((_, i) => `https://127.0.0.1:${ports[i]}`);
    endpoints = names.map((_, i) => `https://127.0.0.1:${ports[3 + i]}`);
    const metrics = await freePorts(3);
    for (const [i, name] of names.entries()) {
      const own = await ca.issue({ cn: name });
      const [cert, key] = [at(`${name}.pem`, own.cert), at(`${name}.key`, own.key)];
      const [peerUrl = '', clientUrl = ''] = [peerUrls[i], endpoints[i]];
      nodes.push(new ClusterNode({
        name, binary: kintsugi(), dataDir: join(dir, name), logFile: join(dir, `${name}.log`), clientUrl, peerUrl, advertisedPeerUrl: peerUrl,
        metricsUrl: `https://127.0.0.1:${metrics[i]}`, initialCluster: names.map((each, n) => `${each}=${peerUrls[n]}`).join(','), token: 'tls',
        extraArgs: [
          `--cert-file=${cert}`, `--key-file=${key}`, '--client-cert-auth', `--trusted-ca-file=${caFile}`, `--client-crl-file=${crl}`,
          `--peer-cert-file=${cert}`, `--peer-key-file=${key}`, '--peer-client-cert-auth', `--peer-trusted-ca-file=${caFile}`,
        ],
      }));
    }
    for (const node of nodes) node.start();
  });

  after(async () => {
    for (const node of nodes) await node.stop('SIGKILL');
    if (dir !== undefined) rmSync(dir, { recursive: true });
  });

  const open = (more: Partial<Issued>, where = endpoints): Client =>
    connect({ endpoints: where, tls: { ca: ca.pem, cert: more.cert, key: more.key }, timeoutMs: 5_000, maxAttempts: 3 });

  /** Members that start answer when they do. */
  async function patiently<T>(ask: () => Promise<T>): Promise<T> {
    for (const deadline = Date.now() + 60_000; ;) {
      try {
        return await ask();
      } catch (error) {
        assert.ok(Date.now() < deadline, `${String(error)}\n${nodes.map((node) => node.logTail(5)).join('\n')}`);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  it('elect, serve through each member, and refuse who shows nothing, or what is revoked, or speaks no TLS', async () => {
    const client = open(alice);
    await patiently(() => client.put('a', '1'));
    for (const endpoint of endpoints) {
      assert.equal(Buffer.from((await patiently(() => client.get('a', { endpoint })))?.value ?? []).toString(), '1');
    }
    const bare = open({});
    await assert.rejects(bare.get('a'), { code: 'UNAVAILABLE' });
    bare.close();
    const plain = connect({ endpoints: endpoints.map((url) => url.replace('https', 'http')), timeoutMs: 3_000, maxAttempts: 1 });
    await assert.rejects(plain.get('a'), { name: 'ClientError' });
    plain.close();
    writeFileSync(join(dir, 'crl'), await ca.revoke([alice.serial]));
    for (const deadline = Date.now() + 20_000; ;) {
      const refused = await client.get('a', { timeoutMs: 1_000 }).then(() => false, () => true);
      if (refused) break;
      assert.ok(Date.now() < deadline, 'who is revoked is let in for 20 s');
    }
    client.close();
    const bob = open(await ca.issue({ cn: 'bob', hosts: [] }));
    assert.equal(Buffer.from((await bob.get('a'))?.value ?? []).toString(), '1');
    bob.close();
    for (const node of nodes) assert.doesNotMatch(node.logTail(10_000), /DEP0123|Warning/, 'Node warns of what its member does');
  });
});
