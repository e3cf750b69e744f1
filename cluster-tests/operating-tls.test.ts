/** Cures of OPERATING.md for what is wrong with TLS: see operating.test.ts. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { connect as connectTls } from 'node:tls';
import { join } from 'node:path';
import { kintsugi } from '../scripts/lib/binary.js';
import { Cluster } from '../scripts/lib/cluster.js';
import { ensureBuilt } from '../scripts/lib/ensure-built.mjs';
import type { ClusterNode } from '../scripts/lib/node.js';
import { connect, type Client } from '../src/client/client.js';
import { Authority, type Issued } from '../src/server/tls/testing/authority.js';
import { kintsugiOnly } from './harness.js';
import { Ear, other, refuses, until } from './refusals.js';

describe('an operator of members that show each other certificates cures', function () {
  this.timeout(120_000);
  let ca: Authority;
  /** All of whose files are its own, so that one of them can be changed. */
  let node: ClusterNode;
  let third: Issued;
  let cluster: Cluster;
  let client: Client;

  before(async function () {
    kintsugiOnly(this);
    ensureBuilt();
    ca = await Authority.create();
    const plain = await Cluster.create({ binary: kintsugi(), dir: 'test-operating-tls' });
    const https = (url: string): string => url.replaceAll('http://', 'https://');
    const nodes: ClusterNode[] = [];
    for (const each of plain.nodes) {
      const { name, clientUrl, peerUrl, initialCluster } = each.spec;
      third = await ca.issue({ cn: name });
      const at = (what: string, content: string): string => {
        writeFileSync(join(plain.dir, `${name}.${what}`), content);
        return join(plain.dir, `${name}.${what}`);
      };
      const [cert, key, caFile] = [at('pem', third.cert), at('key', third.key), at('ca', ca.pem)];
      each.endpoint.close();
      nodes.push(other(each, {
        clientUrl: https(clientUrl), peerUrl: https(peerUrl), advertisedPeerUrl: https(peerUrl), initialCluster: https(initialCluster),
        extraArgs: [
          `--cert-file=${cert}`, `--key-file=${key}`, '--client-cert-auth', `--trusted-ca-file=${caFile}`,
          `--peer-cert-file=${cert}`, `--peer-key-file=${key}`, '--peer-client-cert-auth', `--peer-trusted-ca-file=${caFile}`,
        ],
      }));
    }
    cluster = new Cluster(nodes, plain.dir);
    node = cluster.node(2);
    for (const each of nodes) each.start();
    const own = await ca.issue({ cn: 'operator', hosts: [] });
    client = connect({ endpoints: cluster.urls, tls: { ca: ca.pem, cert: own.cert, key: own.key }, timeoutMs: 5_000, maxAttempts: 1 });
    await until('a write to be taken', () => client.put('k', 'v').then(() => true, () => false));
    await serves();
  });

  after(async function () {
    this.timeout(30_000);
    (client as Client | undefined)?.close();
    await (cluster as Cluster | undefined)?.stop('SIGKILL');
  });

  function write(what: 'pem' | 'key' | 'ca', content: string): void {
    writeFileSync(join(cluster.dir, `${node.name}.${what}`), content);
  }

  /** The member answers what a majority of all knows, and so has the others' ears, and they its. */
  async function serves(): Promise<void> {
    const endpoint = node.spec.clientUrl;
    await until(`${node.name} to serve`, () => client.get('k', { endpoint, timeoutMs: 1_000 }).then((found) => Buffer.from(found?.value ?? []).toString() === 'v', () => false));
  }

  /** Of the certificate that it shows. */
  function serial(): Promise<string> {
    return new Promise((resolve, reject) => {
      const { hostname: host, port } = new URL(node.spec.clientUrl);
      const socket = connectTls({ host, port: Number(port), rejectUnauthorized: false }, () => {
        resolve(socket.getPeerCertificate().serialNumber.toLowerCase());
        socket.destroy();
      });
      socket.on('error', reject);
    });
  }

  it('TLS_FILE by giving the file that goes with the others', async () => {
    await node.stop();
    write('key', (await ca.issue()).key);
    await refuses(node, new RegExp(`TLS_FILE.*${node.name}\\.pem`));
    write('ca', 'no certificate');
    await refuses(node, new RegExp(`TLS_FILE.*${node.name}\\.ca`));
    write('key', third.key);
    write('ca', ca.pem);
    node.start();
    await serves();
  });

  it('files of TLS are not used, by finishing the change, or by putting the file back', async () => {
    const ear = new Ear(node);
    const next = await ca.issue({ cn: node.name });
    write('pem', next.cert);
    await ear.hears(/files of TLS are not used/, /do not fit together/);
    assert.equal(await serial(), third.serial);
    write('key', next.key);
    await until('the new certificate to be shown', async () => (await serial()) === next.serial);
    const later = new Ear(node);
    write('pem', 'half of it');
    await later.hears(/files of TLS are not used/, /holds no certificate/);
    write('pem', next.cert);
    await later.hears(/tls-reloaded/);
    assert.equal(await serial(), next.serial);
    await serves();
    third = next;
  });

  it('no TLS with a peer comes about, and a connection was refused by TLS, by the authority that issued the others\' certificates', async () => {
    await node.stop();
    const another = await Authority.create('another');
    write('ca', another.pem);
    const ear = new Ear(node);
    node.start();
    await ear.hears(/no TLS with a peer comes about/, /certificate|issuer/);
    await ear.hears(/a connection was refused by TLS/, /127\.0\.0\.1.*of an authority that is not trusted here/);
    write('ca', ca.pem);
    await serves();
  });

  it('no TLS with a peer comes about, and a connection was refused by TLS, by a certificate for the host, and by one that is valid still', async () => {
    const ears = cluster.nodes.slice(0, 2).map((each) => new Ear(each));
    await node.stop();
    const show = ({ cert, key }: Issued): void => {
      write('pem', cert);
      write('key', key);
    };
    show(await ca.issue({ cn: node.name, hosts: ['10.9.8.7'] }));
    const own = new Ear(node);
    node.start();
    for (const ear of ears) await ear.hears(/no TLS with a peer comes about/, /altnames.*10\.9\.8\.7/);
    // The others hang up.
    await own.hears(/a connection was refused by TLS/);
    show(await ca.issue({ cn: node.name, days: -1 }));
    for (const ear of ears) await ear.hears(/no TLS with a peer comes about/, /expired/);
    show(third);
    await serves();
  });
});
