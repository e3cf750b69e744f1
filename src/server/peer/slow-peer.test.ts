import assert from 'node:assert/strict';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { fromUtf8, utf8 } from '../../base/bytes.js';
import type { Clock, NetworkHandler } from '../../base/env.js';
import { nodeClock, NodeRandom } from '../env/node-env.js';
import { freePorts } from '../free-ports.js';
import { PeerNetwork } from '../peer-network.js';

/** Ten times as fast as the real one. */
const fastClock: Clock = {
  ...nodeClock,
  now: () => 10 * nodeClock.now(),
  setTimer: (delayMs, fn) => nodeClock.setTimer(delayMs / 10, fn),
};

/** Takes every connection at once, and what is said on it is heard only after a time. */
class HeldUp {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  taken = 0;

  constructor(target: number, heldMs: number) {
    this.#server = createServer((near) => {
      this.taken++;
      near.pause();
      setTimeout(() => {
        const far = connect(target, '127.0.0.1');
        for (const [from, to] of [[near, far], [far, near]] as const) {
          this.#sockets.add(from);
          from.on('error', () => to.destroy()).on('close', () => to.destroy());
          from.pipe(to);
        }
      }, heldMs);
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

describe('a peer that is held up', () => {
  const closed: { close(): void }[] = [];
  afterEach(() => closed.splice(0).forEach((one) => one.close()));

  async function network(self: number, port: number, [peer, at]: [number, number], onFrame: NetworkHandler['onFrame']): Promise<PeerNetwork> {
    const net = new PeerNetwork({
      self, clusterId: 7n, listen: [`127.0.0.1:${port}`], clock: fastClock, random: new NodeRandom(),
      peers: new Map([[peer, `http://127.0.0.1:${at}`]]), events: { emit: () => undefined },
    });
    closed.push({ close: () => void net.stop() });
    await net.start({
      onFrame, onCall: () => Promise.reject(new Error('nothing is asked')), onDisconnect: () => undefined, onRemoved: () => undefined,
    });
    return net;
  }

  it('C1 is waited for, in the end as long as it takes to answer', async () => {
    const [pa = 0, pb = 0] = await freePorts(2);
    // Three seconds of the clock: longer than the first attempt is given.
    const heldUp = new HeldUp(pb, 300);
    closed.push(heldUp);
    const port = await heldUp.listen();
    const a = await network(1, pa, [2, port], () => undefined);
    const heard = new Promise<string>((resolve) => {
      void network(2, pb, [1, pa], (_from, frame) => resolve(fromUtf8(frame)));
    });
    // Raft repeats what it says: what was kept for an attempt that is given up goes with it.
    const timer = setInterval(() => a.send(2, utf8('vote for me')), 20);
    closed.push({ close: () => clearInterval(timer) });
    assert.equal(await heard, 'vote for me');
    assert.ok(heldUp.taken > 1, 'the first attempt was not waited for long enough');
  });
});
