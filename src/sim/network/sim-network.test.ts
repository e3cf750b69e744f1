import assert from 'node:assert/strict';
import { AssertionError } from '../../base/assert.js';
import type { Network } from '../../base/env.js';
import { NetworkError } from '../../base/errors.js';
import type { NodeId } from '../../base/ids.js';
import { Coverage } from '../model/coverage.js';
import { testPump } from '../testing/pump.js';
import { World, type Process } from '../world/world.js';
import { SimNetwork } from './sim-network.js';
import { FAIR } from './weather.js';

const SECOND = 1_000_000;

interface Heard {
  readonly from: NodeId;
  readonly frame: Uint8Array;
  readonly atUs: number;
}

interface Peer {
  readonly process: Process;
  readonly network: Network;
  readonly heard: Heard[];
  readonly lost: NodeId[];
  onCall: (from: NodeId, method: string, request: Uint8Array) => Promise<Uint8Array>;
}

class Bench {
  readonly world: World;
  readonly coverage = new Coverage();
  readonly network: SimNetwork;
  readonly nodes: NodeId[];

  constructor(seed = 1, size = 3) {
    this.world = new World({ seed });
    this.nodes = Array.from({ length: size }, (_, i) => i + 1);
    this.network = new SimNetwork(this.world, this.nodes, this.coverage);
    this.network.climate.everyDay = FAIR;
  }

  async live(node: NodeId): Promise<Peer> {
    const process: Process = { node, alive: true, stalledUntilUs: 0 };
    const peer: Peer = {
      process,
      network: this.network.attach(process),
      heard: [],
      lost: [],
      onCall: (_, __, request) => Promise.resolve(request),
    };
    void peer.network.start({
      onFrame: (from, frame) => void peer.heard.push({ from, frame, atUs: this.world.nowUs }),
      onCall: (from, method, request) => peer.onCall(from, method, request),
      onDisconnect: (id) => void peer.lost.push(id),
      onRemoved: () => undefined,
    });
    await this.run(0.1);
    return peer;
  }

  async all(): Promise<Peer[]> {
    const peers: Peer[] = [];
    for (const node of this.nodes) peers.push(await this.live(node));
    return peers;
  }

  run(seconds: number): Promise<void> {
    return this.world.run(testPump, this.world.nowUs + seconds * SECOND);
  }

  kill(peer: Peer): void {
    peer.process.alive = false;
    this.network.died(peer.process.node);
  }

  /** What becomes of a call within ten seconds. */
  async outcome(call: Promise<Uint8Array>, seconds = 10): Promise<Uint8Array | NetworkError | 'nothing'> {
    let out: Uint8Array | NetworkError | 'nothing' = 'nothing';
    call.then(
      (reply) => (out = reply),
      (error: unknown) => {
        assert.ok(error instanceof NetworkError);
        out = error;
      },
    );
    await this.run(seconds);
    return out;
  }
}

const numbered = (n: number): Uint8Array => Uint8Array.of(n >> 8, n & 255);
const numbers = (heard: readonly Heard[]): number[] => heard.map(({ frame }) => ((frame[0] ?? 0) << 8) | (frame[1] ?? 0));
const codeOf = (out: unknown): string => (out instanceof NetworkError ? out.code : 'none');

/** Sends `count` frames, one each `everyUs`. */
async function sendMany(bench: Bench, from: Peer, to: NodeId, count: number, everyUs = 100): Promise<void> {
  for (let i = 0; i < count; i++) bench.world.schedule(i * everyUs, () => from.network.send(to, numbered(i)), from.process);
  await bench.run((count * everyUs) / SECOND + 5);
}

