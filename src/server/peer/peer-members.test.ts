import assert from 'node:assert/strict';
import { fromUtf8, utf8 } from '../../base/bytes.js';
import type { NetworkHandler } from '../../base/env.js';
import { silent } from '../../base/testing/silent.js';
import { nodeClock, NodeRandom } from '../env/node-env.js';
import { freePorts } from '../free-ports.js';
import { PeerNetwork } from '../peer-network.js';

class Recorder implements NetworkHandler {
  readonly frames: string[] = [];
  readonly removedBy: number[] = [];
  readonly #waiting: { readonly done: () => boolean; readonly resolve: () => void }[] = [];

  onFrame(from: number, frame: Uint8Array): void {
    this.frames.push(`${from}:${fromUtf8(frame)}`);
    this.#look();
  }

  onCall(): Promise<Uint8Array> {
    return Promise.resolve(utf8('here'));
  }

  onDisconnect(): void {
    this.#look();
  }

  onRemoved(peer: number): void {
    this.removedBy.push(peer);
    this.#look();
  }

  until(done: (recorder: this) => boolean): Promise<void> {
    if (done(this)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ done: () => done(this), resolve }));
  }

  #look(): void {
    for (const { done, resolve } of this.#waiting) if (done()) resolve();
  }
}

describe('peers that come and go while the network runs', () => {
  const nets: PeerNetwork[] = [];

  afterEach(async () => {
    for (const net of nets.splice(0)) await net.stop();
  });

  function network(self: number, port: number, peers: [number, number][]): PeerNetwork {
    const net = new PeerNetwork({
      self, clusterId: 7n, url: `http://127.0.0.1:${port}`, listen: [`127.0.0.1:${port}`], clock: nodeClock, random: new NodeRandom(),
      peers: new Map(peers.map(([id, p]) => [id, `http://127.0.0.1:${p}`])), events: silent,
    });
    nets.push(net);
    return net;
  }

  it('R1 a peer that was removed is told so, while it runs and when it calls, and is heard no more', async () => {
    const [pa = 0, pb = 0] = await freePorts(2);
    const a = network(1, pa, [[2, pb]]);
    const b = network(2, pb, [[1, pa]]);
    const [ra, rb] = [new Recorder(), new Recorder()];
    await Promise.all([a.start(ra), b.start(rb)]);
    b.send(1, utf8('before'));
    await ra.until((r) => r.frames.length === 1);
    a.setPeers(new Map(), [2]);
    await rb.until((r) => r.removedBy.length > 0);
    assert.deepEqual(rb.removedBy, [1]);
    assert.equal(a.isUp(2), false);
    b.send(1, utf8('after'));
    await assert.rejects(a.call(2, 'echo', utf8('x'), 1_000), { code: 'UNREACHABLE' });
    const [port = 0] = a.ports;
    const again = network(2, 0, [[1, port]]);
    const told = new Recorder();
    await again.start(told);
    await told.until((r) => r.removedBy.length > 0);
    await assert.rejects(again.call(1, 'echo', utf8('x'), 5_000), { code: 'REMOVED' });
    assert.equal(ra.frames.length, 1);
  });

  it('D1 who was added while a member was away is let in by it, unless it was removed', async () => {
    const [pa = 0, pc = 0] = await freePorts(2);
    const a = network(1, pa, []);
    const c = network(3, pc, []);
    const [ra, rc] = [new Recorder(), new Recorder()];
    await Promise.all([a.start(ra), c.start(rc)]);
    c.setPeers(new Map([[1, [`http://127.0.0.1:${pa}`]]]), []);
    c.send(1, utf8('I lead'));
    await ra.until((r) => r.frames.length === 1);
    a.send(3, utf8('welcome'));
    await rc.until((r) => r.frames.length === 1);
    a.setPeers(new Map(), []);
    assert.ok(a.isUp(3), 'it stays until it is known, or known to be removed');
    a.setPeers(new Map(), [3]);
    await rc.until((r) => r.removedBy.length > 0);
  });

  it('D1 whoever is found at a URL says what his cluster is, as whomever he was known', async () => {
    const [pa = 0, pb = 0] = await freePorts(2);
    const a = network(1, pa, [[2, pb]]);
    const b = network(9, pb, []);
    await Promise.all([a.start(new Recorder()), b.start(new Recorder())]);
    await assert.rejects(a.call(2, 'echo', utf8('x'), 5_000), { name: 'NetworkError' }, 'member 9 is there now');
    assert.equal(fromUtf8(await a.describe(`http://127.0.0.1:${pb}`, 5_000)), 'here');
    await assert.rejects(a.describe(`http://127.0.0.1:${pa}`, 5_000), { code: 'CLOSED' }, 'it does not ask itself');
    await b.stop();
    await assert.rejects(a.describe(`http://127.0.0.1:${pb}`, 5_000), { code: 'UNREACHABLE' });
  });

  it('peers come, and are found elsewhere, while the network runs', async () => {
    const [pa = 0, pb = 0, pc = 0] = await freePorts(3);
    const a = network(1, pa, []);
    const b = network(2, pb, [[1, pa]]);
    const [ra, rb, rc] = [new Recorder(), new Recorder(), new Recorder()];
    await Promise.all([a.start(ra), b.start(rb)]);
    assert.equal(a.isUp(2), false);
    const at = (port: number): ReadonlyMap<number, readonly string[]> => new Map([[2, [`http://127.0.0.1:${port}`]]]);
    a.setPeers(at(pb), []);
    a.send(2, utf8('hello'));
    await rb.until((r) => r.frames.length === 1);
    await b.stop();
    const c = network(2, pc, [[1, pa]]);
    await c.start(rc);
    a.setPeers(at(pc), []);
    a.send(2, utf8('there'));
    await rc.until((r) => r.frames.length === 1);
    assert.deepEqual(rc.frames, ['1:there']);
  });
});
