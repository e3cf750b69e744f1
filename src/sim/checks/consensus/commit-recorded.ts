/**
 * R3: the commit index that is written with a batch is of the log that ends with this batch. It
 * never names an entry behind the batch, and the entry that it names there is the one that the
 * cluster applies at that index. A restart believes what is recorded, so one that was taken later,
 * when the log had gone on to another leader's, makes an entry committed that never was.
 */

import type { LogIndex, NodeId, Term } from '../../../base/ids.js';
import type { Entry } from '../../../raft/types.js';
import type { Replica } from '../../../replica/replica.js';
import type { Reporter } from '../base/reporter.js';
import type { WatchedNode } from '../../cluster/watched-node.js';

const CHECK = 'the commit index is of the log that is written';

interface Recorded {
  readonly node: NodeId;
  readonly term: Term;
}

export class CommitRecorded {
  readonly #reporter: Reporter;
  /** By index: the term of the entry there as somebody applied it. */
  readonly #applied: Term[] = [];
  /** By index: what was recorded as committed before anybody applied it. */
  readonly #recorded = new Map<LogIndex, Recorded>();

  constructor(reporter: Reporter) {
    this.#reporter = reporter;
  }

  /** Sees what this replica's log is asked to write, from now on. */
  watch({ id }: WatchedNode, { log }: Pick<Replica, 'log'>): void {
    const append = log.append.bind(log);
    log.append = (entries, commit) => {
      this.#look(id, log, entries, commit);
      return append(entries, commit);
    };
  }

  onApplied({ id }: WatchedNode, { index, term }: Entry): void {
    this.#applied[index] ??= term;
    const recorded = this.#recorded.get(index);
    if (recorded === undefined) return;
    this.#recorded.delete(index);
    if (recorded.term !== term) this.#wrong(recorded.node, index, recorded.term, `node ${id} applies one of term ${term}`);
  }

  #look(id: NodeId, log: Replica['log'], entries: readonly Entry[], commit: LogIndex): void {
    const first = entries[0]?.index ?? 0;
    const last = first + entries.length - 1;
    if (commit > last) {
      this.#reporter.broken(CHECK, id, `R3 node ${id} writes entries ${first} to ${last} and records that ${commit} is committed`);
      return;
    }
    if (commit < log.firstIndex()) return;
    const term = commit >= first ? (entries[commit - first] as Entry).term : log.term(commit);
    const applied = this.#applied[commit];
    if (applied === undefined) this.#recorded.set(commit, { node: id, term });
    else if (applied !== term) this.#wrong(id, commit, term, `an entry of term ${applied} was applied`);
  }

  #wrong(node: NodeId, index: LogIndex, term: Term, but: string): void {
    this.#reporter.broken(CHECK, node, `R3 node ${node} recorded its entry ${index} of term ${term} as committed; ${but}`);
  }
}
