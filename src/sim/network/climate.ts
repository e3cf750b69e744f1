/**
 * The weather that holds on each link: the everyday weather, and over it whatever storms rage.
 * Always true: the weather of a link is the worst of all that hits it, so that storms may begin and
 * end in any order.
 */

import type { NodeId } from '../../base/ids.js';
import type { ClientLinks } from './client-links.js';
import type { Topology } from './topology.js';
import { worse, type Weather } from './weather.js';

interface Storm {
  readonly change: Partial<Weather>;
  /** Undefined: every link, and those of clients. */
  readonly hits: ((from: NodeId, to: NodeId) => boolean) | undefined;
}

export class Climate {
  readonly #topology: Topology;
  readonly #clients: ClientLinks;
  readonly #storms = new Set<Storm>();
  #everyDay: Weather;

  constructor(topology: Topology, clients: ClientLinks, everyDay: Weather) {
    this.#topology = topology;
    this.#clients = clients;
    this.#everyDay = everyDay;
    this.#blow();
  }

  /** The seed's own unless it is set. */
  get everyDay(): Weather {
    return this.#everyDay;
  }

  set everyDay(weather: Weather) {
    this.#everyDay = weather;
    this.#blow();
  }

  /**
   * Worsens the weather on the links that are hit (all: clients' too), until the returned function
   * is called.
   */
  storm(change: Partial<Weather>, hits?: (from: NodeId, to: NodeId) => boolean): () => void {
    const storm: Storm = { change, hits };
    this.#storms.add(storm);
    this.#blow();
    return () => {
      if (this.#storms.delete(storm)) this.#blow();
    };
  }

  /** There are more links. */
  spread(): void {
    this.#blow();
  }

  calmStorms(): void {
    this.#storms.clear();
    this.#blow();
  }

  #blow(): void {
    this.#clients.weather = this.#everyDay;
    for (const { change, hits } of this.#storms) if (hits === undefined) this.#clients.weather = worse(this.#clients.weather, change);
    for (const link of this.#topology.links()) {
      link.weather = this.#everyDay;
      for (const { change, hits } of this.#storms) {
        if (hits === undefined || hits(link.from, link.to)) link.weather = worse(link.weather, change);
      }
    }
  }
}
