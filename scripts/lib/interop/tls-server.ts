/** The client port over TLS as it ships, above a store in memory: members have no flags for it. */

import { silent } from '../../../src/base/testing/silent.js';
import { RpcStats } from '../../../src/observability/rpc-stats.js';
import { clientPort } from '../../../src/server/rpc/client-server.js';
import { Health } from '../../../src/server/rpc/health-service.js';
import { clientMethods } from '../../../src/server/rpc/services.js';
import { FakeStore } from '../../../src/server/testing/fake-store.js';
import type { ClientPort } from '../../../src/server/transport/client-port.js';
import { listenAddress } from '../../../src/server/transport/listen-address.js';
import { openTls } from '../../../src/server/tls/testing/open-tls.js';
import { TEST_LEAF, TEST_LEAF_KEY } from '../../../src/server/transport/testing/test-chain.js';

const MAX_REQUEST_BYTES = 1_572_864;

export interface TlsServer {
  readonly port: ClientPort;
  readonly url: string;
}

export async function startTlsServer(): Promise<TlsServer> {
  const store = new FakeStore();
  const port = clientPort(clientMethods(store, new Health(), { maxRequestBytes: MAX_REQUEST_BYTES }), {
    maxReceiveBytes: MAX_REQUEST_BYTES + 524_288, maxConcurrentStreams: 1_000, keepaliveIntervalMs: 0, keepaliveTimeoutMs: 20_000,
    store, stats: new RpcStats(), events: silent,
  });
  const bound = await port.listen(listenAddress('http://127.0.0.1:0'), await openTls({ cert: TEST_LEAF, key: TEST_LEAF_KEY }));
  return { port, url: `https://127.0.0.1:${bound}` };
}
