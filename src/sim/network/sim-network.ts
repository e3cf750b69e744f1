/**
 * The network between the nodes of a run. Each pair of nodes has a connection; while it lasts, frames arrive in the order they
 * were sent (unless the weather reorders), those of one turn of the sender's event loop in one turn of the receiver's; frames
 * may be lost, come twice, or wait. A delivery is an event of the receiving life: dead lives get nothing, paused ones get it later.
 * A connection that breaks tells each living end once (`onDisconnect`), as the real transport does: a process that is gone, an orderly
 * stop, a reset, a cut that lasts. It comes back by itself.
 */

import { assert } from '../../base/assert.js';
import { KiB } from '../../base/bytes.js';
import type { Network } from '../../base/env.js';
import type { NodeId } from '../../base/ids.js';
import type { Coverage } from '../model/coverage.js';
import type { Stream } from '../world/random.js';
import type { Process, World } from '../world/world.js';
import { Calls } from './calls.js';
import { ClientLinks } from './client-links.js';
import { MAX_FRAME_BYTES, SimEndpoint, type EndpointHost } from './endpoint.js';
import { Link, Pair, type Batch } from './link.js';
import { seedWeather, worse, type Weather } from './weather.js';

const MS = 1_000;
/** Kept while there is no connection, the newest, and no older than this (as the real transport does between two tries). */
const DETACHED_BYTES = 64 * KiB;
const DETACHED_US = 1_000 * MS;

interface Storm {
  readonly change: Partial<Weather>;
  /** Undefined: every link, and those of clients. */
  readonly hits: ((from: NodeId, to: NodeId) => boolean) | undefined;
}

export class SimNetwork {
  readonly clients: ClientLinks;
  /** Sees each frame of a living process when it is sent, before anything can happen to it. */
  onFrame: ((from: NodeId, to: NodeId, frame: Uint8Array) => void) | undefined;
  /** Words for a frame, for tapes; undefined leaves its delivery out. */
  describeFrame: ((frame: Uint8Array) => string | undefined) | undefined;
  readonly nodes: readonly NodeId[];
  readonly #world: World;
  readonly #coverage: Coverage;
  readonly #random: Stream;
  readonly #cutChance: Stream;
  readonly #calls: Calls;
  readonly #links = new Map<NodeId, Map<NodeId, Link>>();
  /** The newest life of each node. */
  readonly #endpoints = new Map<NodeId, SimEndpoint>();
  readonly #storms = new Set<Storm>();
  readonly #host: EndpointHost;
  #weather: Weather;
  #mendings = 0;
  #lastFrame: Uint8Array | undefined;

