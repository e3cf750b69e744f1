/** Clients that ask for pages without end, or do not read them, on both ports that serve them. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { setImmediate as turn } from 'node:timers/promises';
import { MiB } from '../base/bytes.js';
import type { NodeStatus } from '../node/store.js';
import { Metrics } from '../observability/metrics.js';
import { RpcStats } from '../observability/rpc-stats.js';
import { listenHttp, OpsPages, opsServer } from './ops-http.js';
import { PageReaders } from './page-readers.js';
import { clientPort } from './rpc/client-server.js';
import { Health } from './rpc/health-service.js';
import { FakeStore } from './testing/fake-store.js';
import type { ClientPort } from './transport/client-port.js';
import { listenAddress } from './transport/listen-address.js';

const TABLES = 2_000;
const LIMITS = { requests: 8, perConnection: 4, bytes: 64 * MiB };

/** Its status is a page that no buffer of the system holds. */
class LargeStore extends FakeStore {
  asked = 0;

  override status(): NodeStatus {
    this.asked++;
    const status = super.status();
    const [table] = status.manifest.tables;
    assert.ok(table);
    return { ...status, manifest: { tables: Array.from({ length: TABLES }, (_, id) => ({ ...table, id, digest: 'd'.repeat(8_000) })) } };
  }
}

for (const door of ['the metrics port', 'the client port'] as const) {
  describe(`pages on ${door}`, () => {
    const sockets: Socket[] = [];
    let store: LargeStore;
    let readers: PageReaders;
    let server: Server;
    let clients: ClientPort | undefined;
    let port: number;

    beforeEach(async () => {
      store = new LargeStore();
      readers = new PageReaders(LIMITS);
      const metrics = new Metrics();
      metrics.attach(store, new RpcStats());
      const pages = new OpsPages({ store, metrics, health: new Health(), dataDir: tmpdir(), version: '1' }, readers);
      server = opsServer(pages);
      if (door === 'the metrics port') {
        port = await listenHttp(server, '127.0.0.1', 0);
        return;
      }
      clients = clientPort(new Map(), {
        maxReceiveBytes: MiB, maxConcurrentStreams: 100, keepaliveIntervalMs: 0, keepaliveTimeoutMs: 1_000, store, stats: new RpcStats(),
        events: { emit: () => undefined }, http1: server,
      });
      port = await clients.listen(listenAddress('http://127.0.0.1:0'));
    });

    afterEach(() => {
      for (const socket of sockets.splice(0)) socket.destroy();
      clients?.close();
      clients = undefined;
      server.close();
      server.closeAllConnections();
    });

    async function open(said: string): Promise<Socket> {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      sockets.push(socket);
      await once(socket, 'connect');
      socket.write(said);
      return socket;
    }

    const request = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

    /** How it ends: with `closed` if no whole page came. */
    async function page(path: string): Promise<string> {
      try {
        const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } });
        return await response.text();
      } catch {
        return 'closed';
      }
    }

    it('are read by who reads, although many others do not', async () => {
      for (let i = 0; i < 20; i++) (await open(request('/status'))).pause();
      while (readers.bytes < 8 * MiB) await turn();
      const status = JSON.parse(await page('/status')) as NodeStatus;
      assert.equal(status.manifest.tables.length, TABLES);
      assert.match(await page('/metrics'), /etcd_server_has_leader 1/);
      assert.ok(readers.size <= LIMITS.requests && readers.bytes <= LIMITS.bytes, `${readers.size} requests, ${readers.bytes} bytes`);
      assert.ok(readers.closed >= 20 - LIMITS.requests, `${readers.closed} closed`);
    });

    it('are given back with their connections', async () => {
      for (let i = 0; i < LIMITS.requests; i++) (await open(request('/status').repeat(2))).pause();
      while (readers.bytes < 8 * MiB) await turn();
      for (const socket of sockets) socket.destroy();
      while (readers.size > 0) await turn();
      assert.equal(readers.bytes, 0);
    });

    it('are not asked for by the hundred on one connection', async () => {
      let seen = 0;
      server.on('request', () => seen++);
      const socket = await open(request('/metrics').repeat(500));
      socket.resume();
      await once(socket, 'close');
      while (readers.size > 0) await turn();
      assert.equal(readers.closed, 1);
      assert.ok(seen <= 40, `${seen} requests were looked at`);
      // A client that asks for the next page once it has the last one is none of those.
      const patient = await open('');
      for (let i = 0; i < 10; i++) {
        patient.write(request('/version'));
        assert.match(String((await once(patient, 'data'))[0]), /^HTTP\/1\.1 200 OK/);
      }
    });

    it('are made once for all who ask within a second', async () => {
      const asked = store.asked;
      for (let round = 0; round < 6; round++) {
        const pages = await Promise.all(Array.from({ length: LIMITS.requests }, () => page('/metrics')));
        for (const text of pages) assert.match(text, /kintsugi_event_loop_delay_seconds_bucket\{le="0.005"\} \d+\n/);
      }
      // Each looks at it once; a round may last for longer than a second.
      assert.ok(store.asked - asked <= 12, `the status was looked at ${store.asked - asked} times`);
    });
  });
}
