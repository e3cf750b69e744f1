import assert from 'node:assert/strict';
import { Client, credentials, Metadata, status as Status, type ServiceError } from '@grpc/grpc-js';
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { utf8, fromUtf8, KiB, MiB } from '../base/bytes.js';
import type { NetworkHandler } from '../base/env.js';
import { NetworkError } from '../base/errors.js';
import type { KintsugiEvent } from '../base/events.js';
import { nodeClock, NodeRandom } from './env/node-env.js';
import { freePorts } from './free-ports.js';
import { MAX_MESSAGE_BYTES } from '../replica/base/limits.js';
import { FrameCutter } from './peer/chunks.js';
import { encodeBatch, META_CLUSTER, META_FROM, META_TO, STREAM_PATH } from './peer/peer-codec.js';
import type { LinkLimits } from './peer/peer-link.js';
import { PeerNetwork } from './peer-network.js';
import { hostPort } from './peer/peer-url.js';

/** Passes bytes on, until it is cut or mute. */
class Proxy {
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #mute = false;
  port = 0;

  constructor(target: number) {
    this.#server = createServer((a) => {
      const b = connect(target, '127.0.0.1');
      for (const [from, to] of [[a, b], [b, a]] as const) {
        this.#sockets.add(from);
        from.on('error', () => to.destroy()).on('close', () => to.destroy());
        from.on('data', (bytes: Buffer) => this.#mute || to.write(bytes));
      }
    });
  }

  /** No byte comes through any more, and no connection ends: a machine without power. */
  mute(): void {
    this.#mute = true;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.port = (this.#server.address() as AddressInfo).port;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}

interface Pair {
  readonly a: PeerNetwork;
  readonly b: PeerNetwork;
  readonly ra: Recorder;
  readonly rb: Recorder;
  readonly cut: () => void;
  readonly mute: () => void;
  readonly ports: number[];
}

class Recorder implements NetworkHandler {
  readonly frames: string[] = [];
  readonly disconnects: number[] = [];
  readonly #waiting: { readonly done: () => boolean; readonly resolve: () => void }[] = [];
  bytes = 0;
  largest: Uint8Array = new Uint8Array(0);
  onFrame(from: number, frame: Uint8Array): void {
    this.bytes += frame.length;
    if (frame.length > this.largest.length) this.largest = frame;
    this.frames.push(`${from}:${frame.length > 100 ? frame.length : fromUtf8(frame)}`);
    this.#look();
  }
  onCall(_from: number, method: string, request: Uint8Array): Promise<Uint8Array> {
    if (method === 'fail') return Promise.reject(new Error('disk on fire'));
    if (method === 'large') return Promise.resolve(new Uint8Array(Number(fromUtf8(request))));
    if (method === 'never') return new Promise(() => undefined);
    return Promise.resolve(utf8(`${method} ${fromUtf8(request)}`));
  }
  onDisconnect(peer: number): void {
    this.disconnects.push(peer);
    this.#look();
  }
  onRemoved(peer: number): void {
    assert.fail(`nobody is removed, and not by ${peer}`);
  }
  until(done: (recorder: this) => boolean): Promise<void> {
    if (done(this)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ done: () => done(this), resolve }));
  }
  #look(): void {
    for (const { done, resolve } of this.#waiting) if (done()) resolve();
  }
}

const urlAt = (port: number): string => `http://127.0.0.1:${port}`;

const LARGEST = { frameBytes: MAX_MESSAGE_BYTES, queueBytes: MAX_MESSAGE_BYTES + 2 * MiB };

/** No two parts of it are equal. */
function filled(bytes: number): Uint8Array {
  const out = new Uint8Array(bytes);
  const words = new Uint32Array(out.buffer, 0, bytes >>> 2);
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(i + 1, 0x9e3779b1);
  return out;
}

/** How a stream of these messages ends. */
function refusedStream(port: number, messages: readonly Buffer[]): Promise<ServiceError> {
  const metadata = new Metadata();
  for (const [key, value] of [[META_CLUSTER, '7'], [META_FROM, '1'], [META_TO, '2']] as const) metadata.set(key, value);
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  return new Promise<ServiceError>((resolve, reject) => {
    const same = (bytes: Buffer): Buffer => bytes;
    const stream = client.makeClientStreamRequest(STREAM_PATH, same, same, metadata, (error) => {
      if (error === null) reject(new Error('it was taken'));
      else resolve(error);
    });
    for (const message of messages) stream.write(message);
  }).finally(() => client.close());
}

