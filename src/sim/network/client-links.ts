/**
 * The ways between clients and nodes: each message takes its time, may be lost, and finds no way
 * while it is cut. Messages overtake each other: clients have many connections.
 */

import type { NodeId } from '../../base/ids.js';
import type { World } from '../world/world.js';
import type { Stream } from '../world/random.js';
import type { Topology } from './topology.js';
import { delayUs, FAIR, type Weather } from './weather.js';

export type ClientDirection = 'both' | 'to-node' | 'to-client';

interface ClientCut {
  toNode: number;
  toClient: number;
}

export class ClientLinks {
  weather: Weather = FAIR;
  readonly #world: World;
  readonly #random: Stream;
  readonly #topology: Topology;
  readonly #cuts = new Map<NodeId, Map<number, ClientCut>>();
  /** Raised by {@link mendAll}: cuts from before it cannot be undone once more. */
  #mends = 0;

  constructor(world: World, topology: Topology) {
    this.#world = world;
    this.#random = world.stream('network clients');
    this.#topology = topology;
  }

  /**
   * Runs `fn` when the message reaches the node's machine, whether or not a process is there to
   * take it; never if it is lost. It is the world's own event: what a node does about it belongs on
   * its process, by another one.
   */
  toNode(client: number, node: NodeId, fn: () => void): void {
    if (this.#isLost(client, node, true)) return;
    this.#world.schedule(this.#delayUs(), fn);
  }

  /**
   * Runs `fn` at the client when the message arrives; never if it is lost. What was sent before the
   * node died still arrives.
   */
  toClient(client: number, node: NodeId, fn: () => void): void {
    if (this.#isLost(client, node, false)) return;
    const process = this.#topology.endpoint(node)?.process;
    const stalledUs = process === undefined ? 0 : this.#world.timeOf(process) - this.#world.nowUs;
    this.#world.schedule(stalledUs + this.#delayUs(), fn);
  }

  isCut(client: number, node: NodeId, direction: 'to-node' | 'to-client'): boolean {
    const cut = this.#cuts.get(node)?.get(client);
    return cut !== undefined && (direction === 'to-node' ? cut.toNode : cut.toClient) > 0;
  }

  /** Until the returned function is called. */
  cutClient(client: number, node: NodeId, direction: ClientDirection = 'both'): () => void {
    const byClient = this.#cuts.get(node) ?? new Map<number, ClientCut>();
    this.#cuts.set(node, byClient);
    const cut = byClient.get(client) ?? { toNode: 0, toClient: 0 };
    byClient.set(client, cut);
    const toNode = direction === 'to-client' ? 0 : 1;
    const toClient = direction === 'to-node' ? 0 : 1;
    cut.toNode += toNode;
    cut.toClient += toClient;
    const mends = this.#mends;
    let undone = false;
    return () => {
      if (undone || this.#mends !== mends) return;
      undone = true;
      cut.toNode -= toNode;
      cut.toClient -= toClient;
    };
  }

  mendAll(): void {
    this.#mends++;
    this.#cuts.clear();
  }

  #isLost(client: number, node: NodeId, toNode: boolean): boolean {
    if (this.#cuts.size > 0 && this.isCut(client, node, toNode ? 'to-node' : 'to-client')) return true;
    const loss = this.weather.clientLossIn1000;
    return loss > 0 && this.#random.chance(loss, 1000);
  }

  #delayUs(): number {
    return delayUs(this.weather, this.#random);
  }
}
