/**
 * R2, R3: an acknowledgement names entries that are durable where it comes from, so they are still
 * there after any crash. D1: what a leader calls committed is durable on a majority: by the
 * acknowledgements of its own term, and its own log.
 *
 * R3: what is acknowledged is what the leader that is told has there: otherwise it counts a copy of
 * something else.
 *
 * An acknowledged entry that was never committed may be replaced by a leader of a later term, and a
 * snapshot may take the place of the log; only then may it be gone when the log is opened again.
 */

import type { LogIndex, NodeId, Term } from '../../../base/ids.js';
import type { Committed } from './committed.js';
import type { Configurations } from './configurations.js';
import type { DamageOracle } from '../../oracle/damage-oracle.js';
import { MSG_APP, MSG_APP_RESP, MSG_HEARTBEAT, type MessageHead } from './raft-frames.js';
import type { Reporter } from '../base/reporter.js';
import type { WatchedNode } from '../../cluster/watched-node.js';

/** The newest acknowledgement of a node. */
interface Promised {
  /** Of the message: which leader was told. */
  readonly term: Term;
  readonly index: LogIndex;
  /** Of the entry. */
  readonly entryTerm: Term;
}

/** Leaders of so many terms may still count what they were told. */
const TERMS_KEPT = 16;
/** What is committed by a configuration is said within this. */
const CHANGED_US = 2_000_000;

export class Acknowledged {
  readonly #reporter: Reporter;
  readonly #oracle: DamageOracle;
  readonly #configurations: Configurations;
  readonly #promised = new Map<NodeId, Promised>();
  /** By node and term of the leader: the highest index acknowledged to it. */
  readonly #told = new Map<NodeId, Map<Term, LogIndex>>();
  /** The log was, or was about to be, replaced in a life that ended since the last good start. */
  readonly #replaced = new Set<NodeId>();
  /** Applied when the last life ended. */
  readonly #applied = new Map<NodeId, LogIndex>();
  readonly #known: Committed;
  readonly #leaderOf: (term: Term) => WatchedNode | undefined;
  #committed: LogIndex = 0;

  constructor(
    reporter: Reporter, oracle: DamageOracle, committed: Committed, configurations: Configurations,
    leaderOf: (term: Term) => WatchedNode | undefined = () => undefined,
  ) {
    this.#reporter = reporter;
    this.#oracle = oracle;
    this.#known = committed;
    this.#leaderOf = leaderOf;
    this.#configurations = configurations;
  }

  /** When it is sent. */
  onMessage(node: WatchedNode, message: MessageHead): void {
    const { type, reject, commit } = message;
    if (type === MSG_APP_RESP && !reject) this.#acknowledges(node, message);
    else if ((type === MSG_APP || type === MSG_HEARTBEAT) && commit > this.#committed) this.#commits(node, message);
    if (type === MSG_HEARTBEAT) this.#counts(node, message);
  }

  /** A snapshot, or a version of a peer's, takes the place of what the log led to. */
  replaced(node: WatchedNode): void {
    this.#replaced.add(node.member);
  }

  onDeath(node: WatchedNode): void {
    const applied = node.running?.replica.applier.index ?? 0;
    this.#applied.set(node.member, Math.max(applied, this.#applied.get(node.member) ?? 0));
  }

  /** The log is open again, and nothing was added to it. */
  onStart(node: WatchedNode): void {
    const log = node.running?.replica.log;
    if (log === undefined || this.#replaced.delete(node.member) || this.#forgetful(node.id)) return;
    const last = log.lastIndex();
    const applied = this.#applied.get(node.member) ?? 0;
    if (last < applied) this.#lost(node.id, `R3 node ${node.id} had applied ${applied} when its life ended; its log now ends at ${last}`);
    const promised = this.#promised.get(node.member);
    // A later leader had begun to replace the end of the log.
    if (promised === undefined || log.term(last) > promised.term) return;
    const { index, term, entryTerm } = promised;
    if (last >= index && (index < log.firstIndex() - 1 || log.term(index) === entryTerm)) return;
    this.#lost(node.id,
      `R2 node ${node.id} acknowledged entry ${index} of term ${entryTerm} to the leader of term ${term}; its log now ends at ${last} in term ${log.term(last)}`);
  }

  #lost(node: NodeId, message: string): void {
    this.#reporter.broken('acknowledged entries survive', node, message);
  }

