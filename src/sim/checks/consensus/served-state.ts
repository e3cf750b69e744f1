/**
 * R4: nothing is served before the materialized index is applied: the tables of a version were
 * compacted as of that index, and may lack what older states need. And within a life nothing is
 * served that is older than what was served before.
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

  /** As it is now: cheap enough to be called for every message. */
  look({ id, running }: WatchedNode): void {
    const replica = running?.replica;
    if (replica?.reads.open !== true) return;
    const { index } = replica.applier;
    const { last } = replica.tree.durable;
    if (index < last.index) this.#reporter.broken('nothing is served before the materialized index', id, `R4 node ${id} serves the state as of ${index}; its tables are of ${last.index}`);
    const served = this.#served.get(id);
    if (served?.replica !== replica) this.#served.set(id, { replica, index });
    else if (index >= served.index) served.index = index;
    else this.#reporter.broken('what is served never goes back', id, `R4 node ${id} has served the state as of ${served.index}, now as of ${index}`);
  }
}
