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
import { MAX_FRAME_BYTES, SimEndpoint, type EndpointHost, type Speaker } from './endpoint.js';
import { Topology } from './topology.js';
import { flipEntry } from './flip-entry.js';
import type { Link } from './link.js';
import { seedWeather } from './weather.js';

export class SimNetwork {
  readonly clients: ClientLinks;
  readonly climate: Climate;
  readonly cuts: Cuts;
  /**
   * Sees each frame of a living process when it is sent, before anything can happen to it: from
   * place to place.
   */
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
      repeered: (endpoint, removed) => {
        this.#calls.repeered(endpoint);
        this.#connections.repeered(endpoint, removed);
      },
      send: (endpoint, to, frame) => this.#send(endpoint, to, frame),
      call: (endpoint, to, method, request, timeoutMs) => this.#calls.call(endpoint, to, method, request, timeoutMs),
      describe: (endpoint, place, timeoutMs) => this.#calls.describeFor(endpoint, place, timeoutMs),
    };
  }

  get nodes(): readonly NodeId[] {
    return this.#topology.nodes;
  }

  /** One more machine. */
  add(place: NodeId): void {
    this.#topology.add(place, this.climate.everyDay);
    this.climate.spread();
  }

  /** See {@link Calls.describe}. */
  describe(from: NodeId, to: NodeId, method: string, answer: (reply: Uint8Array) => void): void {
    this.#calls.describe(from, to, method, answer);
  }

  /**
   * The Network of a new life. What its last life had is over, also when nobody said so. By default
   * it speaks as the member whose id is its place, and so do all others.
   */
  attach(process: Process, speaker?: Speaker): Network {
    const endpoint = new SimEndpoint(process, speaker ?? this.#asPlaced(process.node), this.#host);
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

  #asPlaced(member: NodeId): Speaker {
    return { member, peers: new Map(this.nodes.filter((id) => id !== member).map((id) => [id, id])) };
  }

  #stopped(endpoint: SimEndpoint): void {
    this.#calls.closed(endpoint);
    if (!endpoint.process.alive || this.#topology.endpoint(endpoint.id) !== endpoint) return;
    this.#connections.stopped(endpoint.id);
    this.#calls.gone(endpoint.id);
  }

  #send(endpoint: SimEndpoint, to: NodeId, frame: Uint8Array): void {
    const place = endpoint.placeOf(to);
    const link = place === undefined ? undefined : this.#topology.find(endpoint.id, place);
    if (link === undefined || this.#topology.endpoint(endpoint.id) !== endpoint) return;
    this.onFrame?.(endpoint.id, link.to, frame);
    if (frame.length > MAX_FRAME_BYTES) {
      this.#coverage.branch('network frame too large');
      return;
    }
    // One buffer sent to several peers must not be shared by them.
    const own = this.#flipped(link, frame) ?? (frame === this.#lastFrame ? frame.slice() : frame);
    this.#lastFrame = frame;
    if (!link.pair.up) return this.#carrier.hold(link, { to, frame: own });
    const { resetIn100000 } = link.weather;
    if (resetIn100000 > 0 && this.#random.chance(resetIn100000, 100_000)) return this.#connections.reset(link);
    this.#carrier.send(link, endpoint, { to, frame: own });
  }

  #flipped({ weather }: Link, frame: Uint8Array): Uint8Array | undefined {
    const { flipIn1000 } = weather;
    if (flipIn1000 === 0 || !this.#random.chance(flipIn1000, 1_000)) return undefined;
    const flipped = flipEntry(frame, this.#random);
    if (flipped !== undefined) this.#coverage.branch('entry flipped on its way');
    return flipped;
  }
}
