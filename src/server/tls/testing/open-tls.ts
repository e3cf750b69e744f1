/** TLS of a server from PEM texts, for tests: its files are there for a moment. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silent } from '../../../base/testing/silent.js';
import { nodeClock } from '../../env/node-env.js';
import { TlsMaterial } from '../material.js';
import { ServerTls } from '../server-tls.js';
import { PLAIN_SETTINGS } from './plain-settings.js';

export async function openTls({ cert, key }: { readonly cert: string; readonly key: string }): Promise<ServerTls> {
  const dir = mkdtempSync(join(tmpdir(), 'kintsugi-tls-'));
  try {
    const [certFile, keyFile] = [join(dir, 'cert.pem'), join(dir, 'key.pem')];
    writeFileSync(certFile, cert);
    writeFileSync(keyFile, key);
    const material = await TlsMaterial.open({ ...PLAIN_SETTINGS, certFile, keyFile }, nodeClock, silent);
    material.close();
    return new ServerTls(material, nodeClock, silent);
  } finally {
    rmSync(dir, { recursive: true });
  }
}
