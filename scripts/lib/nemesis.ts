/** What goes wrong, when, and for how long: chosen by a seed, told as a tape. */

import type { Cluster } from './cluster.js';
import type { ClusterNode } from './node.js';
import type { CutKind, PeerProxies } from './proxy.js';
import { flipBit, regionsOf, tablesBySize } from './tables.js';

export type Deed = 'kill' | 'kill leader' | 'kill all' | 'pause' | 'restart' | 'isolate' | 'deafen' | 'mute' | 'cut pair' | 'bit flips';

/** Weights: the common faults often, the worst rarely. */
const DEEDS: readonly (readonly [Deed, number])[] = [
  ['kill', 3], ['kill leader', 3], ['kill all', 1], ['pause', 4], ['restart', 2], ['isolate', 4], ['deafen', 2], ['mute', 2], ['cut pair', 2],
  ['bit flips', 4],
];

export class Nemesis {
  readonly #cluster: Cluster;
  readonly #proxies: PeerProxies;
  readonly #random: () => number;
  readonly #say: (text: string) => void;
  readonly done = new Map<Deed, number>();
  flippedBits = 0;

  constructor(cluster: Cluster, proxies: PeerProxies, random: () => number, say: (text: string) => void) {
    this.#cluster = cluster;
    this.#proxies = proxies;
    this.#random = random;
    this.#say = say;
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)] as T;
  }

  #pickDeed(): Deed {
    const possible = DEEDS.filter(([deed]) => deed !== 'bit flips' || this.#cluster.node(0).spec.binary.kind === 'kintsugi');
    let dice = this.#random() * possible.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [deed, weight] of possible) if ((dice -= weight) < 0) return deed;
    return 'kill';
  }

  async #wait(from: number, to: number): Promise<number> {
    const ms = Math.round(from + this.#random() * (to - from));
    await new Promise((resolve) => setTimeout(resolve, ms));
    return ms;
  }

  /** Does one thing, if none is given one of its choice; resolves when it is undone. */
  async strike(deed = this.#pickDeed()): Promise<void> {
    this.done.set(deed, (this.done.get(deed) ?? 0) + 1);
    const node = this.#pick(this.#cluster.nodes);
    switch (deed) {
      case 'kill':
        return this.#kill([node], deed);
      case 'kill leader':
        return this.#kill([await this.#cluster.leader().catch(() => node)], deed);
      case 'kill all':
        return this.#kill(this.#cluster.nodes, deed);
      case 'pause':
        return this.#pause(node);
      case 'restart':
        await node.stop('SIGTERM', 8000);
        this.#say(`restart of ${node.name}, orderly`);
        return node.start();
      case 'bit flips':
        return this.#flipBits(node);
      default:
        return this.#partition(deed, node);
    }
  }

  async #kill(nodes: readonly ClusterNode[], deed: Deed): Promise<void> {
    for (const node of nodes) node.signal('SIGKILL');
    await Promise.all(nodes.map((node) => node.stop('SIGKILL')));
    const ms = await this.#wait(200, 2500);
    this.#say(`${deed}: kill -9 of ${nodes.map((n) => n.name).join(', ')}, back after ${ms} ms`);
    for (const node of nodes) node.start();
  }

  async #pause(node: ClusterNode): Promise<void> {
    node.signal('SIGSTOP');
    const ms = await this.#wait(300, 4000);
    node.signal('SIGCONT');
    this.#say(`pause of ${node.name} for ${ms} ms`);
  }

  async #partition(deed: 'isolate' | 'deafen' | 'mute' | 'cut pair', node: ClusterNode): Promise<void> {
    const kind: CutKind = this.#random() < 0.5 ? 'silent' : 'reset';
    const all = this.#cluster.nodes.map((_, i) => i);
    const x = this.#cluster.nodes.indexOf(node);
    const others = deed === 'cut pair' ? [this.#pick(all.filter((i) => i !== x))] : all.filter((i) => i !== x);
    for (const other of others) {
      if (deed !== 'mute') this.#proxies.cut(other, x, kind);
      if (deed !== 'deafen') this.#proxies.cut(x, other, kind);
    }
    const ms = await this.#wait(500, 5000);
    this.#proxies.healAll();
    const whom = deed === 'cut pair' ? `${node.name} and ${this.#cluster.node(others[0] ?? 0).name}` : node.name;
    this.#say(`partition (${kind}): ${deed} ${whom} for ${ms} ms`);
  }

  async #flipBits(node: ClusterNode): Promise<void> {
    let flipped = 0;
    for (const { file } of tablesBySize(node).slice(0, 4)) {
      try {
        const regions = (await regionsOf(file)).regions;
        for (let i = 0; i < Math.min(8, regions.length); i++) {
          const region = this.#pick(regions);
          flipBit(file, region.offset + Math.floor(this.#random() * region.length), Math.floor(this.#random() * 8));
          flipped++;
        }
      } catch {
        // The table was compacted away meanwhile.
      }
    }
    this.flippedBits += flipped;
    this.#say(`bit flips: ${flipped} in tables of ${node.name}`);
    await this.#wait(100, 500);
  }
}
