import assert from 'node:assert/strict';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LinkStatus } from '../../base/env.js';
import { nodeClock, NodeRandom } from '../env/node-env.js';
import { freePorts } from '../free-ports.js';
import { PeerNetwork } from '../peer-network.js';
import { LinkRecord } from './link-record.js';

describe('what a node says of its ways to the others', () => {
  const closed: (() => void)[] = [];
  afterEach(() => closed.splice(0).forEach((close) => close()));

  async function network(self: number, port: number, peers: ReadonlyMap<number, string>, clusterId = 7n): Promise<PeerNetwork> {
    const net = new PeerNetwork({
      self, clusterId, listen: [`127.0.0.1:${port}`], clock: nodeClock, random: new NodeRandom(), peers, events: { emit: () => undefined },
    });
    closed.push(() => void net.stop());
    await net.start({
      onFrame: () => undefined, onCall: () => Promise.reject(new Error('nothing is asked')), onDisconnect: () => undefined, onRemoved: () => undefined,
    });
    return net;
  }

  async function until(net: PeerNetwork, holds: (link: LinkStatus) => boolean): Promise<LinkStatus> {
    for (;;) {
      const link = net.links()[0] ?? assert.fail('there is a link');
      if (holds(link)) return link;
      await sleep(5);
    }
  }

  const at = (port: number): string => `http://127.0.0.1:${port}`;

  it('tells why nobody is reached, since when a peer is, and what it ended with', async () => {
    const [pa = 0, pb = 0] = await freePorts(2);
    const a = await network(1, pa, new Map([[2, at(pb)]]));
    const none = await until(a, ({ failures }) => failures >= 2);
    assert.deepEqual([none.peer, none.url, none.isHeard], [2, at(pb), false]);
    assert.match(none.lastError?.why ?? '', /ECONNREFUSED/);
    const b = await network(2, pb, new Map([[1, at(pa)]]));
    const up = await until(a, ({ state, isHeard }) => state === 'up' && isHeard);
    assert.equal(up.failures, 0);
    assert.ok((up.lastError?.agoMs ?? 0) >= up.forMs, 'it became up after that');
    await until(b, ({ state }) => state === 'up');
    assert.deepEqual([up.breaks, up.sentBytes, up.receivedBytes], [0, 0, 0]);
    for (const length of [100, 3_000_000]) a.send(2, new Uint8Array(length).fill(7), 'bulk');
    const { receivedBytes } = await until(b, (link) => link.receivedBytes >= 3_000_100);
    const { sentBytes } = await until(a, (link) => link.sentBytes === receivedBytes);
    assert.ok(sentBytes < 3_001_000, `${sentBytes} bytes: what is around the frames is little`);
    await b.stop();
    await until(a, ({ breaks }) => breaks === 1);
    const gone = await until(a, ({ state, isHeard }) => state !== 'up' && !isHeard);
    assert.ok(gone.forMs < 5_000);
  });

  it('tells the words of a peer that refuses it', async () => {
    const [pa = 0, pb = 0] = await freePorts(2);
    const a = await network(1, pa, new Map([[2, at(pb)]]));
    await network(2, pb, new Map([[1, at(pa)]]), 8n);
    const refused = await until(a, ({ lastError }) => lastError !== undefined && !lastError.why.includes('ECONNREFUSED'));
    assert.match(refused.lastError?.why ?? '', /cluster id mismatch/);
  });

  it('tells how long an attempt is given when a process takes connections and does not answer', async () => {
    const sockets = new Set<Socket>();
    const server: Server = createServer((socket) => void sockets.add(socket.on('error', () => undefined)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closed.push(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    const [pa = 0] = await freePorts(1);
    const a = await network(1, pa, new Map([[2, at((server.address() as AddressInfo).port)]]));
    const first = await until(a, ({ state }) => state === 'connecting');
    assert.equal(first.patienceMs, 2_000);
    const second = await until(a, ({ patienceMs }) => patienceMs > 2_000);
    assert.equal(second.patienceMs, 4_000);
    assert.equal(second.lastError?.why, 'no answer within 2000 ms');
  });

  it('keeps little of what a peer says', () => {
    const record = new LinkRecord({ now: () => 0 });
    for (let i = 0; i < 1_000; i++) record.ended('w'.repeat(10_000));
    assert.deepEqual(record.told, { state: 'idle', forMs: 0, failures: 1_000, breaks: 0, lastError: { why: 'w'.repeat(200), agoMs: 0 } });
  });
});
