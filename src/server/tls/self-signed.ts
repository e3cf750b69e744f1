/**
 * `--auto-tls` and `--peer-auto-tls`: a certificate that a member makes for itself, signed by its
 * own key, for the hosts that it listens on and advertises. It lies in `<data-dir>/fixtures/`, as
 * etcd's does, and is used again at the next start unless it has run out or is for other hosts. The
 * key is written first, readable by its owner alone.
 */

import { randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { promises as fs } from 'node:fs';
import { hostname } from 'node:os';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { isFor } from './certificate.js';

export interface OwnCertificate {
  readonly certFile: string;
  readonly keyFile: string;
}

const DAY_MS = 24 * 3_600_000;
const KEY = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** Wherever a server listens that names no address. */
const EVERYWHERE = new Set(['0.0.0.0', '::']);

/** The hosts of URLs, each once; a URL that names none stands for this machine. */
export function hostsOf(urls: readonly string[]): readonly string[] {
  const named = urls.filter((url) => /^https?:/.test(url)).map((url) => new URL(url).hostname.replace(/^\[|\]$/g, ''));
  return [...new Set(named.flatMap((host) => (EVERYWHERE.has(host) ? ['localhost', '127.0.0.1', '::1', hostname()] : [host])))];
}

/** Makes it where it is not there; rejects as the file system does. */
export async function ownCertificate(dir: string, hosts: readonly string[], days: number): Promise<OwnCertificate> {
  const files = { certFile: join(dir, 'cert.pem'), keyFile: join(dir, 'key.pem') };
  if (await isGood(files, hosts)) return files;
  const { cert, key } = await makeCertificate(hosts, days);
  await fs.mkdir(dir, { recursive: true, mode: 0o700 });
  await fs.writeFile(files.keyFile, key, { mode: 0o600 });
  await fs.writeFile(files.certFile, cert);
  return files;
}

async function isGood({ certFile, keyFile }: OwnCertificate, hosts: readonly string[]): Promise<boolean> {
  try {
    await fs.access(keyFile);
    const certificate = new X509Certificate(await fs.readFile(certFile));
    return Date.parse(certificate.validTo) > Date.now() + DAY_MS && hosts.every((host) => isFor(certificate, host));
  } catch {
    return false;
  }
}

async function makeCertificate(hosts: readonly string[], days: number): Promise<{ cert: string; key: string }> {
  // Loaded by those who want it: it takes a tenth of a second.
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  const usages = x509.KeyUsageFlags;
  const keys = await webcrypto.subtle.generateKey(KEY, true, ['sign', 'verify']);
  const now = Date.now();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: `01${randomBytes(15).toString('hex')}`,
    name: 'O=kintsugi',
    notBefore: new Date(now - DAY_MS),
    notAfter: new Date(now + days * DAY_MS),
    signingAlgorithm: KEY,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(usages.digitalSignature | usages.keyEncipherment | usages.keyCertSign),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension(hosts.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value }))),
    ],
  }, webcrypto);
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  return { cert: `${certificate.toString('pem')}\n`, key: pem('PRIVATE KEY', key) };
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
