/**
 * The configuration a node acts by, with the progress of each of its members. The lists of progress
 * per half are kept beside the ids so that the commit index and the read quorum are computed
 * without a lookup.
 */

import type { LogIndex, NodeId } from '../base/ids.js';
import { assert } from '../base/assert.js';
import { EMPTY_CONF_STATE, normalConfState } from './confchange.js';
import { Progress } from './progress.js';
import { jointVote, majorityIndex, majorityVote, type VoteResult } from './quorum.js';
import type { ConfState } from './types.js';

export class Tracker {
  readonly #maxInflightMsgs: number;
  readonly #maxInflightBytes: number;
  #config: ConfState = EMPTY_CONF_STATE;
  #peers: readonly Progress[] = [];
  #voters: readonly Progress[] = [];
  #outgoing: readonly Progress[] = [];
  readonly #votes = new Map<NodeId, boolean>();
  readonly #scratch: number[] = [];

  constructor(maxInflightMsgs: number, maxInflightBytes: number) {
    this.#maxInflightMsgs = maxInflightMsgs;
    this.#maxInflightBytes = maxInflightBytes;
  }

  get config(): ConfState {
    return this.#config;
  }

  /** Every member, learners and oneself included, in the order of ids. */
  get peers(): readonly Progress[] {
    return this.#peers;
  }

  get(id: NodeId): Progress | undefined {
    for (const peer of this.#peers) if (peer.id === id) return peer;
    return undefined;
  }

  isVoter(id: NodeId): boolean {
    return this.#config.voters.includes(id) || this.#config.votersOutgoing.includes(id);
  }

  /**
   * Who is in both configurations keeps its progress. A new member is probed from near the end of
   * the leader's log, and counts as active: otherwise CheckQuorum could depose the leader before it
   * had a chance to answer.
   */
  switchTo(config: ConfState, lastIndex: LogIndex): void {
    const normal = normalConfState(config);
    const peers: Progress[] = [];
    const ids = new Set([...normal.voters, ...normal.votersOutgoing, ...normal.learners]);
    for (const id of [...ids].sort((a, b) => a - b)) {
      let peer = this.get(id);
      if (peer === undefined) {
        peer = new Progress(id, Math.max(lastIndex, 1), this.#maxInflightMsgs, this.#maxInflightBytes);
        peer.recentActive = true;
      }
      peer.isLearner = normal.learners.includes(id);
      peers.push(peer);
    }
    this.#config = normal;
    this.#peers = peers;
    this.#voters = peers.filter((peer) => normal.voters.includes(peer.id));
    this.#outgoing = peers.filter((peer) => normal.votersOutgoing.includes(peer.id));
    assert(
      this.#voters.length === normal.voters.length && this.#outgoing.length === normal.votersOutgoing.length,
      'R1 every voter of both halves is counted, once',
    );
  }

  /** The highest index that a quorum has; Infinity without voters. */
  committed(): LogIndex {
    const incoming = this.#majorityMatch(this.#voters);
    if (this.#outgoing.length === 0) return incoming;
    return Math.min(incoming, this.#majorityMatch(this.#outgoing));
  }

  #majorityMatch(members: readonly Progress[]): LogIndex {
    const acked = this.#scratch;
    acked.length = members.length;
    for (let i = 0; i < members.length; i++) acked[i] = (members[i] as Progress).match;
    return majorityIndex(acked);
  }

  /** The newest heartbeat round that a quorum has answered. `self` need not answer itself. */
  confirmedRound(self: NodeId): number {
    const incoming = this.#majorityRound(this.#voters, self);
    if (this.#outgoing.length === 0) return incoming;
    return Math.min(incoming, this.#majorityRound(this.#outgoing, self));
  }

  #majorityRound(members: readonly Progress[], self: NodeId): number {
    const acked = this.#scratch;
    acked.length = members.length;
    for (let i = 0; i < members.length; i++) {
      const member = members[i] as Progress;
      acked[i] = member.id === self ? Infinity : member.ackedRound;
    }
    return majorityIndex(acked);
  }

  /** Whether a quorum was heard from since the last check. */
  quorumActive(): boolean {
    return this.#halves((member) => member.recentActive) === 'won';
  }

  resetVotes(): void {
    this.#votes.clear();
  }

  /** R1 the first answer of a node counts; it cannot take it back or give it twice. */
  recordVote(id: NodeId, granted: boolean): void {
    if (!this.#votes.has(id)) this.#votes.set(id, granted);
  }

  voteResult(): VoteResult {
    return this.#halves((member) => this.#votes.get(member.id));
  }

  #halves(answer: (member: Progress) => boolean | undefined): VoteResult {
    return jointVote(half(this.#voters, answer), half(this.#outgoing, answer));
  }
}

function half(members: readonly Progress[], answer: (member: Progress) => boolean | undefined): VoteResult {
  let yes = 0;
  let no = 0;
  for (const member of members) {
    const given = answer(member);
    if (given === true) yes++;
    else if (given === false) no++;
  }
  return majorityVote(members.length, yes, no);
}
