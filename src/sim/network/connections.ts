/**
 * The connections between nodes, one for each pair. A connection that breaks tells each living end
 * once (`onDisconnect`), as the real transport does: a process that is gone, an orderly stop, a
 * reset, a cut that lasts. It comes back by itself once both live and no direction is cut.
 */

import { assert } from '../../base/assert.js';
import type { NodeId } from '../../base/ids.js';
import type { Coverage } from '../model/coverage.js';
import type { Stream } from '../world/random.js';
import type { World } from '../world/world.js';
import type { Carrier } from './carrier.js';
import type { SimEndpoint } from './endpoint.js';
import type { Link } from './link.js';
import type { Topology } from './topology.js';
import { delayUs } from './weather.js';

const MS = 1_000;

export class Connections {
  readonly #world: World;
  readonly #topology: Topology;
  readonly #carrier: Carrier;
  readonly #random: Stream;
  readonly #coverage: Coverage;

  constructor(world: World, topology: Topology, carrier: Carrier, random: Stream, coverage: Coverage) {
    this.#world = world;
    this.#topology = topology;
    this.#carrier = carrier;
    this.#random = random;
    this.#coverage = coverage;
  }

  /** A new life listens. */
  async started(endpoint: SimEndpoint): Promise<void> {
    for (const link of this.#topology.linksFrom(endpoint.id)) {
      if (link.pair.up) this.break(link, 'a new process is there');
      this.connect(link, 0);
    }
    await this.#world.sleep(100, endpoint.process);
  }

  /** A life has closed its network in good order. */
  stopped(id: NodeId): void {
    for (const link of this.#topology.linksFrom(id)) {
      link.takeHeld();
      link.pair.attempt++;
      if (link.pair.up) this.break(link, 'it stopped');
    }
  }

  /**
   * The process is gone: its peers notice after a while, `silent` ones after a long while. What it
   * sent before arrives first.
   */
  died(id: NodeId, silent: boolean): void {
    for (const link of this.#topology.linksFrom(id)) {
      link.takeHeld();
      const { pair } = link;
      pair.attempt++;
      if (!pair.up) continue;
      const { epoch } = pair;
      const now = this.#world.nowUs;
      const lateUs = silent || link.cuts > 0 ? this.#random.between(1_000 * MS, 6_000 * MS) : this.#delayUs(link);
      const noticeUs = Math.max(link.lastArrivalUs - now, 0) + lateUs;
      this.#world.schedule(noticeUs, () => {
        if (pair.epoch === epoch) this.break(link, 'its process is gone');
      });
    }
  }

  /** The connection breaks, and comes back soon: what was on its way is lost. */
  reset(link: Link): void {
    if (link.pair.up) this.break(link, 'the connection was reset');
  }

  /**
   * Tries once, after `delay` microseconds. Whatever makes a failed try worth another one (a start,
   * a mend) tries again.
   */
  connect(link: Link, delay: number): void {
    const { pair } = link;
    const attempt = ++pair.attempt;
    const first = this.#delayUs(link);
    this.#world.schedule(delay + first, () => {
      if (pair.attempt !== attempt || pair.up || !this.#canConnect(link)) return;
      // The one that answers must have its event loop: a paused process accepts nothing.
      const answering = this.#topology.endpoint(link.to)?.process;
      const second = this.#delayUs(link);
      this.#world.schedule(second, () => {
        if (pair.attempt !== attempt || pair.up || !this.#canConnect(link)) return;
        this.#connected(link);
      }, answering);
    });
  }

  /** It talks with others from now on: who was removed is told, and new ones are connected to. */
  repeered(endpoint: SimEndpoint, removed: readonly NodeId[]): void {
    for (const link of this.#topology.linksFrom(endpoint.id)) {
      const { pair } = link;
      const there = pair.members.get(link.to);
      if (pair.up && there !== undefined && removed.includes(there)) this.#refuse(this.#topology.back(link), endpoint);
      if (!pair.up && endpoint.listens) this.connect(link, 0);
    }
  }

  /** Each end that lives is told, once: a break is a passage from up to down. */
  break(link: Link, why: string): void {
    const { pair } = link;
    assert(pair.up, 'only what is up breaks');
    pair.up = false;
    pair.epoch++;
    this.#tell(link, why);
    this.#coverage.branch('network connection broken');
    link.reset();
    this.#topology.back(link).reset();
    this.#notify(link.from, pair.members.get(link.to) ?? 0);
    this.#notify(link.to, pair.members.get(link.from) ?? 0);
    this.connect(link, this.#random.between(10 * MS, 200 * MS));
  }

  #connected(link: Link): void {
    const { pair } = link;
    const back = this.#topology.back(link);
    pair.up = true;
    for (const each of [link, back]) {
      const [sender, receiver] = [this.#topology.endpoint(each.from), this.#topology.endpoint(each.to)];
      if (sender === undefined || receiver === undefined) continue;
      pair.members.set(each.from, sender.member);
      if (receiver.refuses(sender.member)) this.#refuse(each, receiver);
    }
    this.#tell(link, 'connected');
    this.#carrier.attached(link);
    this.#carrier.attached(back);
  }

  /**
   * What is sent on this link is not taken, because its sender was removed: it is told; where it
   * cannot be reached, when it connects again.
   */
  #refuse(link: Link, by: SimEndpoint): void {
    const sender = this.#topology.endpoint(link.from);
    if (sender === undefined) return;
    const { pair } = link;
    const { epoch } = pair;
    this.#world.schedule(this.#delayUs(link), () => {
      if (!sender.listens) return;
      if (link.cuts === 0 && this.#topology.back(link).cuts === 0) sender.handler?.onRemoved(by.member);
      else if (pair.up && pair.epoch === epoch) this.break(link, 'who was removed could not be told');
    }, sender.process);
  }

  #canConnect(link: Link): boolean {
    const topology = this.#topology;
    if (link.cuts > 0 || topology.back(link).cuts > 0) return false;
    const [a, b] = [topology.endpoint(link.from), topology.endpoint(link.to)];
    if (a === undefined || b === undefined || !a.listens || !b.listens) return false;
    return a.placeOf(b.member) === b.id || b.placeOf(a.member) === a.id;
  }

  #notify(id: NodeId, lost: NodeId): void {
    const endpoint = this.#topology.endpoint(id);
    if (endpoint === undefined || !endpoint.listens) return;
    this.#world.schedule(1, () => {
      if (endpoint.isStopped || !endpoint.knows(lost)) return;
      this.#world.trace.fold(id, lost);
      endpoint.handler?.onDisconnect(lost);
    }, endpoint.process);
  }

  #delayUs(link: Link): number {
    return delayUs(link.weather, this.#random);
  }

  #tell(link: Link, text: string): void {
    const { trace } = this.#world;
    if (trace.taping) trace.row(this.#world.nowUs, 0, `network ${link.from} - ${link.to}: ${text}`);
  }
}
