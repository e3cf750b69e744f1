import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type ClientHttp2Session } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utf8 } from '../../base/bytes.js';
import { silent } from '../../base/testing/silent.js';
import { TestServer } from '../../grpc/testing/test-server.js';
import { DEFAULT_HTTP2_LIMITS } from '../../http2/limits.js';
import { nodeClock } from '../env/node-env.js';
import { PortTls } from '../tls/open.js';
import type { TlsSettings } from '../tls/settings.js';
import { PLAIN_SETTINGS } from '../tls/testing/plain-settings.js';
import { Authority, type Issued } from '../tls/testing/authority.js';
import { ClientPort } from './client-port.js';
import { listenAddress } from './listen-address.js';

describe('who calls', () => {
  let dir: string;
  let ca: Authority;
  let alice: Issued;
  const open: { close(): void }[] = [];

  before(async () => {
    ca = await Authority.create();
    alice = await ca.issue({ cn: 'alice' });
  });
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'kintsugi-cn-'));
  });
  afterEach(() => {
    for (const each of open.splice(0)) each.close();
    rmSync(dir, { recursive: true });
  });

  async function asks(settings: Partial<TlsSettings>, client: Partial<Issued>): Promise<string> {
    const [certFile, keyFile, caFile] = ['cert', 'key', 'ca'].map((name) => join(dir, name)) as [string, string, string];
    for (const [file, text] of [[certFile, alice.cert], [keyFile, alice.key], [caFile, ca.pem]] as const) writeFileSync(file, text);
    const all = { ...PLAIN_SETTINGS, certFile, keyFile, caFile, ...settings };
    const tls = await PortTls.open({ settings: all, clock: nodeClock, events: silent });
    const { grpc } = new TestServer({ '/test/Who': { kind: 'unary', refusable: true, handle: (_, call) => utf8(String(call.clientCommonName)) } });
    const port = new ClientPort({
      handler: grpc, limits: DEFAULT_HTTP2_LIMITS, clock: nodeClock, events: silent, http1: undefined, maxConnections: 10,
    });
    const number = await port.listen(listenAddress('https://127.0.0.1:0'), tls.server);
    const session: ClientHttp2Session = connect(`https://127.0.0.1:${number}`, { ca: ca.pem, ...client });
    open.push(session, port, tls);
    return new Promise((resolve, reject) => {
      session.on('error', reject);
      const stream = session.request({ ':method': 'POST', ':path': '/test/Who', te: 'trailers', 'content-type': 'application/grpc' });
      const parts: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => parts.push(chunk)).on('error', reject);
      stream.on('end', () => resolve(Buffer.concat(parts).subarray(5).toString()));
      stream.end(Buffer.from([0, 0, 0, 0, 0]));
    });
  }

  it('has the common name of the certificate that it has proven to hold, and none unless those name users', async () => {
    assert.equal(await asks({ verifies: true, namesUsers: true }, alice), 'alice');
    assert.equal(await asks({ verifies: true, namesUsers: false }, alice), 'undefined');
    assert.equal(await asks({ verifies: false, namesUsers: true }, alice), 'undefined');
    assert.equal(await asks({ verifies: false, namesUsers: false }, alice), 'undefined');
  });
});
