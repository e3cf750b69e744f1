/**
 * R3: what is committed. By counting copies a leader commits only entries of its own term (Raft
 * paper, 5.4.2); what lies before them is committed along with them. So whoever first makes known
 * that an index is committed, and leads, has an entry of its term there.
 */

import type { LogIndex, Term } from '../../../base/ids.js';
import type { Reporter } from '../base/reporter.js';
import type { WatchedNode } from '../../cluster/watched-node.js';

export class Committed {
  readonly #reporter: Reporter;
  #highest: LogIndex = 0;
  #applied: { readonly index: LogIndex; readonly term: Term } = { index: 0, term: 0 };

  constructor(reporter: Reporter) {
    this.#reporter = reporter;
  }

  /** All that anybody has ever known to be committed. */
  get highest(): LogIndex {
    return this.#highest;
  }

  /** The last entry that anybody has applied, and its term. */
  get highestApplied(): { readonly index: LogIndex; readonly term: Term } {
    return this.#applied;
  }

  /** Somebody applied it. */
  applied(index: LogIndex, term: Term): void {
    if (index > this.#applied.index) this.#applied = { index, term };
  }

  /** `node` says so, or knows it. */
  saw(node: WatchedNode, index: LogIndex): void {
    if (index <= this.#highest) return;
    this.#highest = index;
    const replica = node.running?.replica;
    if (replica?.driver.node.isLeader !== true) return;
    const { log } = replica;
    // What is not in its durable log yet is of its own term.
    if (index > log.lastIndex() || index < log.firstIndex()) return;
    const { term } = replica.driver.node;
    const of = log.term(index);
    if (of === term) return;
    this.#reporter.broken('only entries of its own term are committed by counting', node.id, `R3 node ${node.id} leads in term ${term} and commits ${index}, which is of term ${of}`);
  }
}
