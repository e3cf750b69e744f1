/**
 * R4, design 5.7: nothing is served before E is applied, for the tables of a version may lack what the states before its E still need; and
 * nothing in a life that is older than what was served in it.
 */

import type { LogIndex, NodeId } from '../../../base/ids.js';
import type { Replica } from '../../../replica/replica.js';
import type { Reporter } from '../base/reporter.js';
import type { WatchedNode } from '../../cluster/watched-node.js';

export class ServedState {
  readonly #reporter: Reporter;
  readonly #served = new Map<NodeId, { readonly replica: Replica; index: LogIndex }>();

  constructor(reporter: Reporter) {
    this.#reporter = reporter;
  }

  /** Now: cheap enough for every message. */
  look({ id, running }: WatchedNode): void {
    const replica = running?.replica;
    if (replica?.reads.open !== true) return;
    const { index } = replica.applier;
    const { last } = replica.tree.durable;
    if (index < last.index) this.#reporter.broken('nothing is served before E', id, `R4 node ${id} serves the state as of ${index}; its tables are of ${last.index}`);
    const served = this.#served.get(id);
    if (served?.replica !== replica) this.#served.set(id, { replica, index });
    else if (index >= served.index) served.index = index;
    else this.#reporter.broken('what is served never goes back', id, `R4 node ${id} has served the state as of ${served.index}, now as of ${index}`);
  }
}
