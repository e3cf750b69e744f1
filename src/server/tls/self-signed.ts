/**
 * `--auto-tls` and `--peer-auto-tls`: a certificate that a member makes for itself, signed by its
 * own key, for the hosts that it listens on and advertises. It lies in `<data-dir>/fixtures/`, as
 * etcd's does, and is used again at the next start unless it has run out or is for other hosts. The
 * key is written first, readable by its owner alone.
 */

import { X509Certificate } from 'node:crypto';
import { promises as fs } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { isFor } from './certificate.js';

export interface OwnCertificate {
  readonly certFile: string;
  readonly keyFile: string;
}

const DAY_MS = 24 * 3_600_000;

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
  const { makeCertificate } = await import('./make-certificate.js');
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
