/**
 * Who is where: the links between all nodes of a run, and the newest life at each of their ends.
 * Every two nodes have one link each way for the whole run; lives come and go. State only: others
 * move what is on it.
 */

import { assert } from '../../base/assert.js';
import type { NodeId } from '../../base/ids.js';
import type { SimEndpoint } from './endpoint.js';
import { Link, Pair } from './link.js';
import type { Weather } from './weather.js';

export class Topology {
  readonly nodes: readonly NodeId[];
  readonly #links = new Map<NodeId, Map<NodeId, Link>>();
  readonly #endpoints = new Map<NodeId, SimEndpoint>();

  constructor(nodes: readonly NodeId[], weather: Weather) {
    this.nodes = nodes;
    for (const from of nodes) this.#links.set(from, new Map());
    for (const a of nodes) {
      for (const b of nodes) {
        if (a >= b) continue;
        const pair = new Pair();
        this.#links.get(a)?.set(b, new Link(a, b, pair, weather));
        this.#links.get(b)?.set(a, new Link(b, a, pair, weather));
      }
    }
  }

  knows(id: NodeId): boolean {
    return this.#links.has(id);
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

  listens(id: NodeId): boolean {
    return this.#endpoints.get(id)?.listens === true;
  }
}