describe('peer network over loopback', () => {
  const nets: PeerNetwork[] = [];
  const proxies: Proxy[] = [];
  const warnings: KintsugiEvent[] = [];
  let warned: (() => void) | undefined;

  afterEach(async () => {
    for (const net of nets.splice(0)) await net.stop();
    for (const proxy of proxies.splice(0)) proxy.close();
    warnings.length = 0;
  });

  function network(
    self: number, port: number, peers: [number, number][], clusterId = 7n, silentMs = 1_000, limits: Partial<LinkLimits> = {},
  ): PeerNetwork {
    const net = new PeerNetwork({
      self, clusterId, url: urlAt(port), listen: [`127.0.0.1:${port}`], clock: nodeClock, random: new NodeRandom(),
      peers: new Map(peers.map(([id, p]) => [id, urlAt(p)])),
      events: { emit: (event) => { warnings.push(event); warned?.(); } },
      limits: { queueBytes: 4 * MiB, frameBytes: 3 * MiB, ...limits },
      silentMs,
    });
    nets.push(net);
    return net;
  }

  /** Members 1 and 2, a proxy in either direction. */
  async function pair(silentMs = 1_000, limits: Partial<LinkLimits> = {}): Promise<Pair> {
    const ports = await freePorts(2);
    const [pa = 0, pb = 0] = ports;
    const [toB, toA] = [new Proxy(pb), new Proxy(pa)];
    proxies.push(toB, toA);
    await Promise.all([toB.listen(), toA.listen()]);
    const a = network(1, pa, [[2, toB.port]], 7n, silentMs, limits);
    const b = network(2, pb, [[1, toA.port]], 7n, silentMs, limits);
    const cut = (): void => {
      toB.cut();
      toA.cut();
    };
    const mute = (): void => {
      toB.mute();
      toA.mute();
    };
    const ra = new Recorder();
    const rb = new Recorder();
    await Promise.all([a.start(ra), b.start(rb)]);
    return { a, b, ra, rb, cut, mute, ports };
  }

  it('delivers frames in order, also those sent before the stream was up', async () => {
    const { a, b, ra, rb } = await pair();
    for (let i = 0; i < 500; i++) a.send(2, utf8(`f${i}`));
    b.send(1, utf8('back'));
    await rb.until((r) => r.frames.length >= 500);
    assert.deepEqual(rb.frames, Array.from({ length: 500 }, (_, i) => `1:f${i}`));
    await ra.until((r) => r.frames.length === 1);
    a.send(2, new Uint8Array(8 * MiB));
    assert.match(JSON.stringify(warnings), /a frame above the limit was refused.*TOO_LARGE/);
    a.send(2, new Uint8Array(3 * MiB));
    await rb.until((r) => r.frames.length === 501);
    assert.equal(rb.frames[500], `1:${3 * MiB}`);
  });

  it('takes the largest frame in chunks, and what is prompt does not wait for it', async () => {
    const { a, rb } = await pair(1_000, LARGEST);
    a.send(2, utf8('x'));
    await rb.until((r) => r.frames.length === 1);
    const largest = filled(LARGEST.frameBytes);
    a.send(2, largest, 'bulk');
    a.send(2, filled(700 * KiB), 'bulk');
    a.send(2, utf8('after'), 'bulk');
    // Only once a part of it is under way.
    while (rb.bytes < 2 && a.queuedBytes(2) > 60 * MiB) await new Promise((resolve) => setImmediate(resolve));
    for (let i = 0; i < 5; i++) {
      a.send(2, utf8(`prompt ${i}`));
      await rb.until((r) => r.frames.includes(`1:prompt ${i}`));
      assert.ok(!rb.frames.includes(`1:${largest.length}`), 'the large one is still on its way');
    }
    await rb.until((r) => r.frames.includes('1:after'));
    assert.deepEqual(rb.frames.slice(6), [`1:${largest.length}`, `1:${700 * KiB}`, '1:after']);
    assert.ok(Buffer.from(rb.largest).equals(largest));
    assert.equal(a.droppedFrames, 0);
  }).timeout(20_000);

  it('a frame that is half here is gone with its stream, and the next stream begins anew', async () => {
    const { a, ra, rb, cut } = await pair(1_000, LARGEST);
    a.send(2, utf8('x'));
    await rb.until((r) => r.frames.length === 1);
    a.send(2, filled(40 * MiB), 'bulk');
    while (a.queuedBytes(2) > 30 * MiB) await new Promise((resolve) => setImmediate(resolve));
    cut();
    await ra.until((r) => r.disconnects.length === 1);
    while (a.isUp(2)) await new Promise((resolve) => setImmediate(resolve));
    while (!a.isUp(2)) await new Promise((resolve) => setImmediate(resolve));
    a.send(2, filled(MiB), 'bulk');
    await rb.until((r) => r.frames.length === 2);
    assert.deepEqual(rb.frames, ['1:x', `1:${MiB}`]);
  }).timeout(20_000);

  it('a stream that its sender gave up and that comes late does not keep the one in use half heard', async () => {
    const { a, rb, ports } = await pair(1_000, LARGEST);
    a.send(2, utf8('x'));
    await rb.until((r) => r.frames.length === 1);
    const client = new Client(`127.0.0.1:${ports[1]}`, credentials.createInsecure());
    const metadata = new Metadata();
    for (const [key, value] of [[META_CLUSTER, '7'], [META_FROM, '1'], [META_TO, '2']] as const) metadata.set(key, value);
    const same = (bytes: Buffer): Buffer => bytes;
    const late = client.makeClientStreamRequest(STREAM_PATH, same, same, metadata, () => undefined);
    await new Promise((resolve) => late.on('metadata', resolve));
    late.cancel();
    client.close();
    const large = filled(2 * MiB);
    // Raft repeats what is not acknowledged.
    const timer = setInterval(() => a.queuedBytes(2) === 0 && a.send(2, large, 'bulk'), 50);
    try {
      await rb.until((r) => r.largest.length === large.length);
    } finally {
      clearInterval(timer);
    }
    assert.ok(Buffer.from(rb.largest).equals(large));
  });

  it('refuses what is no chunk: that stream ends with the reason, and holds nothing', async () => {
    const [port = 0] = await freePorts(1);
    const ours = network(2, port, [[1, (await freePorts(1))[0] ?? 0]]);
    const recorder = new Recorder();
    await ours.start(recorder);
    const cutter = new FrameCutter();
    cutter.begin(filled(2 * MiB));
    const [first, second, third] = [cutter.next(), cutter.next(), cutter.next()];
    const flipped = { head: second.head, bytes: second.bytes.map((byte, i) => (i === 77 ? byte ^ 4 : byte)) };
    const refusals = [
      [[first, flipped], /not what its sender made/], [[first, third], /does not follow/], [[first, first], /begins before/],
    ] as const;
    for (const [chunks, why] of refusals) {
      const error = await refusedStream(port, chunks.map((chunk) => encodeBatch({ frames: [], chunk })));
      assert.match(error.details, why);
      assert.equal(error.code, Status.INTERNAL);
    }
    assert.deepEqual(recorder.frames, []);
  });

  it('answers calls of the largest size, and refuses a larger one as such', async () => {
    const { a, b, ra, rb } = await pair(1_000, LARGEST);
    a.send(2, utf8('x'));
    b.send(1, utf8('y'));
    await Promise.all([rb.until((r) => r.frames.length === 1), ra.until((r) => r.frames.length === 1)]);
    assert.equal((await a.call(2, 'large', utf8(String(LARGEST.frameBytes)), 20_000)).length, LARGEST.frameBytes);
    await assert.rejects(a.call(2, 'large', utf8(String(LARGEST.frameBytes + MiB)), 20_000), { code: 'TOO_LARGE' });
    await assert.rejects(a.call(2, 'echo', new Uint8Array(LARGEST.frameBytes + 1), 20_000), { code: 'TOO_LARGE' });
  }).timeout(30_000);

  it('answers calls, and tells a remote failure, a time-out and a missing peer apart', async () => {
    const { a, rb } = await pair();
    a.send(2, utf8('x'));
    await rb.until((r) => r.frames.length === 1);
    assert.equal(fromUtf8(await a.call(2, 'echo', utf8('hi'), 1000)), 'echo hi');
    const code = (promise: Promise<unknown>): Promise<string> =>
      promise.then(() => 'ok', (error: unknown) => (error instanceof NetworkError ? `${error.message}` : 'other'));
    assert.equal(await code(a.call(2, 'fail', utf8(''), 1000)), 'REMOTE: disk on fire');
    assert.match(await code(a.call(2, 'never', utf8(''), 30)), /^TIMEOUT: /);
    assert.match(await code(a.call(9, 'echo', utf8(''), 30)), /^UNREACHABLE: /);
  });

  it('tells of a broken connection at once, once, and connects again by itself', async () => {
    const { a, b, ra, rb, cut } = await pair();
    a.send(2, utf8('x'));
    b.send(1, utf8('y'));
    await Promise.all([rb.until((r) => r.frames.length === 1), ra.until((r) => r.frames.length === 1)]);
    cut();
    await Promise.all([rb.until((r) => r.disconnects.length === 1), ra.until((r) => r.disconnects.length === 1)]);
    assert.deepEqual([ra.disconnects, rb.disconnects], [[2], [1]]);
    while (a.isUp(2) || b.isUp(1)) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([ra.disconnects, rb.disconnects], [[2], [1]], 'both ways broke, and each side heard of it once');
    while (!a.isUp(2) || !b.isUp(1)) await new Promise((resolve) => setImmediate(resolve));
    a.send(2, utf8('again'));
    await rb.until((r) => r.frames.length === 2);
    assert.equal(rb.frames[1], '1:again');
    assert.deepEqual([ra.disconnects, rb.disconnects], [[2], [1]]);
  });

  it('notices a peer that says nothing any more and ends no connection', async () => {
    const { a, b, ra, rb, mute } = await pair(100);
    a.send(2, utf8('x'));
    b.send(1, utf8('y'));
    await Promise.all([rb.until((r) => r.frames.length === 1), ra.until((r) => r.frames.length === 1)]);
    mute();
    await Promise.all([rb.until((r) => r.disconnects.length === 1), ra.until((r) => r.disconnects.length === 1)]);
    while (a.isUp(2) || b.isUp(1)) await new Promise((resolve) => setImmediate(resolve));
  });

  it('does not take a peer that has nothing to say for a silent one', async () => {
    const { a, ra, rb } = await pair(50);
    a.send(2, utf8('x'));
    await rb.until((r) => r.frames.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 500));
    a.send(2, utf8('z'));
    await rb.until((r) => r.frames.length === 2);
    assert.deepEqual([ra.disconnects, rb.disconnects], [[], []]);
  });

  it('notices a peer that stops, and finds it when it is back', async () => {
    const { a, b, ra, ports } = await pair();
    b.send(1, utf8('y'));
    await ra.until((r) => r.frames.length === 1);
    await b.stop();
    await ra.until((r) => r.disconnects.length === 1);
    await assert.rejects(a.call(2, 'echo', utf8(''), 100), { code: 'UNREACHABLE' });
    const again = network(2, ports[1] as number, [[1, ports[0] as number]]);
    const recorder = new Recorder();
    await again.start(recorder);
    // The way there may still look whole when the way back has broken: what is sent into it is
    // lost.
    while (recorder.frames.length === 0) {
      a.send(2, utf8('welcome'));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert.equal(recorder.frames[0], '1:welcome');
    assert.equal(ra.disconnects.length, 1);
  });

  it('keeps little for a peer that is away: the newest', async () => {
    const [pa = 0, pb = 0] = await freePorts(2);
    const a = network(1, pa, [[2, pb]]);
    await a.start(new Recorder());
    for (let i = 0; i < 100; i++) a.send(2, new Uint8Array(4 * KiB));
    assert.ok(a.droppedFrames >= 84, `${a.droppedFrames}`);
  });

  it('refuses streams and calls from another cluster and from strangers, and logs it once', async () => {
    const [pa = 0, pb = 0] = await freePorts(2);
    const ours = network(1, pa, [[2, pb]]);
    const recorder = new Recorder();
    await ours.start(recorder);
    const other = network(2, pb, [[1, pa]], 8n);
    const heard = new Promise<void>((resolve) => {
      warned = () => { if (warnings.length >= 2) resolve(); };
    });
    await other.start(new Recorder());
    other.send(1, utf8('x'));
    await heard;
    assert.match(JSON.stringify(warnings), /cluster id mismatch: this is 7, the sender's is 8/);
    await assert.rejects(other.call(1, 'echo', utf8(''), 500), NetworkError);
    const stranger = network(3, (await freePorts(1))[0] ?? 0, [[1, pa]]);
    const told = new Promise<void>((resolve) => {
      warned = () => { if (JSON.stringify(warnings).includes('member 3 is not known here')) resolve(); };
    });
    await stranger.start(new Recorder());
    await told;
    assert.deepEqual(recorder.frames, []);
  });

  it('lets in a member of its cluster that it was not told of, and can call it', async () => {
    const [pa = 0, pb = 0] = await freePorts(2);
    const ours = network(1, pa, []);
    const recorder = new Recorder();
    await ours.start(recorder);
    assert.deepEqual(ours.guests(), []);
    const guest = network(3, pb, []);
    guest.setPeers(new Map([[1, [urlAt(pa)]]]), []);
    await guest.start(new Recorder());
    guest.send(1, utf8('hello'));
    await recorder.until(({ frames }) => frames.includes('3:hello'));
    assert.deepEqual(ours.guests(), [3]);
    assert.equal(fromUtf8(await ours.call(3, 'who', utf8('are you'), 5_000)), 'who are you');
    ours.setPeers(new Map([[3, [urlAt(pb)]]]), []);
    assert.deepEqual(ours.guests(), [], 'it was named');
  });

  it('takes host and port from a URL', () => {
    assert.equal(hostPort('http://10.0.0.1:2380'), '10.0.0.1:2380');
    assert.equal(hostPort('http://[::1]:2380'), '[::1]:2380');
  });
});
