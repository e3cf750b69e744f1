/**
 * S3: only the leader shapes the tree: whoever a seal or a plan names as its proposer led in the
 * term of the entry, and no such entry is ever forwarded. S5: what a pending plan reads is live
 * until the plan is over. S2: whoever carries a plan out gets the same bytes; no memory fails in a
 * simulation, so a production that differs from others is a fault of the store.
 */

import type { LogIndex, NodeId, Term } from '../../../base/ids.js';
import type { Entry } from '../../../raft/types.js';
import { decodeLogRecord } from '../../../replica/entry/entry.js';
import type { Replica } from '../../../replica/replica.js';
import type { Version } from '../../../storage/version/version.js';
import type { DamageOracle } from '../../oracle/damage-oracle.js';
import { TREE_ENTRY } from '../consensus/raft-frames.js';
import type { Reporter } from '../base/reporter.js';
import type { WatchedNode } from '../../cluster/watched-node.js';

export class TreeOps {
  readonly #reporter: Reporter;
  readonly #oracle: DamageOracle;
  readonly #leaderOf: (term: Term) => NodeId | undefined;
  #looked: LogIndex = 0;

  constructor(reporter: Reporter, oracle: DamageOracle, leaderOf: (term: Term) => NodeId | undefined) {
    this.#reporter = reporter;
    this.#oracle = oracle;
    this.#leaderOf = leaderOf;
  }

  /** Listens to what this replica proposes, from now on. */
  watch(node: WatchedNode, replica: Replica): void {
    const { proposer } = replica;
    const propose = proposer.propose.bind(proposer);
    proposer.propose = (op) => {
      const proposed = propose(op);
      if (proposed) this.#proposed(node, replica, op.kind);
      return proposed;
    };
  }

  /**
   * Until it has applied an entry of its term, a leader decides by a tree that the entries of
   * others may still change.
   */
  #proposed(node: WatchedNode, { log, applier, driver }: Replica, kind: string): void {
    const { term } = driver.node;
    const { index } = applier;
    if (index >= log.firstIndex() - 1 && log.term(index) === term) return;
    this.#reporter.broken('leaders shape the tree once they know it', node.id,
      `S3 node ${node.id} leads in term ${term}, has applied nothing of it (${index}), and proposes a ${kind}`);
  }

  /**
   * An entry was applied, and left this version. Each is looked at where it is applied first: log
   * matching is for the others.
   */
  onApplied(node: NodeId, { index, term, data }: Entry, latest: Version): void {
    if (data[0] !== TREE_ENTRY || index <= this.#looked) return;
    this.#looked = index;
    this.#proposer(node, index, term, data);
    for (const plan of latest.plans) {
      const gone = plan.inputs.find((input) => !latest.has(input.id));
      if (gone === undefined) continue;
      this.#reporter.broken('inputs of pending plans are live', node, `S5 after entry ${index} plan ${plan.index} is pending, and its input ${gone.id} is live no more`);
    }
  }

  /** A follower sends it on to the leader. */
  forwarded(from: NodeId): void {
    this.#reporter.broken('tree ops are not forwarded', from, `S3 node ${from} forwards an entry that shapes the tree`);
  }

  disagreed(node: NodeId, plan: LogIndex, nodes: readonly NodeId[]): void {
    // A member that says that it cannot carry a plan out disagrees as well.
    if (this.#oracle.verdict.lostBlock() !== undefined) return;
    this.#reporter.broken('all replicas produce the same', node, `S2 for plan ${plan} node ${nodes.join(', ')} produced other bytes than the others`);
  }

  #proposer(node: NodeId, index: LogIndex, term: Term, data: Uint8Array): void {
    const record = decodeLogRecord(data);
    if (record.kind !== 'tree' || (record.op.kind !== 'seal' && record.op.kind !== 'plan')) return;
    const { proposer, kind } = record.op;
    const leader = this.#leaderOf(term);
    if (leader === undefined || leader === proposer) return;
    this.#reporter.broken('only the leader shapes the tree', node, `S3 the ${kind} at ${index} is of node ${proposer}; node ${leader} led in term ${term}`);
  }
}
