/**
 * A client port on loopback over a {@link FakeStore}: what clients and commands are tested against.
 */

import { silent } from '../../base/testing/silent.js';
import type { Store } from '../../node/store.js';
import { RpcStats } from '../../observability/rpc-stats.js';
import type { JwtTokens } from '../auth/jwt.js';
import { Passwords } from '../auth/passwords.js';
import { clientPort } from '../rpc/client-server.js';
import { Health } from '../rpc/health-service.js';
import { clientMethods } from '../rpc/services.js';
import type { ClientPort } from '../transport/client-port.js';
import { listenAddress } from '../transport/listen-address.js';
import { FakeStore } from './fake-store.js';

export interface Served {
  readonly store: FakeStore;
  readonly server: ClientPort;
  /** `host:port`. */
  readonly endpoint: string;
}

export async function serve(): Promise<Served> {
  const store = new FakeStore();
  return { store, ...(await serveStore(store)) };
}

/** The same of any store. */
export async function serveStore(store: Store, jwt?: JwtTokens): Promise<Omit<Served, 'store'>> {
  const server = clientPort(clientMethods(store, new Health(), { maxRequestBytes: 1_572_864 }, new Passwords(4), jwt), {
    maxReceiveBytes: 2_097_152, maxConcurrentStreams: 1000, keepaliveIntervalMs: 0, keepaliveTimeoutMs: 20_000,
    store, jwt, stats: new RpcStats(), events: silent,
  });
  return { server, endpoint: `127.0.0.1:${await server.listen(listenAddress('http://127.0.0.1:0'))}` };
}