  #acknowledges(node: WatchedNode, { from, term, index }: MessageHead): void {
    const log = node.running?.replica.log;
    if (log === undefined || index === 0) return;
    if (log.lastIndex() < index) {
      this.#reporter.broken('acknowledged entries are durable', node.id, `R2 node ${node.id} acknowledges ${index} in term ${term}, its durable log ends at ${log.lastIndex()}`);
      return;
    }
    for (const failed of this.#oracle.ledger.failedSyncs(node.id, node.lives)) {
      if (index <= failed.index || index < log.firstIndex() || log.generationOf(index) > failed.generation) continue;
      this.#reporter.broken('a failed sync is never retried', node.id,
        `R2 node ${node.id} acknowledges ${index} in term ${term}, after a sync of segment ${failed.generation} failed behind ${failed.index}`);
    }
    this.#asTheLeader(node, term, index);
    this.#tell(from, term, index);
    const promised = this.#promised.get(from);
    if (promised !== undefined && (term < promised.term || (term === promised.term && index <= promised.index))) return;
    this.#promised.set(from, { term, index, entryTerm: index >= log.firstIndex() - 1 ? log.term(index) : 0 });
  }

  #asTheLeader(node: WatchedNode, term: Term, index: LogIndex): void {
    const own = node.running?.replica;
    const leader = this.#leaderOf(term)?.running?.replica;
    // In a later term the log may have been replaced since: no leader counts that message any more.
    if (own?.driver.node.term !== term || leader?.driver.node.isLeader !== true || leader.driver.node.term !== term) return;
    if (index < own.log.firstIndex() - 1 || index < leader.log.firstIndex() - 1) return;
    // What a leader has not written yet is of its term.
    const theirs = index > leader.log.lastIndex() ? term : leader.log.term(index);
    const ours = own.log.term(index);
    if (ours === theirs && index <= leader.driver.node.lastIndex) return;
    this.#reporter.broken('acknowledged entries are the leader\'s', node.id,
      `R3 node ${node.id} acknowledges ${index} in term ${term}; its entry there is of term ${ours}, that of the leader of term ${theirs}`);
  }

  /**
   * What a leader believes of the member that it sends a heartbeat to is what that member has told
   * it in this term.
   */
  #counts(node: WatchedNode, { to, term }: MessageHead): void {
    const raft = node.running?.replica.driver.node;
    if (raft?.term !== term) return;
    const match = raft.matchOf(to);
    const told = this.#told.get(to)?.get(term) ?? 0;
    if (match <= told) return;
    this.#reporter.broken('leaders count what they are told', node.id,
      `R3 node ${node.id}, which leads in term ${term}, counts member ${to} as having ${match}; that node has acknowledged ${told} in this term`);
  }

  #tell(node: NodeId, term: Term, index: LogIndex): void {
    let told = this.#told.get(node);
    if (told === undefined) this.#told.set(node, (told = new Map()));
    const before = told.get(term);
    if (before === undefined && told.size >= TERMS_KEPT) for (const oldest of told.keys()) if (told.size >= TERMS_KEPT) told.delete(oldest);
    if (before === undefined || before < index) told.set(term, index);
  }

  #commits(node: WatchedNode, { from, term, commit }: MessageHead): void {
    const log = node.running?.replica.log;
    if (log === undefined) return;
    this.#known.saw(node, commit);
    const own = log.lastIndex() >= commit;
    // It may have known since an earlier term that it led, and have had nobody to tell. What was
    // acknowledged before the entry's own term was another entry.
    const inLog = commit >= log.firstIndex() - 1;
    const since = !own ? term : inLog ? log.term(commit) : 0;
    this.#committed = commit;
    const holds = (of: Term | undefined, id: NodeId): boolean =>
      id === from ? own : of !== undefined && (this.#told.get(id)?.get(of) ?? 0) >= commit;
    const isProven = (of: Term | undefined): boolean => this.#configurations.hasCommitted(node, commit, (id) => holds(of, id), CHANGED_US);
    // Nearly always by what the members told in this term.
    if (isProven(term)) return;
    const others = [...this.#told].filter(([id]) => id !== from).map(([, told]) => told);
    const terms = new Set(others.flatMap((told) => [...told.keys()]).filter((of) => of >= since && of <= term));
    // Alone it needs nobody's word.
    if ([undefined, ...terms].some(isProven)) return;
    const told = [...terms].map((of) => this.#configurations.count(node, (id) => holds(of, id))).sort().at(-1);
    this.#reporter.broken('committed entries are durable on a majority', node.id,
      `D1 node ${node.id} says in term ${term} that ${commit} is committed; ${told ?? 'none'} needed nodes have said that it is durable`);
  }

  #forgetful(node: NodeId): boolean {
    const { ledger } = this.#oracle;
    return ledger.forgets(node);
  }
}
