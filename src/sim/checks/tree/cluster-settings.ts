/**
 * S1: what shapes tables is the cluster's, by one entry of the log: the same on every member and in
 * every life, whatever its flags say.
 */

import type { Reporter } from '../base/reporter.js';
import type { WatchedNode } from '../../cluster/watched-node.js';

export class ClusterSettings {
  readonly #reporter: Reporter;
  #known: string | undefined;
  #who = 0;

  constructor(reporter: Reporter) {
    this.#reporter = reporter;
  }

  /** Now. What a member does not know yet is not wrong. */
  look(node: WatchedNode): void {
    const settings = node.running?.replica.settings;
    if (settings === undefined) return;
    const text = JSON.stringify(settings);
    if (this.#known === undefined) {
      this.#known = text;
      this.#who = node.id;
    }
    if (text === this.#known) return;
    this.#reporter.broken('the settings are those of the cluster', node.id, `S1 node ${node.id} has the settings ${text}, node ${this.#who} had ${this.#known}`);
  }
}