describe('SimNetwork', () => {
  it('delivers every frame once, in order and at its own time, in fair weather with a long tail of delays', async () => {
    const bench = new Bench();
    const [one, two] = (await bench.all()) as [Peer, Peer];
    bench.network.climate.everyDay = { ...FAIR, delayMeanUs: 20_000 };
    await sendMany(bench, one, 2, 1000, 5_000);
    assert.deepEqual(numbers(two.heard), Array.from({ length: 1000 }, (_, i) => i));
    assert.ok(new Set(two.heard.map(({ atUs }) => atUs)).size > 100);
  });

  it('hands the frames of one turn to one turn of the receiver, and each of several receivers bytes of its own', async () => {
    const bench = new Bench();
    const [one, two, three] = (await bench.all()) as [Peer, Peer, Peer];
    const shared = numbered(7);
    one.network.send(2, shared);
    one.network.send(3, shared);
    one.network.send(2, numbered(8));
    await bench.run(1);
    assert.deepEqual(numbers(two.heard), [7, 8]);
    assert.equal(two.heard[0]?.atUs, two.heard[1]?.atUs);
    (two.heard[0] as Heard).frame.fill(255);
    assert.deepEqual(numbers(three.heard), [7]);
  });

  it('loses, duplicates and reorders about as many frames as the weather says, and nothing that the tap did not see', async () => {
    const bench = new Bench(5);
    const [one, two, three] = (await bench.all()) as [Peer, Peer, Peer];
    let tapped = 0;
    bench.network.onFrame = () => void tapped++;
    bench.network.climate.everyDay = { ...FAIR, lossIn1000: 200 };
    await sendMany(bench, one, 2, 4000);
    assert.ok(two.heard.length > 3050 && two.heard.length < 3350, `${two.heard.length} of 4000`);
    bench.network.climate.everyDay = { ...FAIR, duplicateIn1000: 250 };
    await sendMany(bench, one, 3, 4000);
    assert.ok(three.heard.length > 4850 && three.heard.length < 5150, `${three.heard.length} of 4000`);
    assert.equal(new Set(numbers(three.heard)).size, 4000);
    assert.equal(new Set(three.heard.map(({ frame }) => frame)).size, three.heard.length, 'each delivery has its own copy');
    bench.network.climate.everyDay = { ...FAIR, reorderIn1000: 100 };
    two.heard.length = 0;
    await sendMany(bench, one, 2, 2000);
    const order = numbers(two.heard);
    assert.equal(new Set(order).size, 2000);
    assert.equal(order.length, 2000);
    const swaps = order.filter((n, i) => i > 0 && n < (order[i - 1] ?? 0)).length;
    assert.ok(swaps > 100 && swaps < 300, `${swaps} swaps`);
    assert.equal(tapped, 10_000);
  });

  it('cuts one way only, loses what is on its way when the cut begins, and adds cuts up', async () => {
    const bench = new Bench();
    const [one, two] = (await bench.all()) as [Peer, Peer];
    one.network.send(2, numbered(1));
    const first = bench.network.cuts.cut(1, 2);
    const second = bench.network.cuts.cut(1, 2);
    two.network.send(1, numbered(2));
    await bench.run(0.5);
    first();
    first();
    assert.ok(bench.network.cuts.isCut(1, 2));
    one.network.send(2, numbered(3));
    await bench.run(0.5);
    second();
    one.network.send(2, numbered(4));
    await bench.run(0.5);
    assert.deepEqual(numbers(two.heard), [4]);
    assert.deepEqual(numbers(one.heard), [2]);
  });

  it('undoing a cut from before everything was mended does not touch a later one', async () => {
    const bench = new Bench();
    await bench.all();
    const old = bench.network.cuts.cut(1, 2);
    bench.network.cuts.mendAll();
    bench.network.cuts.cut(1, 2);
    old();
    assert.ok(bench.network.cuts.isCut(1, 2));
  });

  it('breaks a connection at half of the long cuts, tells both ends once, and connects again after the mend', async () => {
    let broken = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const bench = new Bench(seed);
      const [one, two, three] = (await bench.all()) as [Peer, Peer, Peer];
      const undo = bench.network.cuts.cut(1, 2);
      await bench.run(15);
      assert.deepEqual(one.lost, two.lost.length === 0 ? [] : [2]);
      assert.deepEqual(three.lost, []);
      broken += two.lost.length;
      undo();
      await bench.run(2);
      assert.ok(bench.network.isConnected(1, 2));
      one.network.send(2, numbered(9));
      await bench.run(1);
      assert.deepEqual(numbers(two.heard), [9]);
    }
    assert.ok(broken >= 4 && broken <= 16, `${broken} of 20`);
  });

  it('a reset loses what is on its way, tells both ends, and frames sent meanwhile arrive after the new connection', async () => {
    const bench = new Bench();
    const [one, two] = (await bench.all()) as [Peer, Peer];
    one.network.send(2, numbered(1));
    bench.network.reset(1, 2);
    one.network.send(2, numbered(2));
    await bench.run(1);
    assert.deepEqual(numbers(two.heard), [2]);
    assert.deepEqual([one.lost, two.lost], [[2], [1]]);
    assert.equal(bench.coverage.count('network connection broken'), 1);
  });

  it('a clog holds frames in order and drops those beyond the bound of the queue', async () => {
    const bench = new Bench();
    const [one, two] = (await bench.all()) as [Peer, Peer];
    bench.network.climate.everyDay = { ...FAIR, queueBytes: 20 };
    bench.network.cuts.clog(1, 2, 2 * SECOND);
    for (let i = 0; i < 30; i++) bench.world.schedule(i * 1000, () => one.network.send(2, numbered(i)), one.process);
    await bench.run(1.9);
    assert.deepEqual(two.heard, []);
    assert.equal(bench.coverage.count('network queue full'), 20);
    await bench.run(1);
    assert.deepEqual(numbers(two.heard), Array.from({ length: 10 }, (_, i) => i));
    assert.equal(bench.coverage.count('network queue full'), 20);
  });

  it('a frame larger than the queue passes while nothing else is on its way', async () => {
    const bench = new Bench();
    const [one, two] = (await bench.all()) as [Peer, Peer];
    bench.network.climate.everyDay = { ...FAIR, queueBytes: 20 };
    one.network.send(2, new Uint8Array(1000));
    one.network.send(2, numbered(1));
    await bench.run(1);
    one.network.send(2, numbered(2));
    await bench.run(1);
    assert.deepEqual(two.heard.map(({ frame }) => frame.length), [1000, 2]);
  });

  it('what a process sent before its death arrives, before its peers see the stream break; once each', async () => {
    for (let seed = 1; seed <= 10; seed++) {
      const bench = new Bench(seed);
      const [one, two, three] = (await bench.all()) as [Peer, Peer, Peer];
      let heardBefore = -1;
      two.heard.length = 0;
      one.network.send(2, numbered(1));
      bench.kill(one);
      one.network.send(2, numbered(2));
      for (let i = 0; i < 70 && two.lost.length === 0; i++) {
        await bench.run(0.1);
        if (two.lost.length > 0) heardBefore = two.heard.length;
      }
      await bench.run(10);
      assert.equal(heardBefore, 1);
      assert.deepEqual([two.lost, three.lost], [[1], [1]]);
      assert.deepEqual(numbers(two.heard), [1]);
    }
  });

  it('a dead life gets nothing, and its successor gets nothing that was sent to it', async () => {
    const bench = new Bench();
    const [one, two] = (await bench.all()) as [Peer, Peer];
    one.network.send(2, numbered(1));
    bench.kill(two);
    const next = await bench.live(2);
    await bench.run(1);
    assert.deepEqual([two.heard, next.heard], [[], []]);
    assert.deepEqual(one.lost, [2]);
    one.network.send(2, numbered(2));
    await bench.run(1);
    assert.deepEqual(numbers(next.heard), [2]);
    assert.deepEqual(one.lost, [2]);
  });

  it('a paused process gets its frames when it goes on, in order', async () => {
    const bench = new Bench();
    const [one, two] = (await bench.all()) as [Peer, Peer];
    bench.world.pause(two.process);
    await sendMany(bench, one, 2, 50);
    assert.deepEqual(two.heard, []);
    bench.world.resume(two.process);
    await bench.run(1);
    assert.deepEqual(numbers(two.heard), Array.from({ length: 50 }, (_, i) => i));
  });

  it('an orderly stop tells the peers and not the one that stopped, and frees it of every call', async () => {
    const bench = new Bench();
    const [one, two, three] = (await bench.all()) as [Peer, Peer, Peer];
    two.onCall = () => new Promise(() => undefined);
    const call = one.network.call(2, 'm', numbered(1), 9_000);
    await bench.run(0.1);
    await one.network.stop();
    assert.equal(codeOf(await bench.outcome(call, 1)), 'CLOSED');
    await assert.rejects(one.network.call(2, 'm', numbered(1), 9_000), { code: 'CLOSED' });
    assert.deepEqual([one.lost, two.lost, three.lost], [[], [1], [1]]);
  });
});

