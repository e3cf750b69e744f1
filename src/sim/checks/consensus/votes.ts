/**
 * R1, R2: a voter grants one candidate per term, over all its lives, whatever became of its hard
 * state; and what it says was durable before: when a message that reflects a term or a vote leaves,
 * three copies of the hard state on the medium say the same.
 */

import type { NodeId, Term } from '../../../base/ids.js';
import type { HardStateRecord } from '../../../replica/hard-state/slots.js';
import type { DamageOracle } from '../../oracle/damage-oracle.js';
import { HARD_STATE, MUST_HOLD, slotsOf } from './hard-state-slots.js';
import {
  MESSAGE_TYPES, MSG_APP, MSG_APP_RESP, MSG_HEARTBEAT, MSG_HEARTBEAT_RESP, MSG_SNAP, MSG_VOTE, MSG_VOTE_RESP, type MessageHead,
} from './raft-frames.js';
import type { Reporter } from '../base/reporter.js';
import type { WatchedNode } from '../../cluster/watched-node.js';

/** A promise is written anew each time, so older damage does not show in it. */
const RECENT_US = 30_000_000;

/** Their sender is in this term, for good. Pre-votes speak of terms to come. */
const REFLECTS_TERM: ReadonlySet<number> = new Set([
  MSG_APP, MSG_APP_RESP, MSG_HEARTBEAT, MSG_HEARTBEAT_RESP, MSG_SNAP, MSG_VOTE, MSG_VOTE_RESP,
]);

export class Votes {
  readonly #reporter: Reporter;
  readonly #oracle: DamageOracle;
  readonly #granted = new Map<NodeId, Map<Term, NodeId>>();
  /** The highest term of each node that was found durable. */
  readonly #durable = new Map<NodeId, Term>();
  /** Of its starts so far: the highest. */
  readonly #incarnations = new Map<NodeId, number>();

  constructor(reporter: Reporter, oracle: DamageOracle) {
    this.#reporter = reporter;
    this.#oracle = oracle;
  }

  /** Its hard state is read, and nothing was promised in this life. */
  onOpen(node: WatchedNode): void {
    const { ledger } = this.#oracle;
    const raft = node.running?.replica.driver.node;
    if (raft === undefined || ledger.forgets(node.id)) return;
    this.#newIncarnation(node);
    this.#logged(node, raft.term);
    const promised = this.#durable.get(node.member) ?? 0;
    const vote = this.#granted.get(node.member)?.get(promised);
    if (raft.term > promised || (raft.term === promised && (vote === undefined || raft.vote === vote))) return;
    this.#reporter.broken('promises survive', node.id,
      `R2 node ${node.id} was in term ${promised}${vote === undefined ? '' : ` and voted for ${vote}`}; it opens in term ${raft.term} with a vote for ${raft.vote}`);
  }

  /**
   * Entries were made durable: so was their term, before. A member whose log knows of a term that
   * its hard state does not could come back and vote, or campaign, in that term as if for the first
   * time (R1).
   */
  onLogSync(node: WatchedNode): void {
    const log = node.running?.replica.log;
    const term = log?.term(log.lastIndex()) ?? 0;
    if (term > (this.#durable.get(node.member) ?? 0)) this.#promised(node, 'keeps entries', term, undefined);
  }

  #logged(node: WatchedNode, term: Term): void {
    const log = node.running?.replica.log;
    const last = log?.term(log.lastIndex()) ?? 0;
    if (last <= term) return;
    this.#reporter.broken('the log ends in a term that was promised', node.id, `R2 node ${node.id} opens in term ${term}, and its log ends in term ${last}`);
  }

  /** When it is sent. */
  onMessage(node: WatchedNode, message: MessageHead): void {
    const { type, from, to, term, reject } = message;
    if (!REFLECTS_TERM.has(type)) return;
    if (!reject && (type === MSG_VOTE || type === MSG_VOTE_RESP || type === MSG_APP_RESP)) this.#forgetful(node);
    if (type === MSG_VOTE) this.#vote(node, term, from);
    else if (type === MSG_VOTE_RESP && !reject) this.#vote(node, term, to);
    else if (term > (this.#durable.get(from) ?? 0)) this.#promised(node, `sends ${MESSAGE_TYPES[type]}`, term, undefined);
  }

  /**
   * R5 each start has a number of its own: what is believed of older ones would be a state that
   * went back.
   */
  #newIncarnation(node: WatchedNode): void {
    const slots = slotsOf(node.disk.medium(HARD_STATE)).filter((slot) => slot !== undefined);
    const [newest] = slots.sort((a, b) => b.sequence - a.sequence);
    if (newest === undefined) return;
    const before = this.#incarnations.get(node.member) ?? 0;
    if (newest.incarnation <= before) {
      this.#reporter.broken('every start has a number of its own', node.id, `R5 this start of node ${node.id} has number ${newest.incarnation}; number ${before} was given before`);
    }
    this.#incarnations.set(node.member, Math.max(before, newest.incarnation));
  }

  #forgetful({ id, member }: WatchedNode): void {
    if (!this.#oracle.ledger.suffered(id, 'wipe') || (this.#durable.get(member) ?? 0) === 0) return;
    this.#reporter.broken('no promises after a wipe', id, `R1 node ${id} had made promises, its directory was wiped, and it makes new ones`);
  }

  #vote(node: WatchedNode, term: Term, candidate: NodeId): void {
    const { id, member } = node;
    let granted = this.#granted.get(member);
    if (granted === undefined) this.#granted.set(member, (granted = new Map()));
    const known = granted.get(term);
    if (known === candidate) return;
    if (known !== undefined) {
      this.#reporter.broken('no double vote', id, `R2 in term ${term} node ${id} votes for ${candidate}, after it voted for ${known}`);
      return;
    }
    granted.set(term, candidate);
    this.#promised(node, `sends its vote for ${candidate}`, term, candidate);
  }

  #promised(node: WatchedNode, what: string, term: Term, candidate: NodeId | undefined): void {
    const { ledger } = this.#oracle;
    this.#durable.set(node.member, Math.max(term, this.#durable.get(node.member) ?? 0));
    // What lies there now says nothing of what was written.
    const since = this.#reporter.nowUs - RECENT_US;
    if (ledger.changed(node.id, HARD_STATE, since) !== undefined || ledger.displaced(node.id, HARD_STATE) !== undefined) return;
    const held = slotsOf(node.disk.medium(HARD_STATE)).filter((slot) => holds(slot, term, candidate)).length;
    if (held >= MUST_HOLD) return;
    this.#reporter.broken('promises are durable before they are sent', node.id, `R2 node ${node.id} ${what} in term ${term}, of which ${held} copies are durable`);
  }
}

function holds(slot: HardStateRecord | undefined, term: Term, candidate: NodeId | undefined): boolean {
  if (slot === undefined || slot.term < term) return false;
  return candidate === undefined || slot.term > term || slot.vote === candidate;
}
