import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silent } from '../../base/testing/silent.js';
import { RpcStats } from '../../observability/rpc-stats.js';
import { nodeClock } from '../../server/env/node-env.js';
import { clientPort } from '../../server/rpc/client-server.js';
import { Health } from '../../server/rpc/health-service.js';
import { clientMethods } from '../../server/rpc/services.js';
import { FakeStore } from '../../server/testing/fake-store.js';
import { PortTls } from '../../server/tls/open.js';
import { Authority } from '../../server/tls/testing/authority.js';
import { PLAIN_SETTINGS } from '../../server/tls/testing/plain-settings.js';
import type { ClientPort } from '../../server/transport/client-port.js';
import { listenAddress } from '../../server/transport/listen-address.js';
import { FakeIo } from '../testing/fake-io.js';
import { ctl } from './ctl.js';

describe('kintsugi ctl over TLS', () => {
  let dir: string;
  let server: ClientPort;
  let tls: PortTls;
  let address: string;

  const at = (name: string): string => join(dir, name);

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'kintsugi-ctl-tls-'));
    const [ca, other] = [await Authority.create(), await Authority.create('another')];
    const [own, client] = [await ca.issue(), await ca.issue({ cn: 'alice', hosts: [] })];
    const files = { ca: ca.pem, other: other.pem, cert: own.cert, key: own.key, alice: client.cert, 'alice-key': client.key };
    for (const [name, text] of Object.entries(files)) writeFileSync(at(name), text);
    const settings = { ...PLAIN_SETTINGS, certFile: at('cert'), keyFile: at('key'), caFile: at('ca'), verifies: true };
    tls = await PortTls.open({ settings, clock: nodeClock, events: silent });
    server = clientPort(clientMethods(new FakeStore(), new Health(), { maxRequestBytes: 1_572_864 }), {
      maxReceiveBytes: 2_097_152, maxConcurrentStreams: 1000, keepaliveIntervalMs: 0, keepaliveTimeoutMs: 20_000,
      store: { hasLeader: true }, stats: new RpcStats(), events: silent,
    });
    address = `127.0.0.1:${await server.listen(listenAddress('https://127.0.0.1:0'), tls.server)}`;
  });

  after(() => {
    server.close();
    tls.close();
    rmSync(dir, { recursive: true });
  });

  async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<readonly [number, string]> {
    const io = new FakeIo(env);
    const code = await ctl(['--command-timeout=3s', ...args], io);
    return [code, io.text + io.errors];
  }

  it("takes etcdctl's flags, and its variables, with https:// and without", async () => {
    const flags = ['--cacert', at('ca'), '--cert', at('alice'), '--key', at('alice-key')];
    assert.deepEqual(await run([...flags, '--endpoints', `https://${address}`, 'put', 'a', '1']), [0, 'OK\n']);
    assert.deepEqual(await run([...flags, '--endpoints', address, 'get', 'a']), [0, 'a\n1\n']);
    const env = { ETCDCTL_CACERT: at('ca'), ETCDCTL_CERT: at('alice'), KINTSUGI_KEY: at('alice-key'), ETCDCTL_ENDPOINTS: `https://${address}` };
    assert.deepEqual(await run(['get', 'a'], env), [0, 'a\n1\n']);
    const any = ['--insecure-skip-tls-verify', '--cacert', at('other'), '--cert', at('alice'), '--key', at('alice-key')];
    assert.deepEqual(await run([...any, '--endpoints', address, 'get', 'a']), [0, 'a\n1\n']);
  });

  it('says what is wrong, and what to do', async () => {
    const own = ['--cert', at('alice'), '--key', at('alice-key'), '--endpoints', `https://${address}`];
    const failing: readonly (readonly [readonly string[], number, RegExp])[] = [
      [['--cacert', at('other'), ...own], 1, /is --cacert the authority of the members' certificates\?/],
      [own, 1, /is --cacert the authority/],
      [['--cacert', at('none'), ...own], 2, /--cacert: ENOENT/],
      [['--cacert', at('key'), '--cert', at('alice'), '--endpoints', address], 2, /--cert and --key go together/],
      [['--cert', at('alice'), '--key', at('key'), '--endpoints', address], 2, /do not fit together/],
      [['--endpoints', `http://${address}`], 1, /Error: /],
      [['--cacert', at('ca'), '--endpoints', `https://${address}`], 1, /Error: /],
    ];
    for (const [flags, code, why] of failing) {
      const [got, said] = await run([...flags, 'get', 'a']);
      assert.equal(got, code, said);
      assert.match(said, why);
    }
  });
});
