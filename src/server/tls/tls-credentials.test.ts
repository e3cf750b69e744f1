import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createSecureServer, type Http2SecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { checkServerIdentity, createSecureContext, type TLSSocket } from 'node:tls';
import { Client } from '@grpc/grpc-js';
import { TlsCredentials } from '../../dial/tls-credentials.js';
import { Authority } from './testing/authority.js';

describe('TLS of gRPC clients', () => {
  let ca: Authority;
  let server: Http2SecureServer;
  let named: (string | false | null)[];
  const warned: string[] = [];
  const onWarning = (warning: Error & { code?: string }): void => void warned.push(warning.code ?? warning.name);

  before(async () => {
    ca = await Authority.create();
    process.on('warning', onWarning);
  });
  after(() => process.off('warning', onWarning));
  afterEach(() => server.close());

  /** Serves with a certificate for these; the port. */
  async function serve(hosts: readonly string[], host: string): Promise<number> {
    const { cert, key } = await ca.issue({ hosts });
    named = [];
    server = createSecureServer({ cert, key }).on('secureConnection', (socket: TLSSocket) => named.push(socket.servername));
    server.listen(0, host);
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  /** Undefined: it was connected to. */
  async function connectTo(target: string, verify = checkServerIdentity): Promise<string | undefined> {
    const context = createSecureContext({ ca: ca.pem });
    const client = new Client(target, new TlsCredentials(context, { checkServerIdentity: verify }), { 'grpc.use_local_subchannel_pool': 1, 'grpc.enable_http_proxy': 0 });
    const refused = new Promise<string>((resolve) => {
      client.makeUnaryRequest('/a/b', (bytes: Buffer) => bytes, (bytes: Buffer) => bytes, Buffer.alloc(0), (error) => resolve(error?.details ?? ''));
    });
    const ready = new Promise<undefined>((resolve) => client.waitForReady(Infinity, (error) => error ?? resolve(undefined)));
    try {
      return await Promise.race([ready, refused]);
    } finally {
      client.close();
    }
  }

  it('an address is verified as one, and named in no handshake, so that Node warns of nothing', async () => {
    const port = await serve(['127.0.0.1'], '127.0.0.1');
    assert.equal(await connectTo(`127.0.0.1:${port}`), undefined);
    assert.deepEqual(named, [false]);
    assert.deepEqual(warned, []);
    const asked: string[] = [];
    await connectTo(`127.0.0.1:${port}`, (host, certificate) => {
      asked.push(host);
      return checkServerIdentity(host, certificate);
    });
    assert.deepEqual(asked, ['127.0.0.1']);
  });

  it('an address that the certificate is not for is refused, whatever names it has', async () => {
    const port = await serve(['localhost', '127.0.0.2'], '127.0.0.1');
    assert.match(String(await connectTo(`127.0.0.1:${port}`)), /127\.0\.0\.1 is not in the cert's list/);
    assert.deepEqual(warned, []);
  });

  it('a name is verified and named in the handshake', async () => {
    const port = await serve(['localhost'], 'localhost');
    assert.equal(await connectTo(`localhost:${port}`), undefined);
    assert.deepEqual(named, ['localhost']);
    server.close();
    const other = await serve(['127.0.0.1'], 'localhost');
    assert.match(String(await connectTo(`localhost:${other}`)), /not (in|match).*cert/i);
  });
});
