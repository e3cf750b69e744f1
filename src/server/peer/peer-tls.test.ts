import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { fromUtf8, utf8 } from '../../base/bytes.js';
import type { NetworkHandler } from '../../base/env.js';
import type { KintsugiEvent } from '../../base/events.js';
import { silent } from '../../base/testing/silent.js';
import { encodeDescription } from '../../replica/state/description.js';
import { staticMembers } from '../../replica/state/members.js';
import { nodeClock, NodeRandom } from '../env/node-env.js';
import { freePorts } from '../free-ports.js';
import { identityOf } from '../join.js';
import type { NodeConfig } from '../options/config.js';
import { PeerNetwork } from '../peer-network.js';
import { PortTls } from '../tls/open.js';
import type { TlsSettings } from '../tls/settings.js';
import { PLAIN_SETTINGS } from '../tls/testing/plain-settings.js';
import { Authority, type Issued } from '../tls/testing/authority.js';

class Heard implements NetworkHandler {
  readonly frames: string[] = [];
  #wake: (() => void) | undefined;
  onFrame(from: number, frame: Uint8Array): void {
    this.frames.push(`${from}:${fromUtf8(frame)}`);
    this.#wake?.();
  }
  onCall(from: number, method: string, request: Uint8Array): Promise<Uint8Array> {
    const members = staticMembers([{ id: 2, name: 'b', peerUrls: ['https://own.test:9'] }]);
    if (from === 0) return Promise.resolve(encodeDescription({ clusterId: 7n, members }));
    return Promise.resolve(utf8(`${from} ${method} ${fromUtf8(request)}`));
  }
  onDisconnect(): void { /* nobody asks */ }
  onRemoved(): void { /* nobody asks */ }
  async frame(): Promise<string> {
    while (this.frames.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.frames.shift() as string;
  }
}

describe('peers over TLS', () => {
  let dir: string;
  let ca: Authority;
  const nets: PeerNetwork[] = [];
  const events: KintsugiEvent[] = [];
  let urls: readonly [string, string];

  before(async () => {
    ca = await Authority.create();
  });

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'kintsugi-peer-tls-'));
    const [a, b] = await freePorts(2);
    urls = [`https://127.0.0.1:${a}`, `https://localhost:${b}`];
  });

  afterEach(async () => {
    for (const net of nets.splice(0)) await net.stop();
    events.length = 0;
    rmSync(dir, { recursive: true });
  });

  function open(name: string, { cert, key }: Issued, more: Partial<TlsSettings> = {}): Promise<PortTls> {
    const files = { certFile: join(dir, `${name}.cert`), keyFile: join(dir, `${name}.key`), caFile: join(dir, 'ca') };
    for (const [file, content] of [[files.certFile, cert], [files.keyFile, key], [files.caFile,
    ca.pem]] as const) writeFileSync(file, content);
    const settings = { ...PLAIN_SETTINGS, ...files, verifies: true, ...more };
    return PortTls.open({ settings, clock: nodeClock, events: { emit: (event) => void events.push(event) } });
  }

  async function start(self: 1 | 2, tls: PortTls, skipsSan = false): Promise<[PeerNetwork, Heard]> {
    const heard = new Heard();
    const net = new PeerNetwork({
      self, clusterId: 7n, peers: new Map([[3 - self, urls[2 - self] as string]]),
      listen: [(urls[self - 1] as string).replace('localhost', '127.0.0.1')], clock: nodeClock, random: new NodeRandom(), events: { emit: (event) => void events.push(event) }, tls, skipsSan,
    });
    nets.push(net);
    await net.start(heard);
    return [net, heard];
  }

  async function until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise((resolve) => setImmediate(resolve));
  }

  const told = (pattern: RegExp): Promise<void> =>
    until(() => events.some((event) => event.type === 'warning' && pattern.test(String(event.data['why']))));

  it('frames and calls go both ways between members that show their own certificates', async () => {
    const [a] = await start(1, await open('a', await ca.issue({ hosts: ['127.0.0.1'] })));
    const tls = await open('b', await ca.issue({ hosts: ['localhost'] }));
    const [b, heard] = await start(2, tls);
    await until(() => a.isUp(2) && b.isUp(1));
    a.send(2, utf8('hello'));
    assert.equal(await heard.frame(), '1:hello');
    assert.equal(fromUtf8(await b.call(1, 'ask', utf8('x'), 5_000)), '2 ask x');
    // Another certificate, and calls go by it, while the streams stay.
    const next = await ca.issue({ hosts: ['localhost'] });
    writeFileSync(join(dir, 'b.cert'), next.cert);
    writeFileSync(join(dir, 'b.key'), next.key);
    await tls.reload();
    assert.equal(fromUtf8(await b.call(1, 'ask', utf8('y'), 5_000)), '2 ask y');
    assert.equal(b.isUp(1), true);
  });

  it('who joins learns of the cluster by TLS too', async () => {
    await start(2, await open('b', await ca.issue({ hosts: ['localhost'] })));
    const own = await open('own', await ca.issue({ hosts: ['own.test'] }));
    const config = {
      name: 'own', memberId: 5, clusterId: 5n, existing: true,
      members: [{ id: 100, name: 'b', peerUrls: [urls[1]] }, { id: 5, name: 'own', peerUrls: ['https://own.test:9'] }],
    } as unknown as NodeConfig;
    assert.equal((await identityOf(config, new MemoryDisk(), own.client)).self, 2);
    own.close();
  });

  it('a member\'s certificate is for where that member is found: another one\'s is refused', async () => {
    const stolen = await ca.issue({ hosts: ['127.0.0.1'] });
    const [a, heard] = await start(1, await open('a', stolen));
    const [b] = await start(2, await open('b', stolen));
    await told(/its certificate is not for localhost/);
    // It is not let in, nor does the other side believe it.
    await told(/does not match certificate's altnames/);
    await assert.rejects(b.call(1, 'ask', utf8('x'), 5_000), /its certificate is not for localhost|no connection/);
    assert.deepEqual([a.isUp(2), b.isUp(1), heard.frames], [false, false, []]);
    events.length = 0;
    for (const net of nets.splice(0)) await net.stop();
    await start(1, await open('a', stolen), true);
    const [again] = await start(2, await open('b', stolen), true);
    await until(() => again.isUp(1));
  });

  it('a common name that is not allowed, a revoked certificate, and none at all come in by no path', async () => {
    const revoked = await ca.issue({ cn: 'member', hosts: ['localhost'] });
    writeFileSync(join(dir, 'crl'), await ca.revoke([revoked.serial]));
    const own = await ca.issue({ cn: 'member', hosts: ['127.0.0.1'] });
    const [a] = await start(1, await open('a', own, { allowedNames: ['member'], crlFile: join(dir, 'crl') }));
    const refuses = async (tls: PortTls, why: RegExp): Promise<void> => {
      events.length = 0;
      const [b] = await start(2, tls);
      await told(why);
      await assert.rejects(b.call(1, 'ask', utf8('x'), 500));
      assert.equal(b.isUp(1), false);
      await nets.pop()?.stop();
    };
    await refuses(await open('b', await ca.issue({ cn: 'stranger', hosts: ['localhost'] })), /"stranger" is not allowed/);
    await refuses(await open('b', revoked), /is revoked/);
    await refuses(await open('b', await ca.issue({ cn: 'member', hosts: ['localhost'], days: -1 })), /expired|certificate/i);
    const bare = PortTls.open({ settings: { ...PLAIN_SETTINGS, caFile: join(dir, 'ca') }, clock: nodeClock, events: silent });
    const net = new PeerNetwork({
      self: 2, clusterId: 7n, peers: new Map([[1, urls[0]]]), listen: [], clock: nodeClock, random: new NodeRandom(),
      events: silent, tls: await bare,
    });
    nets.push(net);
    events.length = 0;
    await net.start(new Heard());
    await told(/shows no certificate/);
    assert.equal(a.isUp(2), false);
  });

  it('certificates that members make for themselves encrypt, and are asked of nobody', async () => {
    const own = (name: string): Promise<PortTls> => PortTls.open({
      settings: { ...PLAIN_SETTINGS, trustsAll: true }, own: { dir: join(dir, name), urls, days: 30 }, clock: nodeClock, events: silent,
    });
    await start(1, await own('a'));
    const [b] = await start(2, await own('b'));
    await until(() => b.isUp(1));
    assert.equal(fromUtf8(await b.call(1, 'ask', utf8('x'), 5_000)), '2 ask x');
  });
});
