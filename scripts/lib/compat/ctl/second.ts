/**
 * A second cluster of the same binary, of one member: what make-mirror writes to, what speaks TLS
 * with certificates of an authority, and what has a quota that can be reached.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../../../src/server/free-ports.js';
import { Authority } from '../../../../src/server/tls/testing/authority.js';
import type { Binary } from '../../binary.js';
import { Cluster, workDir } from '../../cluster.js';

const QUOTA_BYTES = 32 * 1024 * 1024;

export interface Second {
  readonly cluster: Cluster;
  /** In plain text. */
  readonly url: string;
  /** With TLS, and a client's certificate asked for. */
  readonly tlsUrl: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** Of an authority that is not the server's. */
  readonly otherCa: string;
  readonly otherCert: string;
  readonly otherKey: string;
  /** Hosts and files by names that are the same for every cluster. */
  readonly names: readonly (readonly [string, string])[];
}

export async function startSecond(binary: Binary, dir: string): Promise<Second> {
  const [plainPort = 0, tlsPort = 0, peerPort = 0, metricsPort = 0] = await freePorts(4);
  const [url, tlsUrl] = [`http://127.0.0.1:${plainPort}`, `https://127.0.0.1:${tlsPort}`];
  const at = workDir(dir);
  const [caFile, certFile, keyFile] = ['ca.pem', 'server.pem', 'server.key'].map((name) => join(at, name)) as [string, string, string];
  const cluster = await Cluster.create({
    binary, dir, size: 1, ports: [plainPort, peerPort, metricsPort],
    extraArgs: [
      `--listen-client-urls=${url},${tlsUrl}`, `--advertise-client-urls=${url},${tlsUrl}`, `--cert-file=${certFile}`, `--key-file=${keyFile}`,
      '--client-cert-auth=true', `--trusted-ca-file=${caFile}`, `--quota-backend-bytes=${QUOTA_BYTES}`,
    ],
  });
  const put = (name: string, text: string): string => {
    writeFileSync(join(at, name), text);
    return join(at, name);
  };
  const [ca, other] = await Promise.all([Authority.create(), Authority.create('another CA')]);
  const [server, client, stranger] = await Promise.all([ca.issue({ cn: 'server' }), ca.issue({ cn: 'client' }), other.issue({ cn: 'stranger' })]);
  put('ca.pem', ca.pem);
  put('server.pem', server.cert);
  put('server.key', server.key);
  await cluster.start();
  return {
    cluster, url, tlsUrl, ca: caFile, cert: put('client.pem', client.cert), key: put('client.key', client.key),
    otherCa: put('other-ca.pem', other.pem), otherCert: put('other.pem', stranger.cert), otherKey: put('other.key', stranger.key),
    names: [[`127.0.0.1:${plainPort}`, 'second'], [`127.0.0.1:${tlsPort}`, 'second-tls'], [`127.0.0.1:${peerPort}`, 'second-peer']],
  };
}
