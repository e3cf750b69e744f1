/**
 * The network between the nodes of a run, put together: who is where (topology), what the weather
 * does to links (climate), what stops them (cuts), which pairs are connected (connections), and
 * what travels between them: frames (carrier), calls and, beside the nodes, what clients send. Here
 * is what a node sees of it, its endpoint; faults reach for the part that they are about.
 */

import type { Network } from '../../base/env.js';
import type { NodeId } from '../../base/ids.js';
import type { Coverage } from '../model/coverage.js';
import type { Stream } from '../world/random.js';
import type { Process, World } from '../world/world.js';
import { Calls } from './calls.js';
import { Carrier } from './carrier.js';
import { ClientLinks } from './client-links.js';
import { Climate } from './climate.js';
import { Connections } from './connections.js';
import { Cuts } from './cuts.js';
import { MAX_FRAME_BYTES, SimEndpoint, type EndpointHost } from './endpoint.js';
import { Topology } from './topology.js';
import { flipEntry } from './flip-entry.js';
import type { Link } from './link.js';
import { seedWeather } from './weather.js';

export class SimNetwork {
  readonly clients: ClientLinks;
  readonly climate: Climate;
  readonly cuts: Cuts;
  /** Sees each frame of a living process when it is sent, before anything can happen to it. */
  onFrame: ((from: NodeId, to: NodeId, frame: Uint8Array) => void) | undefined;
  readonly #coverage: Coverage;
  readonly #random: Stream;
  readonly #topology: Topology;
  readonly #carrier: Carrier;
  readonly #connections: Connections;
  readonly #calls: Calls;
  readonly #host: EndpointHost;
  #lastFrame: Uint8Array | undefined;

  constructor(world: World, nodes: readonly NodeId[], coverage: Coverage) {
    const weather = seedWeather(world);
    const random = world.stream('network');
    const topology = new Topology(nodes, weather);
    const carrier = new Carrier(world, topology, random, coverage);
    const connections = new Connections(world, topology, carrier, random, coverage);
    this.clients = new ClientLinks(world, topology);
    this.climate = new Climate(topology, this.clients, weather);
    this.cuts = new Cuts({ world, topology, connections, carrier, clients: this.clients, random });
    this.#coverage = coverage;
    this.#random = random;
    this.#topology = topology;
    this.#carrier = carrier;
    this.#connections = connections;
    this.#calls = new Calls(world, coverage, topology);
    this.#host = {
      started: (endpoint) => connections.started(endpoint),
      stopped: (endpoint) => this.#stopped(endpoint),
      send: (endpoint, to, frame) => this.#send(endpoint, to, frame),
      call: (endpoint, to, method, request, timeoutMs) => this.#calls.call(endpoint, to, method, request, timeoutMs),
    };
  }

  get nodes(): readonly NodeId[] {
    return this.#topology.nodes;
  }

  /** The Network of a new life. What its last life had is over, also when nobody said so. */
  attach(process: Process): Network {
    const endpoint = new SimEndpoint(process, this.#host);
    const isFirst = this.#topology.endpoint(process.node) === undefined;
    this.#topology.attach(endpoint);
    if (!isFirst) this.#calls.gone(endpoint.id);
    return endpoint;
  }

  /**
   * The process is gone: the streams of its peers break after a while (what it sent before arrives
   * first), calls to it fail. Mostly its system says goodbye for it; a machine without power does
   * not, and a cut lets no goodbye through.
   */
  died(id: NodeId): void {
    const silent = this.#random.chance(1, 5);
    this.#connections.died(id, silent);
    if (!silent) this.#calls.gone(id);
  }

  isConnected(a: NodeId, b: NodeId): boolean {
    return this.#topology.link(a, b).pair.up;
  }

  /** The connection breaks, and comes back soon: what was on its way is lost. */
  reset(a: NodeId, b: NodeId): void {
    this.#connections.reset(this.#topology.link(a, b));
  }

  #stopped(endpoint: SimEndpoint): void {
    this.#calls.closed(endpoint);
    if (!endpoint.process.alive || this.#topology.endpoint(endpoint.id) !== endpoint) return;
    this.#connections.stopped(endpoint.id);
    this.#calls.gone(endpoint.id);
  }

  #send(endpoint: SimEndpoint, to: NodeId, frame: Uint8Array): void {
    const link = this.#topology.find(endpoint.id, to);
    if (link === undefined || this.#topology.endpoint(endpoint.id) !== endpoint) return;
    this.onFrame?.(endpoint.id, to, frame);
    if (frame.length > MAX_FRAME_BYTES) {
      this.#coverage.branch('network frame too large');
      return;
    }
    // One buffer sent to several peers must not be shared by them.
    const own = this.#flipped(link, frame) ?? (frame === this.#lastFrame ? frame.slice() : frame);
    this.#lastFrame = frame;
    if (!link.pair.up) return this.#carrier.hold(link, own);
    const { resetIn100000 } = link.weather;
    if (resetIn100000 > 0 && this.#random.chance(resetIn100000, 100_000)) return this.#connections.reset(link);
    this.#carrier.send(link, endpoint, own);
  }

  #flipped({ weather }: Link, frame: Uint8Array): Uint8Array | undefined {
    const { flipIn1000 } = weather;
    if (flipIn1000 === 0 || !this.#random.chance(flipIn1000, 1_000)) return undefined;
    const flipped = flipEntry(frame, this.#random);
    if (flipped !== undefined) this.#coverage.branch('entry flipped on its way');
    return flipped;
  }
}
