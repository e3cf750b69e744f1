/**
 * The state of one node and the changes of role (Raft paper, figure 4). The rules of each role, of elections,
 * replication, reads and membership live in files of their own and work on this.
 *
 * R1: `term` never goes back, and `vote` changes only from 0 within a term.
 */

import { assert } from '../base/assert.js';
import type { LogIndex, NodeId, Term } from '../base/ids.js';
import { resolveConfig, type RaftConfig, type ResolvedConfig } from './config.js';
import { broken } from './errors.js';
import { RaftLog } from './log.js';
import { newMessage, type MessageDraft } from './message.js';
import { ReadOnly } from './read-only.js';
import { Tracker } from './tracker.js';
import type { HardState, LogStorage, Message, MessageType, ReadState, Role } from './types.js';

export class RaftState {
  readonly config: ResolvedConfig;
  readonly id: NodeId;
  readonly log: RaftLog;
  readonly tracker: Tracker;
  readonly reads: ReadOnly;

  role: Role = 'follower';
  lead: NodeId = 0;
  /** On a leader: who is to take over; no proposals are taken meanwhile. */
  leadTransferee: NodeId = 0;
  /** On a leader: a configuration change up to here may not be applied yet; no other may start before it is. */
  pendingConfIndex: LogIndex = 0;
  /** On a leader: payload bytes in the log that were not applied when last heard of. */
  uncommittedBytes = 0;
  /** R5 false while the node knows its log or hard state to be damaged. */
  mayVote = true;

  electionElapsed = 0;
  heartbeatElapsed = 0;
  electionTimeout = 0;

  /** What goes out at once. */
  messages: Message[] = [];
  /** R2 what vouches for entries, term or vote, and so goes out only when they are durable. */
  messagesAfterAppend: Message[] = [];
  readStates: ReadState[] = [];

  #term: Term = 0;
  #vote: NodeId = 0;
  /** Ticks for which a voter that was restarted honours a lease it may have forgotten. */
  #startupLeaseTicks = 0;

  constructor(config: RaftConfig, storage: LogStorage) {
    this.config = resolveConfig(config);
    this.id = this.config.id;
    this.log = new RaftLog(storage, this.config.maxCommittedSizePerReady);
    this.tracker = new Tracker(this.config.maxInflightMsgs, this.config.maxInflightBytes);
    this.reads = new ReadOnly(this.config.maxPendingReads, this.config.electionTick);
    const { hardState, confState } = storage.initialState();
    this.tracker.switchTo(confState, this.log.lastIndex);
    this.#term = hardState.term;
    this.#vote = hardState.vote;
    if (hardState.commit > 0) {
      const { committed, lastIndex } = this.log;
      assert(
        hardState.commit >= committed && hardState.commit <= lastIndex,
        `R3 stored commit ${hardState.commit} is within the log, ${committed} to ${lastIndex}`,
      );
      this.log.commitTo(hardState.commit);
    }
    if (this.config.applied > 0) this.log.appliedTo(this.config.applied, 0);
    if (this.config.readOnly === 'leaseBased' && hardState.term > 0) this.#startupLeaseTicks = this.config.electionTick;
    this.becomeFollower(this.#term, 0);
  }

  get term(): Term {
    return this.#term;
  }

  get vote(): NodeId {
    return this.#vote;
  }

  hardState(): HardState {
    return { term: this.#term, vote: this.#vote, commit: this.log.committed };
  }

  /**
   * A learner, a node that is not in the configuration, one with a snapshot to install: none of them may campaign.
   */
  get promotable(): boolean {
    const own = this.tracker.get(this.id);
    return own !== undefined && !own.isLearner && !this.log.hasPendingSnapshot && this.mayVote;
  }

  /** Whether this node has promised a leader not to help another one (thesis, 6.4.1). */
  get inLease(): boolean {
    if (!this.config.checkQuorum || this.electionElapsed >= this.config.electionTick) return false;
    return this.lead !== 0 || this.#startupLeaseTicks > 0;
  }

  /** A tick passed, whatever the role. */
  countTick(): void {
    this.electionElapsed++;
    if (this.#startupLeaseTicks > 0) this.#startupLeaseTicks--;
  }

  castVote(candidate: NodeId): void {
    assert(this.#vote === 0 || this.#vote === candidate, `R1 one vote per term: ${this.#vote}, then ${candidate}`);
    this.#vote = candidate;
  }

  // --- Sending ---

  /** A message of the present term. */
  message(type: MessageType, to: NodeId): MessageDraft {
    return newMessage(type, this.id, to, this.#term);
  }

  send(message: Message): void {
    switch (message.type) {
      case 'MsgAppResp':
      case 'MsgVoteResp':
      case 'MsgPreVoteResp':
        this.messagesAfterAppend.push(message);
        return;
      default:
        if (message.to === this.id) broken(`${message.type} is not sent to oneself`);
        this.messages.push(message);
    }
  }

  // --- Roles ---

  becomeFollower(term: Term, lead: NodeId): void {
    this.#reset(term);
    this.lead = lead;
    this.role = 'follower';
  }

  /** Neither term nor vote change: a pre-election must leave no trace if it is lost. */
  becomePreCandidate(): void {
    assert(this.role !== 'leader', 'a leader does not campaign');
    this.tracker.resetVotes();
    this.lead = 0;
    this.role = 'preCandidate';
  }

  becomeCandidate(): void {
    assert(this.role !== 'leader', 'a leader does not campaign');
    this.#reset(this.#term + 1);
    this.castVote(this.id);
    this.role = 'candidate';
  }

  becomeLeader(): void {
    assert(this.role === 'candidate', 'R1 only a candidate becomes leader');
    this.#reset(this.#term);
    this.lead = this.id;
    this.role = 'leader';
    const own = this.tracker.get(this.id);
    if (own !== undefined) {
      own.becomeReplicate();
      own.recentActive = true;
    }
    // There may be a configuration change anywhere in the uncommitted tail; scanning it could be slow.
    this.pendingConfIndex = this.log.lastIndex;
  }

  #reset(term: Term): void {
    assert(term >= this.#term, `R1 the term does not go back from ${this.#term} to ${term}`);
    if (term !== this.#term) {
      this.#term = term;
      this.#vote = 0;
    }
    this.lead = 0;
    this.electionElapsed = 0;
    this.heartbeatElapsed = 0;
    this.drawElectionTimeout();
    this.leadTransferee = 0;
    this.pendingConfIndex = 0;
    this.uncommittedBytes = 0;
    this.reads.reset();
    this.tracker.resetVotes();
    const { lastIndex } = this.log;
    for (const peer of this.tracker.peers) peer.reset(peer.id === this.id ? lastIndex : 0, lastIndex + 1);
  }

  /** A new timeout for every attempt keeps candidates from splitting the vote for ever (Raft paper, 5.2). */
  drawElectionTimeout(): void {
    const { electionTick, random } = this.config;
    this.electionTimeout = electionTick + Math.floor(random.float() * electionTick);
  }
}
