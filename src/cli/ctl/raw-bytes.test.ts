import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { silent } from '../../base/testing/silent.js';
import { RpcStats } from '../../observability/rpc-stats.js';
import { clientPort } from '../../server/rpc/client-server.js';
import { Health } from '../../server/rpc/health-service.js';
import { clientMethods } from '../../server/rpc/services.js';
import { FakeStore } from '../../server/testing/fake-store.js';
import type { ClientPort } from '../../server/transport/client-port.js';
import { listenAddress } from '../../server/transport/listen-address.js';

const MAIN = fileURLToPath(new URL(`../main.${import.meta.url.split('.').at(-1)}`, import.meta.url));
const run = promisify(execFile);

/** Through a shell, as Node gives no bytes to a process that are not UTF-8. */
describe('kintsugi ctl as a process', function () {
  this.timeout(60_000);
  let server: ClientPort;
  let endpoint: string;

  before(async () => {
    const store = new FakeStore();
    server = clientPort(clientMethods(store, new Health(), { maxRequestBytes: 1_572_864 }), {
      maxReceiveBytes: 2_097_152, maxConcurrentStreams: 1000, keepaliveIntervalMs: 0, keepaliveTimeoutMs: 20_000,
      store, stats: new RpcStats(), events: silent,
    });
    endpoint = `127.0.0.1:${await server.listen(listenAddress('http://127.0.0.1:0'))}`;
  });

  after(() => server.drain(100));

  /** `script`: with `ctl` for the command. Standard output, byte for byte. */
  async function shell(script: string): Promise<string> {
    const env = { ...process.env, KINTSUGI_ENDPOINTS: endpoint, NODE: process.execPath, MAIN };
    const { stdout } = await run('sh', ['-c', `ctl() { "$NODE" --import tsx "$MAIN" ctl "$@"; }\n${script}`], { env, encoding: 'latin1' });
    return stdout;
  }

  it('keeps keys and values that are not UTF-8, as arguments and from standard input', async function () {
    // Elsewhere the system does not tell a process the bytes of its arguments.
    if (process.platform !== 'linux') this.skip();
    const out = await shell(`
      ctl put "$(printf 'k\\377')" "$(printf '\\303\\050\\200 \\303\\251 \\357\\277\\275')"
      printf '\\376\\n\\000' | ctl put "$(printf 'k\\376')"
      ctl get k --prefix`);
    assert.equal(out, 'OK\nOK\nk\xfe\n\xfe\n\x00\nk\xff\n\xc3\x28\x80 \xc3\xa9 \xef\xbf\xbd\n');
  });

  it('keeps them in a txn, raw, quoted and escaped', async () => {
    const out = await shell(`
      printf '\\nput t/\\377 "\\376 x"\\nput "t/\\\\xfd" "\\\\xfb"\\n\\n\\n' | ctl txn
      printf 'val("t/\\377") = "\\376 x"\\nval("t/\\\\xfd") = "\\\\xfb"\\n\\nget t/ --prefix\\n\\n\\n' | ctl txn`);
    assert.equal(out, 'SUCCESS\n\nOK\n\nOK\nSUCCESS\n\nt/\xfd\n\xfb\nt/\xff\n\xfe x\n');
  });
});