  constructor(world: World, nodes: readonly NodeId[], coverage: Coverage) {
    this.#world = world;
    this.#coverage = coverage;
    this.nodes = nodes;
    this.#weather = seedWeather(world);
    this.#random = world.stream('network');
    this.#cutChance = world.stream('network cuts');
    this.clients = new ClientLinks(world, (node) => this.#endpoints.get(node)?.process);
    this.#calls = new Calls(world, coverage, {
      knows: (id) => this.#links.has(id),
      link: (from, to) => this.#linkOf(from, to),
      endpoint: (id) => this.#endpoints.get(id),
    });
    for (const from of nodes) this.#links.set(from, new Map());
    for (const a of nodes) {
      for (const b of nodes) {
        if (a >= b) continue;
        const pair = new Pair();
        this.#links.get(a)?.set(b, new Link(a, b, pair, this.#weather));
        this.#links.get(b)?.set(a, new Link(b, a, pair, this.#weather));
      }
    }
    this.#blow();
    this.#host = {
      started: (endpoint) => this.#started(endpoint),
      stopped: (endpoint) => this.#stopped(endpoint),
      send: (endpoint, to, frame) => this.#send(endpoint, to, frame),
      call: (endpoint, to, method, request, timeoutMs) => this.#calls.call(endpoint, to, method, request, timeoutMs),
    };
  }

  /** The Network of a new life. What its last life had is over, also when nobody said so. */
  attach(process: Process): Network {
    const last = this.#endpoints.get(process.node);
    const endpoint = new SimEndpoint(process, this.#host);
    this.#endpoints.set(process.node, endpoint);
    if (last !== undefined) this.#calls.gone(endpoint.id, this.#endpoints.values());
    return endpoint;
  }

  /**
   * The process is gone: the streams of its peers break after a while (what it sent before arrives first), calls to it fail.
   * Mostly its system says goodbye for it; a machine without power does not, and a cut lets no goodbye through.
   */
  died(id: NodeId): void {
    const silent = this.#random.chance(1, 5);
    for (const peer of this.nodes) {
      if (peer === id) continue;
      const link = this.#linkOf(id, peer);
      link.takeHeld();
      const { pair } = link;
      pair.attempt++;
      if (!pair.up) continue;
      const { epoch } = pair;
      const now = this.#world.nowUs;
      const lateUs = silent || link.cuts > 0 ? this.#random.between(1_000 * MS, 6_000 * MS) : this.#delayUs(link);
      const noticeUs = Math.max(link.lastArrivalUs - now, 0) + lateUs;
      this.#world.schedule(noticeUs, () => {
        if (pair.epoch === epoch) this.#break(link, 'its process is gone');
      });
    }
    this.#calls.gone(id, this.#endpoints.values(), silent);
  }

  // --- Weather ---

  /** Of every day; the seed's own unless it is set. */
  get weather(): Weather {
    return this.#weather;
  }

  set weather(weather: Weather) {
    this.#weather = weather;
    this.#blow();
  }

  /** Worsens the weather on the links that are hit (all: clients' too), until the returned function is called. */
  storm(change: Partial<Weather>, hits?: (from: NodeId, to: NodeId) => boolean): () => void {
    const storm: Storm = { change, hits };
    this.#storms.add(storm);
    this.#blow();
    return () => {
      if (this.#storms.delete(storm)) this.#blow();
    };
  }

  calmStorms(): void {
    this.#storms.clear();
    this.#blow();
  }

  #blow(): void {
    this.clients.weather = this.#weather;
    for (const { change, hits } of this.#storms) if (hits === undefined) this.clients.weather = worse(this.clients.weather, change);
    for (const link of this.#allLinks()) {
      link.weather = this.#weather;
      for (const { change, hits } of this.#storms) {
        if (hits === undefined || hits(link.from, link.to)) link.weather = worse(link.weather, change);
      }
    }
  }

  // --- Cuts, clogs, resets ---

  isCut(from: NodeId, to: NodeId): boolean {
    return this.#linkOf(from, to).cuts > 0;
  }

  /** What leaves now arrives without anybody's doing, one way. */
  isClear(from: NodeId, to: NodeId): boolean {
    const { cuts, cloggedUntilUs } = this.#linkOf(from, to);
    return cuts === 0 && cloggedUntilUs <= this.#world.nowUs;
  }

  isConnected(a: NodeId, b: NodeId): boolean {
    return this.#linkOf(a, b).pair.up;
  }

  /** One way. Until the returned function is called, {@link mend} or {@link mendAll}; cuts add up. */
  cut(from: NodeId, to: NodeId): () => void {
    const link = this.#linkOf(from, to);
    link.cuts++;
    if (link.cuts === 1) this.#cutBegan(link);
    const { mends } = link;
    let undone = false;
    return () => {
      if (undone || link.mends !== mends) return;
      undone = true;
      link.cuts--;
      if (link.cuts === 0) this.#mended(link);
    };
  }

  mend(from: NodeId, to: NodeId): void {
    const link = this.#linkOf(from, to);
    if (link.cuts === 0) return;
    link.cuts = 0;
    link.mends++;
    this.#mended(link);
  }

  /** How often everything was mended: who cuts again and again stops when it was. */
  get mendings(): number {
    return this.#mendings;
  }

  mendAll(): void {
    this.#mendings++;
    for (const link of this.#allLinks()) this.mend(link.from, link.to);
    this.clients.mendAll();
  }

  /** What is sent on this way waits so long; beyond the bound of the queue it is dropped. */
  clog(from: NodeId, to: NodeId, forUs: number): void {
    const link = this.#linkOf(from, to);
    link.cloggedUntilUs = Math.max(link.cloggedUntilUs, this.#world.nowUs + forUs);
    this.#world.schedule(link.cloggedUntilUs - this.#world.nowUs, () => this.#release(link));
  }

  unclogAll(): void {
    for (const link of this.#allLinks()) {
      link.cloggedUntilUs = 0;
      this.#release(link);
    }
  }

  /** The connection breaks, and comes back soon: what was on its way is lost. */
  reset(a: NodeId, b: NodeId): void {
    const link = this.#linkOf(a, b);
    if (link.pair.up) this.#break(link, 'the connection was reset');
  }

  #cutBegan(link: Link): void {
    const cutEpoch = ++link.cutEpoch;
    // Half of the long cuts are noticed: a system gives up on what is never acknowledged, but not always within a run's cuts.
    if (this.#cutChance.chance(1, 2)) return;
    this.#world.schedule(this.#cutChance.between(2_000 * MS, 10_000 * MS), () => {
      if (link.cuts > 0 && link.cutEpoch === cutEpoch && link.pair.up) this.#break(link, 'it does not answer');
    });
  }

  #mended(link: Link): void {
    link.cutEpoch++;
    if (!link.pair.up) this.#connect(link, this.#random.between(10 * MS, 1_000 * MS));
  }

  // --- Connections ---

  async #started(endpoint: SimEndpoint): Promise<void> {
    for (const peer of this.nodes) {
      if (peer === endpoint.id) continue;
      const link = this.#linkOf(endpoint.id, peer);
      if (link.pair.up) this.#break(link, 'a new process is there');
      this.#connect(link, 0);
    }
    await this.#world.sleep(100, endpoint.process);
  }

  #stopped(endpoint: SimEndpoint): void {
    this.#calls.closed(endpoint);
    if (!endpoint.process.alive || this.#endpoints.get(endpoint.id) !== endpoint) return;
    for (const peer of this.nodes) {
      if (peer === endpoint.id) continue;
      const link = this.#linkOf(endpoint.id, peer);
      link.takeHeld();
      link.pair.attempt++;
      if (link.pair.up) this.#break(link, 'it stopped');
    }
    this.#calls.gone(endpoint.id, this.#endpoints.values());
  }

  #canConnect(link: Link): boolean {
    const back = this.#linkOf(link.to, link.from);
    return link.cuts === 0 && back.cuts === 0 && this.#listens(link.from) && this.#listens(link.to);
  }

  #listens(id: NodeId): boolean {
    return this.#endpoints.get(id)?.listens === true;
  }

  /** Tries once, after `delayUs`. Whatever makes a failed try worth another one (a start, a mend) tries again. */
  #connect(link: Link, delayUs: number): void {
    const { pair } = link;
    const attempt = ++pair.attempt;
    const first = this.#delayUs(link);
    this.#world.schedule(delayUs + first, () => {
      if (pair.attempt !== attempt || pair.up || !this.#canConnect(link)) return;
      // The one that answers must have its event loop: a paused process accepts nothing.
      const answering = this.#endpoints.get(link.to)?.process;
      const second = this.#delayUs(link);
      this.#world.schedule(second, () => {
        if (pair.attempt !== attempt || pair.up || !this.#canConnect(link)) return;
        this.#connected(link);
      }, answering);
    });
  }

  #connected(link: Link): void {
    link.pair.up = true;
    this.#tell(link, 'connected');
    for (const way of [link, this.#linkOf(link.to, link.from)]) {
      way.trim(DETACHED_BYTES, this.#world.nowUs - DETACHED_US);
      this.#release(way);
    }
  }

  /** Each end that lives is told, once: a break is a passage from up to down. */
  #break(link: Link, why: string): void {
    const { pair } = link;
    assert(pair.up, 'only what is up breaks');
    pair.up = false;
    pair.epoch++;
    this.#tell(link, why);
    this.#coverage.branch('network connection broken');
    const back = this.#linkOf(link.to, link.from);
    link.reset();
    back.reset();
    this.#notify(link.from, link.to);
    this.#notify(link.to, link.from);
    this.#connect(link, this.#random.between(10 * MS, 200 * MS));
  }

  #notify(id: NodeId, lost: NodeId): void {
    const endpoint = this.#endpoints.get(id);
    if (endpoint === undefined || !endpoint.listens) return;
    this.#world.schedule(1, () => {
      if (endpoint.isStopped) return;
      this.#world.trace.fold(id, lost);
      endpoint.handler?.onDisconnect(lost);
    }, endpoint.process);
  }

  // --- Frames ---

  #send(endpoint: SimEndpoint, to: NodeId, frame: Uint8Array): void {
    const link = this.#links.get(endpoint.id)?.get(to);
    if (link === undefined || this.#endpoints.get(endpoint.id) !== endpoint) return;
    this.onFrame?.(endpoint.id, to, frame);
    if (frame.length > MAX_FRAME_BYTES) {
      this.#coverage.branch('network frame too large');
      return;
    }
    // One buffer sent to several peers must not be shared by them.
    const own = frame === this.#lastFrame ? frame.slice() : frame;
    this.#lastFrame = frame;
    const now = this.#world.nowUs;
    const { pair, weather } = link;
    if (!pair.up) {
      link.hold(own, now);
      link.trim(DETACHED_BYTES, now - DETACHED_US);
      return;
    }
    if (weather.resetIn100000 > 0 && this.#random.chance(weather.resetIn100000, 100_000)) {
      this.#break(link, 'the connection was reset');
      return;
    }
    if (now < link.cloggedUntilUs) {
      if (link.heldBytes > 0 && link.heldBytes + own.length > weather.queueBytes) this.#dropped();
      else link.hold(own, now);
      return;
    }
    this.#transmit(link, own, this.#world.timeOf(endpoint.process));
  }

  /** Frames that waited go, if nothing holds them any more. */
  #release(link: Link): void {
    if (!link.pair.up || this.#world.nowUs < link.cloggedUntilUs || link.held.length === 0) return;
    const sender = this.#endpoints.get(link.from);
    const held = link.takeHeld();
    if (sender === undefined || !sender.listens) return;
    for (const { frame } of held) this.#transmit(link, frame, this.#world.nowUs);
  }

  #transmit(link: Link, frame: Uint8Array, departUs: number): void {
    const { weather } = link;
    const random = this.#random;
    const receiver = this.#endpoints.get(link.to);
    if (receiver === undefined || !receiver.process.alive || link.cuts > 0) return;
    if (weather.lossIn1000 > 0 && random.chance(weather.lossIn1000, 1000)) {
      this.#coverage.branch('network frame lost');
      return;
    }
    if (link.inFlightBytes > 0 && link.inFlightBytes + frame.length > weather.queueBytes) return this.#dropped();
    if (weather.duplicateIn1000 > 0 && random.chance(weather.duplicateIn1000, 1000)) {
      this.#coverage.branch('network frame duplicated');
      this.#stray(link, receiver, frame.slice(), departUs);
    }
    if (weather.reorderIn1000 > 0 && random.chance(weather.reorderIn1000, 1000)) {
      this.#coverage.branch('network frame reordered');
      this.#stray(link, receiver, frame, departUs);
      return;
    }
    link.inFlightBytes += frame.length;
    const { batch } = link;
    if (batch !== undefined && batch.departUs === departUs && batch.receiver === receiver) {
      batch.frames.push(frame);
      batch.bytes += frame.length;
      return;
    }
    this.#newBatch(link, receiver, frame, departUs);
  }

  #newBatch(link: Link, receiver: SimEndpoint, frame: Uint8Array, departUs: number): void {
    const batch: Batch = { departUs, epoch: link.pair.epoch, receiver, frames: [frame], bytes: frame.length };
    link.batch = batch;
    link.lastArrivalUs = Math.max(link.lastArrivalUs, departUs + this.#delayUs(link));
    this.#world.schedule(link.lastArrivalUs - this.#world.nowUs, () => {
      if (link.batch === batch) link.batch = undefined;
      if (link.pair.epoch !== batch.epoch) return;
      link.inFlightBytes -= batch.bytes;
      if (link.cuts > 0) return;
      for (const one of batch.frames) this.#deliver(link, receiver, one);
    }, receiver.process);
  }

  /** Outside the order of its link: a little later than those behind it, now and then much later. */
  #stray(link: Link, receiver: SimEndpoint, frame: Uint8Array, departUs: number): void {
    const random = this.#random;
    const extraUs = random.chance(1, 8) ? random.between(50 * MS, 3_000 * MS) : random.tail(8 * link.weather.delayMeanUs);
    const arrivalUs = departUs + this.#delayUs(link) + extraUs;
    this.#world.schedule(arrivalUs - this.#world.nowUs, () => {
      if (link.cuts === 0) this.#deliver(link, receiver, frame);
    }, receiver.process);
  }

  #deliver(link: Link, receiver: SimEndpoint, frame: Uint8Array): void {
    // The frame before it in the same turn may have been the receiver's last.
    if (!receiver.listens) return;
    const { trace } = this.#world;
    trace.fold(link.from, link.to);
    trace.foldBytes(frame);
    if (trace.taping) {
      const words = this.describeFrame?.(frame);
      if (words !== undefined) trace.row(this.#world.nowUs, link.to, `from ${link.from}: ${words}`);
    }
    receiver.handler?.onFrame(link.from, frame);
  }

  #dropped(): void {
    this.#coverage.branch('network queue full');
  }

  // --- Small things ---

  #delayUs(link: Link): number {
    return link.weather.delayMinUs + this.#random.tail(link.weather.delayMeanUs);
  }

  #linkOf(from: NodeId, to: NodeId): Link {
    const link = this.#links.get(from)?.get(to);
    assert(link !== undefined, `there is no way from ${from} to ${to}`);
    return link;
  }

  *#allLinks(): Generator<Link> {
    for (const byPeer of this.#links.values()) yield* byPeer.values();
  }

  #tell(link: Link, text: string): void {
    const { trace } = this.#world;
    if (trace.taping) trace.row(this.#world.nowUs, 0, `network ${link.from} - ${link.to}: ${text}`);
  }
}