describe('SimNetwork calls', () => {
  it('carries request and reply as copies, and the words of a refusal', async () => {
    const bench = new Bench();
    const [one, two] = (await bench.all()) as [Peer, Peer];
    const request = numbered(5);
    let seen: Uint8Array | undefined;
    two.onCall = (from, method, bytes) => {
      seen = bytes;
      assert.deepEqual([from, method], [1, 'tables']);
      return Promise.resolve(request);
    };
    const reply = await bench.outcome(one.network.call(2, 'tables', request, 1000));
    assert.deepEqual(reply, request);
    assert.notEqual(reply, request);
    assert.notEqual(seen, request);
    two.onCall = () => Promise.reject(new Error('no such table'));
    const refusal = await bench.outcome(one.network.call(2, 'tables', request, 1000));
    assert.ok(refusal instanceof NetworkError && refusal.code === 'REMOTE' && refusal.message.includes('no such table'));
    two.onCall = () => {
      throw new Error('thrown at once');
    };
    assert.equal(codeOf(await bench.outcome(one.network.call(2, 'tables', request, 1000))), 'REMOTE');
  });

  it('a lost request is never carried out and a lost reply may have been: both are a TIMEOUT at the time set', async () => {
    const bench = new Bench(3);
    const [one, two] = (await bench.all()) as [Peer, Peer];
    bench.network.climate.everyDay = { ...FAIR, callLossIn1000: 300 };
    let carriedOut = 0;
    two.onCall = (_, __, request) => {
      carriedOut++;
      return Promise.resolve(request);
    };
    const outcomes: Record<string, number> = {};
    const count = (name: string): number => (outcomes[name] = (outcomes[name] ?? 0) + 1);
    for (let i = 0; i < 1000; i++) {
      one.network.call(2, 'm', numbered(i), 2000).then(() => count('ok'), (error: unknown) => count(codeOf(error)));
    }
    await bench.run(1.9);
    assert.equal(outcomes['TIMEOUT'], undefined);
    await bench.run(1);
    const { ok = 0, TIMEOUT: late = 0 } = outcomes;
    assert.equal(ok + late, 1000);
    assert.ok(ok > 440 && ok < 540, `${ok} answered`);
    assert.ok(carriedOut > 650 && carriedOut < 750, `${carriedOut} carried out`);
  });

  it('a peer that is down or cut off is UNREACHABLE or times out, never answered, and not at once', async () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 12; seed++) {
      const bench = new Bench(seed);
      const one = await bench.live(1);
      const down = one.network.call(2, 'm', numbered(1), 1000);
      let settled = false;
      down.catch(() => (settled = true));
      await bench.run(0.0001);
      assert.ok(!settled);
      seen.add(`down ${codeOf(await bench.outcome(down))}`);
      await bench.live(2);
      bench.network.cuts.cut(2, 1);
      seen.add(`cut ${codeOf(await bench.outcome(one.network.call(2, 'm', numbered(1), 1000)))}`);
      await bench.run(10);
      if (!bench.network.isConnected(1, 2)) seen.add(`cut off ${codeOf(await bench.outcome(one.network.call(2, 'm', numbered(1), 1000)))}`);
    }
    assert.deepEqual([...seen].sort(), ['cut TIMEOUT', 'cut off TIMEOUT', 'cut off UNREACHABLE', 'down TIMEOUT', 'down UNREACHABLE']);
  });

  it('a callee that dies before its answer fails the call, and a dead caller hears nothing', async () => {
    for (let seed = 1; seed <= 10; seed++) {
      const bench = new Bench(seed);
      const [one, two, three] = (await bench.all()) as [Peer, Peer, Peer];
      let answer: ((bytes: Uint8Array) => void) | undefined;
      two.onCall = () => new Promise((resolve) => (answer = resolve));
      const ofDead = three.network.call(2, 'm', numbered(1), 3000);
      const toDead = one.network.call(2, 'm', numbered(1), 3000);
      await bench.run(0.1);
      bench.kill(two);
      bench.kill(three);
      answer?.(numbered(9));
      assert.ok(['UNREACHABLE', 'TIMEOUT'].includes(codeOf(await bench.outcome(toDead))));
      assert.equal(await bench.outcome(ofDead), 'nothing');
    }
  });

  it('a broken invariant in a handler ends the process that was called', async () => {
    const threw: (number | undefined)[] = [];
    const world = new World({ seed: 1, onThrow: (process) => threw.push(process?.node) });
    const network = new SimNetwork(world, [1, 2], new Coverage());
    network.climate.everyDay = FAIR;
    const ends = [1, 2].map((node) => network.attach({ node, alive: true, stalledUntilUs: 0 }));
    for (const end of ends) {
      void end.start({ onFrame: () => undefined, onCall: () => Promise.reject(new AssertionError('S4')), onDisconnect: () => undefined, onRemoved: () => undefined });
    }
    const call = assert.rejects((ends[0] as Network).call(2, 'm', numbered(1), 1000), { code: 'REMOTE' });
    await world.run(testPump, SECOND);
    await call;
    assert.deepEqual(threw, [2]);
  });
});
