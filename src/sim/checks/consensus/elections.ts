/**
 * R1, R3: an election, step by step. A vote goes only to a log that has all that the voter's has
 * (Raft paper, 5.4.1); who leads was given votes for that very term by a majority; and its log has
 * whatever was known to be committed. Two leaders in a term, or a lost entry, come of breaking any
 * of these, but only with more bad luck than a run may have: here the first wrong step shows.
 */

import type { LogIndex, NodeId, Term } from '../../../base/ids.js';
import type { Committed } from './committed.js';
import type { Configurations } from './configurations.js';
import { MSG_VOTE, MSG_VOTE_RESP, type MessageHead } from './raft-frames.js';
import type { Reporter } from '../base/reporter.js';
import type { WatchedNode } from '../../cluster/watched-node.js';

interface LogEnd {
  readonly term: Term;
  readonly index: LogIndex;
}

/** An election is over, one way or the other, before so many later terms. */
const TERMS_KEPT = 16;
/** Between the last vote and the word of it. */
const AGO_US = 10_000;

export class Elections {
  readonly #reporter: Reporter;
  readonly #committed: Committed;
  readonly #leaderOf: (term: Term) => NodeId | undefined;
  readonly #configurations: Configurations;
  /** By term: who voted for whom. A candidate votes for itself. */
  readonly #votes = new Map<Term, Map<NodeId, NodeId>>();
  /** In which somebody has led. */
  #newest: Term = 0;
  /** By candidate: what it says of its log in the newest term that it asked for votes in. */
  readonly #asked = new Map<NodeId, { readonly in: Term; readonly end: LogEnd }>();

  constructor(reporter: Reporter, committed: Committed, leaderOf: (term: Term) => NodeId | undefined, configurations: Configurations) {
    this.#reporter = reporter;
    this.#committed = committed;
    this.#leaderOf = leaderOf;
    this.#configurations = configurations;
  }

  /** When it is sent. */
  onMessage(node: WatchedNode, { type, from, to, term, reject, index, logTerm }: MessageHead): void {
    if (type === MSG_VOTE) {
      this.#asked.set(from, { in: term, end: { term: logTerm, index } });
      this.#vote(term, from, from);
    } else if (type === MSG_VOTE_RESP && !reject) {
      this.#vote(term, from, to);
      this.#complete(node, term, to);
    }
  }

  /** It says so, for the first time in this term. */
  leads(node: WatchedNode, term: Term): void {
    const votes = this.#votes.get(term);
    // Who votes alone asks nobody.
    const votesFor = (id: NodeId): boolean => id === node.member || votes?.get(id) === node.member;
    if (!this.#configurations.isQuorum(node, votesFor, AGO_US)) {
      const count = this.#configurations.count(node, votesFor);
      this.#reporter.broken('leaders are elected by a majority', node.id, `R1 node ${node.id} leads in term ${term} with ${count} needed votes`);
    }
    // Votes may come late: what a leader of a later term has committed this one need not have.
    if (term < this.#newest) return;
    this.#newest = term;
    this.#hasCommitted(node, term);
  }

  #vote(term: Term, voter: NodeId, candidate: NodeId): void {
    let votes = this.#votes.get(term);
    if (votes === undefined) {
      this.#votes.set(term, (votes = new Map()));
      for (const old of this.#votes.keys()) if (old <= term - TERMS_KEPT) this.#votes.delete(old);
    }
    // Of two votes in a term the first counts: the second is another check's.
    if (!votes.has(voter)) votes.set(voter, candidate);
  }

  #complete(node: WatchedNode, term: Term, candidate: NodeId): void {
    const replica = node.running?.replica;
    const asked = this.#asked.get(candidate);
    // Since it decided, the voter's log can only have been changed by a leader of this term, or in
    // a later one.
    if (replica === undefined || asked?.in !== term || replica.driver.node.term !== term || this.#leaderOf(term) !== undefined) return;
    const { log } = replica;
    const index = log.lastIndex();
    const own = { term: log.term(index), index };
    if (asked.end.term > own.term || (asked.end.term === own.term && asked.end.index >= own.index)) return;
    this.#reporter.broken('votes go to complete logs', node.id,
      `R3 node ${node.id}, whose log ends with ${own.index} of term ${own.term}, votes in term ${term} for node ${candidate}, whose log ends with ${asked.end.index} of term ${asked.end.term}`);
  }

  #hasCommitted(node: WatchedNode, term: Term): void {
    const log = node.running?.replica.log;
    const known = this.#committed.highestApplied;
    if (log === undefined || known.index < log.firstIndex() - 1) return;
    const last = log.lastIndex();
    if (last >= known.index && log.term(known.index) === known.term) return;
    this.#reporter.broken('leaders have what is committed', node.id,
      `R3 node ${node.id} leads in term ${term}; entry ${known.index} of term ${known.term} is committed, and its log ` +
        (last < known.index ? `ends at ${last}` : `has one of term ${log.term(known.index)} there`));
  }
}
