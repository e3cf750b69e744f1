/**
 * Who is where: the links between all nodes of a run, and the newest life at each of their ends.
 * Every two nodes have one link each way from the moment at which both are there; lives come and
 * go, and the members as which they speak. State only: others move what is on it.
 */

import { assert } from '../../base/assert.js';
import type { NodeId } from '../../base/ids.js';
import type { SimEndpoint } from './endpoint.js';
import { Link, Pair } from './link.js';
import type { Weather } from './weather.js';

export class Topology {
  readonly #links = new Map<NodeId, Map<NodeId, Link>>();
  readonly #endpoints = new Map<NodeId, SimEndpoint>();

  constructor(nodes: readonly NodeId[], weather: Weather) {
    for (const node of nodes) this.add(node, weather);
  }

  /** All places, in the order in which they came. */
  get nodes(): readonly NodeId[] {
    return [...this.#links.keys()];
  }

  /** One more machine, with a link each way to all that are there. */
  add(place: NodeId, weather: Weather): void {
    assert(!this.#links.has(place), `there is no other place ${place}`);
    const own = new Map<NodeId, Link>();
    for (const [other, links] of this.#links) {
      const pair = new Pair();
      links.set(place, new Link(other, place, pair, weather));
      own.set(other, new Link(place, other, pair, weather));
    }
    this.#links.set(place, own);
  }

  /** Undefined: there is no such node, or it is the sender itself. */
  find(from: NodeId, to: NodeId): Link | undefined {
    return this.#links.get(from)?.get(to);
  }

  link(from: NodeId, to: NodeId): Link {
    const link = this.find(from, to);
    assert(link !== undefined, `there is no way from ${from} to ${to}`);
    return link;
  }

  /** The other direction of the same two nodes. */
  back({ from, to }: Link): Link {
    return this.link(to, from);
  }

  /** Of one node, to each of its peers. */
  linksFrom(id: NodeId): Iterable<Link> {
    return this.#links.get(id)?.values() ?? [];
  }

  *links(): Generator<Link> {
    for (const byPeer of this.#links.values()) yield* byPeer.values();
  }

  /** A new life; what the node had before is over. */
  attach(endpoint: SimEndpoint): void {
    this.#endpoints.set(endpoint.id, endpoint);
  }

  /** The newest life of that node, dead or alive. */
  endpoint(id: NodeId): SimEndpoint | undefined {
    return this.#endpoints.get(id);
  }

  endpoints(): Iterable<SimEndpoint> {
    return this.#endpoints.values();
  }
}
