import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { X509Certificate } from 'node:crypto';
import type { KintsugiEvent } from '../../base/events.js';
import { codeOf } from '../../base/errors.js';
import { nodeClock } from '../env/node-env.js';
import { connectTo } from './client-tls.js';
import { PortTls } from './open.js';
import { revokedSerials } from './revoked.js';
import { hostsOf, ownCertificate } from './self-signed.js';
import { MAX_HANDSHAKES } from './hello-gate.js';
import type { TlsSettings } from './settings.js';
import { PLAIN_SETTINGS } from './testing/plain-settings.js';
import { Authority, type Issued } from './testing/authority.js';

/** One value, its length in three bytes. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, 0x83, content.length >> 16, (content.length >> 8) & 255, content.length & 255]), content]);
}

describe('TLS of a port', () => {
  let dir: string;
  let ca: Authority;
  let other: Authority;
  let server: Issued;
  let good: Issued;
  let tls: PortTls;
  let port: number;
  let listening: Server;
  let inside: TLSSocket[] = [];
  /** Who is in stays. */
  let holds = false;
  const events: KintsugiEvent[] = [];
  const sockets: Socket[] = [];

  before(async () => {
    [ca, other] = [await Authority.create(), await Authority.create('another CA')];
    [server, good] = [await ca.issue({ cn: 'server' }), await ca.issue({ cn: 'alice', hosts: ['client.test'] })];
  });

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'kintsugi-tls-'));
    inside = [];
    holds = false;
    events.length = 0;
  });

  afterEach(() => {
    for (const socket of [...sockets.splice(0), ...inside]) socket.destroy();
    tls.close();
    listening.close();
    rmSync(dir, { recursive: true });
  });

  function file(name: string, content: string | Buffer): string {
    writeFileSync(join(dir, name), content);
    return join(dir, name);
  }

  async function open(more: Partial<TlsSettings> = {}, protocols = ['h2', 'http/1.1']): Promise<void> {
    tls = await PortTls.open({
      settings: {
        ...PLAIN_SETTINGS, certFile: file('cert', server.cert), keyFile: file('key', server.key), caFile: file('ca', ca.pem), verifies: true, ...more,
      },
      clock: nodeClock, events: { emit: (event) => void events.push(event) },
    });
    listening = tls.server.server({ handshakeMs: 5_000, allowHalfOpen: true, protocols }, (socket) => {
      inside.push(socket);
      if (holds) socket.write('in');
      else socket.end('in');
    });
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
    port = (listening.address() as { port: number }).port;
  }

  /** What a client is told: `in`, or nothing. */
  function says(client: Partial<Issued> | undefined, options: ConnectionOptions = {}): Promise<string> {
    const socket = connectTls({
      port, host: '127.0.0.1', ca: ca.pem, ALPNProtocols: ['h2'], ...(client === undefined ? {} : { cert: client.cert, key: client.key }), ...options,
    });
    return said(socket);
  }

  function said(socket: Socket): Promise<string> {
    sockets.push(socket);
    let text = '';
    return new Promise((resolve) => {
      socket.on('error', () => undefined).on('data', (chunk: Buffer) => (text += chunk.toString())).on('close', () => resolve(text));
    });
  }

  const why = (): string => events.map((event) => (event.type === 'warning' ? String(event.data['why']) : event.type)).join('; ');

  it('lets in who shows a certificate of the authority, and nobody else', async () => {
    await open();
    assert.equal(await says(good), 'in');
    assert.equal(await says(undefined), '');
    assert.match(why(), /it shows no certificate/);
    assert.equal(await says(await other.issue()), '', 'of another authority');
    assert.equal(await says(await ca.issue({ days: -1 })), '', 'expired');
    assert.equal(inside.length, 1);
  });

  it('says of whom it refuses why, and where that one is', async () => {
    await open();
    assert.equal(await says(await other.issue()), '', 'of another authority');
    assert.match(why(), /authority|issuer|UNABLE_TO/i);
    assert.equal(await says(await ca.issue({ days: -1 })), '', 'expired');
    assert.match(why(), /expired/i);
    for (const event of events) if (event.type === 'warning') assert.equal(event.data['from'], '127.0.0.1');
  });

  it('asks nobody for a certificate unless it is told to', async () => {
    await open({ verifies: false, caFile: '' });
    assert.equal(await says(undefined), 'in');
  });

  it('GHSA-3wh4: who is revoked is not let in, also when it resumes a session, and is thrown out when it was in before', async () => {
    const crl = file('crl', await ca.revoke(['77']));
    await open({ crlFile: crl });
    const bob = await ca.issue({ cn: 'bob' });
    holds = true;
    let session: Buffer | undefined;
    const first = connectTls({ port, host: '127.0.0.1', ca: ca.pem, cert: bob.cert, key: bob.key });
    const gone = said(first.on('session', (ticket) => (session = ticket)));
    const staying = said(connectTls({ port, host: '127.0.0.1', ca: ca.pem, cert: good.cert, key: good.key }));

    while (inside.length < 2 || session === undefined) await new Promise((resolve) => setImmediate(resolve));
    file('crl', await ca.revoke(['77', bob.serial]));
    await tls.reload();
    assert.equal(await gone, 'in');
    assert.equal(sockets.filter((socket) => !socket.destroyed).length, 1, 'alice stays');
    holds = false;
    assert.equal(await says(bob), '');
    assert.equal(await says(bob, { session }), '');
    assert.match(why(), new RegExp(`revoked: serial number ${bob.serial.replace(/^0+/, '')}`));
    for (const socket of sockets) socket.destroy();
    await staying;
    // PEM says the same, and a list that is no list changes nothing.
    file('crl', `-----BEGIN X509 CRL-----\n${(await ca.revoke([good.serial])).toString('base64')}\n-----END X509 CRL-----\n`);
    await tls.reload();
    assert.deepEqual([await says(good), await says(bob)], ['', 'in']);
    file('crl', 'nonsense');
    await tls.reload();
    assert.deepEqual([await says(good), await says(bob)], ['', 'in']);
    assert.match(why(), /not a revocation list/);
  });

  it('goes by names that are allowed: a common name, or a host in the SAN', async () => {
    await open({ allowedNames: ['alice', 'carol'] });
    assert.deepEqual([await says(good), await says(server)], ['in', '']);
    assert.match(why(), /the common name "server" is not allowed/);
    tls.close();
    listening.close();
    await open({ allowedHosts: ['client.test'] });
    assert.deepEqual([await says(good), await says(await ca.issue({ cn: 'client.test' }))], ['in', '']);
    assert.match(why(), /for none of the hosts that are allowed/);
  });

  it('a new certificate and authority are shown and taken without a restart; what does not fit together is not', async () => {
    await open();
    const serial = (): Promise<string> => new Promise((resolve) => {
      const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, cert: good.cert, key: good.key });
      sockets.push(socket);
      socket.on('error', () => undefined).on('secureConnect', () => resolve((socket.getPeerX509Certificate() as X509Certificate).serialNumber));
    });
    assert.equal(await serial(), server.serial.toUpperCase());
    const next = await other.issue();
    file('cert', next.cert);
    await tls.reload();
    assert.match(why(), /do not fit together/);
    assert.equal(await serial(), server.serial.toUpperCase(), 'a certificate without its key is not used');
    file('key', next.key);
    file('ca', ca.pem + other.pem);
    await tls.reload();
    assert.equal(events.at(-1)?.type, 'tls-reloaded');
    assert.equal(await serial(), next.serial.toUpperCase());
    assert.equal(await says(await other.issue(), { ca: other.pem }), 'in');
    rmSync(join(dir, 'cert'));
    await tls.reload();
    assert.equal(await serial(), next.serial.toUpperCase(), 'nor is one that is gone');
  });

  it('whoever speaks no TLS is told nothing and costs nothing; handshakes without end are bounded (GHSA-6vch)', async () => {
    await open({ verifies: false, caFile: '' });
    const plain = connect(port, '127.0.0.1');
    plain.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    await said(plain.resume());
    assert.match(why(), /it does not speak TLS, which is wanted here/);
    let closed = 0;
    const open2 = (): Promise<void> => new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.write(Buffer.from([0x16, 3, 1, 0, 200]));
        resolve();
      });
      sockets.push(socket.on('error', () => undefined).on('close', () => closed++));
    });
    for (let i = 0; i < MAX_HANDSHAKES + 20; i++) await open2();
    assert.equal(await says(undefined), 'in', 'who comes to an end finds room');
    while (closed < 20) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(closed, 21);
  });

  it('what is connected to must be of the authority, for the host, not revoked, and of a name that is allowed', async () => {
    await open({ verifies: false });
    const client = (more: Partial<TlsSettings>): Promise<PortTls> =>
      PortTls.open({ settings: { ...PLAIN_SETTINGS, caFile: join(dir, 'ca'), ...more }, clock: nodeClock, events: { emit: () => undefined } });
    const reach = async (host: string, more: Partial<TlsSettings>): Promise<string> => {
      const own = await client(more);
      own.close();
      return new Promise((resolve) => {
        const socket = connectTo(`${host}:${port}`, own.client).on('error', (error) => resolve(error.message)).on('secureConnect', () => resolve('in'));
        sockets.push(socket);
      });
    };
    assert.equal(await reach('127.0.0.1', {}), 'in');
    assert.match(await reach('127.0.0.1', { caFile: file('other', other.pem) }), /unable to verify|self.signed|issuer/);
    assert.match(await reach('127.0.0.1', { crlFile: file('crl2', await ca.revoke([server.serial])) }), /is revoked/);
    assert.match(await reach('127.0.0.1', { allowedNames: ['alice'] }), /"server" is not allowed/);
    assert.equal(await reach('127.0.0.1', { caFile: '', trustsAll: true }), 'in');
    server = await ca.issue({ cn: 'server', hosts: ['elsewhere.test'] });
    file('cert', server.cert);
    file('key', server.key);
    await tls.reload();
    assert.match(await reach('127.0.0.1', {}), /does not match certificate's altnames/);
  });

  it('a file that is missing, empty or of another kind is refused at the start, by its name', async () => {
    await open();
    const failing = (more: Partial<TlsSettings>): Promise<unknown> => {
      const settings = { ...PLAIN_SETTINGS, certFile: join(dir, 'cert'), keyFile: join(dir, 'key'), ...more };
      return PortTls.open({ settings, clock: nodeClock, events: { emit: () => undefined } }).then(() => undefined, (error: unknown) => {
        assert.equal(codeOf(error), 'TLS_FILE');
        return String(error);
      });
    };
    assert.match(String(await failing({ certFile: join(dir, 'none') })), /none: ENOENT/);
    assert.match(String(await failing({ certFile: file('empty', '') })), /empty: it holds no certificate/);
    assert.match(String(await failing({ keyFile: file('k', good.key) })), /do not fit together/);
    assert.match(String(await failing({ caFile: file('c', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n') })), /does not parse/);
    assert.match(String(await failing({ crlFile: file('l', 'x') })), /not a revocation list/);
  });

  it('a client of TLS on a plain port hears of it, and is gone', async () => {
    await open();
    const plain: Server = createServer((socket) => socket.on('error', () => undefined).end('what?\r\n'));
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
    const error = await new Promise<Error>((resolve) =>
      connectTo(`127.0.0.1:${(plain.address() as { port: number }).port}`, tls.client).on('error', resolve));
    assert.match(error.message, /wrong version number|packet length/i);
    plain.close();
  });

  it('a member makes a certificate for its own hosts, and keeps it while it is good', async () => {
    await open();
    const urls = ['https://127.0.0.1:1', 'https://[::]:2', 'unix:///x', 'http://name.test:3'];
    const own = await ownCertificate(join(dir, 'own'), hostsOf(urls), 30);
    assert.equal(statSync(own.keyFile).mode & 0o777, 0o600);
    const again = await ownCertificate(join(dir, 'own'), hostsOf(urls), 30);
    const made = statSync(own.certFile).mtimeMs;
    assert.equal(statSync(again.certFile).mtimeMs, made);
    await ownCertificate(join(dir, 'own'), ['other.test'], 30);
    assert.notEqual(statSync(own.certFile).mtimeMs, made);
    tls.close();
    listening.close();
    await open({ ...own, caFile: '', verifies: false });
    assert.equal(await says(undefined, { rejectUnauthorized: false }), 'in');
  });

  it('a revocation list is read whole or not at all', async () => {
    await open();
    // Version, algorithm, issuer, the time, and entries: an integer and a time.
    const time = der(0x17, Buffer.from('260101000000Z'));
    const entries = Array.from({ length: 9_000 }, (_, i) => der(0x30, der(0x02, Buffer.from([0, 0x80 | (i >> 8), i & 255])), time));
    const list = der(0x30, der(0x30, der(0x02, Buffer.from([1])), der(0x30), der(0x30), time, der(0x30, ...entries)), der(0x30));
    const serials = await revokedSerials(list);
    assert.deepEqual([serials.size, serials.has('8000'), serials.has('a327'), serials.has('a328')], [9_000, true, true, false]);
    assert.deepEqual([...await revokedSerials(await ca.revoke(['0a1b', '77']))], ['a1b', '77']);
    for (const cut of [0, 1, 10, 200, list.length - 200]) {
      await assert.rejects(revokedSerials(list.subarray(0, cut)), (error) => codeOf(error) === 'CODEC', String(cut));
    }
  });
});
