/**
 * What stops the traffic of a link: cuts, which add up and lose what is sent or arrives, and clogs,
 * which make it wait. Always true: a link carries again once every cut of it is undone, or all were
 * mended at once; whoever undoes a cut after that changes nothing.
 */

import type { NodeId } from '../../base/ids.js';
import type { Stream } from '../world/random.js';
import type { World } from '../world/world.js';
import type { Carrier } from './carrier.js';
import type { ClientLinks } from './client-links.js';
import type { Connections } from './connections.js';
import type { Link } from './link.js';
import type { Topology } from './topology.js';

const MS = 1_000;

/** What cuts and clogs act on. */
export interface CutParts {
  readonly world: World;
  readonly topology: Topology;
  readonly connections: Connections;
  readonly carrier: Carrier;
  readonly clients: ClientLinks;
  readonly random: Stream;
}

export class Cuts {
  readonly #world: World;
  readonly #topology: Topology;
  readonly #connections: Connections;
  readonly #carrier: Carrier;
  readonly #clients: ClientLinks;
  readonly #random: Stream;
  readonly #noticed: Stream;
  #mendings = 0;

  constructor({ world, topology, connections, carrier, clients, random }: CutParts) {
    this.#world = world;
    this.#topology = topology;
    this.#connections = connections;
    this.#carrier = carrier;
    this.#clients = clients;
    this.#random = random;
    this.#noticed = world.stream('network cuts');
  }

  isCut(from: NodeId, to: NodeId): boolean {
    return this.#topology.link(from, to).cuts > 0;
  }

  /** What leaves now arrives without anybody's doing, one way. */
  isClear(from: NodeId, to: NodeId): boolean {
    const { cuts, cloggedUntilUs } = this.#topology.link(from, to);
    return cuts === 0 && cloggedUntilUs <= this.#world.nowUs;
  }

  /** One way. Until the returned function is called, or {@link mendAll}; cuts add up. */
  cut(from: NodeId, to: NodeId): () => void {
    const link = this.#topology.link(from, to);
    link.cuts++;
    if (link.cuts === 1) this.#began(link);
    const { mends } = link;
    let undone = false;
    return () => {
      if (undone || link.mends !== mends) return;
      undone = true;
      link.cuts--;
      if (link.cuts === 0) this.#ended(link);
    };
  }

  /** How often everything was mended: who cuts again and again stops when it was. */
  get mendings(): number {
    return this.#mendings;
  }

  /** Clients' cuts too. */
  mendAll(): void {
    this.#mendings++;
    for (const link of this.#topology.links()) {
      if (link.cuts === 0) continue;
      link.cuts = 0;
      link.mends++;
      this.#ended(link);
    }
    this.#clients.mendAll();
  }

  /** What is sent on this way waits so long; beyond the bound of the queue it is dropped. */
  clog(from: NodeId, to: NodeId, forUs: number): void {
    const link = this.#topology.link(from, to);
    link.cloggedUntilUs = Math.max(link.cloggedUntilUs, this.#world.nowUs + forUs);
    this.#world.schedule(link.cloggedUntilUs - this.#world.nowUs, () => this.#carrier.release(link));
  }

  unclogAll(): void {
    for (const link of this.#topology.links()) {
      link.cloggedUntilUs = 0;
      this.#carrier.release(link);
    }
  }

  #began(link: Link): void {
    const cutEpoch = ++link.cutEpoch;
    // Half of the long cuts are noticed: a system gives up on what is never acknowledged, but not
    // always within a run's cuts.
    if (this.#noticed.chance(1, 2)) return;
    this.#world.schedule(this.#noticed.between(2_000 * MS, 10_000 * MS), () => {
      if (link.cuts > 0 && link.cutEpoch === cutEpoch && link.pair.up) this.#connections.break(link, 'it does not answer');
    });
  }

  #ended(link: Link): void {
    link.cutEpoch++;
    if (!link.pair.up) this.#connections.connect(link, this.#random.between(10 * MS, 1_000 * MS));
  }
}
