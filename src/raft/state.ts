/**
 * The state of one node and the changes of role (Raft paper, figure 4). The rules of each role, of
 * elections, replication, reads and membership live in files of their own and work on this.
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

/**
 * Which role may follow which. A lost or repeated attempt starts again from where it began; only a
 * candidate wins (R1), and a leader never campaigns.
 */
const MAY_BECOME: Readonly<Record<Role, Readonly<Record<Role, boolean>>>> = {
  follower: { follower: true, preCandidate: true, candidate: true, leader: false },
  preCandidate: { follower: true, preCandidate: true, candidate: true, leader: false },
  candidate: { follower: true, preCandidate: true, candidate: true, leader: true },
  leader: { follower: true, preCandidate: false, candidate: false, leader: false },
};

export class RaftState {
  readonly config: ResolvedConfig;
  readonly id: NodeId;
  readonly log: RaftLog;
  readonly tracker: Tracker;
  readonly reads: ReadOnly;

  /**
   * On a leader: the target of a leadership transfer, a voter; no proposals are taken meanwhile. 0
   * if there is none, and on all others.
   */
  leadTransferee: NodeId = 0;
  /** R5 false while the node knows its log or hard state to be damaged. */
  mayVote = true;
  /** The configuration is that of this index at least: by a snapshot, or as it was told. */
  configIndex: LogIndex = 0;
  /** false while the node could not write what a leader must: it votes, and others lead. */
  mayLead = true;

  /** Ticks since the election timer was reset; on a leader, at most `electionTick`. */
  electionElapsed = 0;
  /** On a leader: ticks since the last heartbeats, below `heartbeatTick`. */
  heartbeatElapsed = 0;
  /** Ticks without a leader before this node campaigns, in [electionTick, 2 * electionTick). */
  electionTimeout = 0;

  /** To be sent by the next `Ready`. */
  messages: Message[] = [];
  /** R2 what promises entries, term or vote, and so is sent only when they are durable. */
  messagesAfterAppend: Message[] = [];
  readStates: ReadState[] = [];

  #role: Role = 'follower';
  /** Who leads the term, as far as this node knows: itself if and only if its role is leader. */
  #lead: NodeId = 0;
  /** Never goes back (R1). */
  #term: Term = 0;
  /** Changes only from 0 within a term (R1). */
  #vote: NodeId = 0;
  /** At most the last index of the log; 0 unless this node leads. */
  #pendingConfIndex: LogIndex = 0;
  /** Never below 0; 0 unless this node leads. */
  #uncommittedBytes = 0;
  /** Ticks for which a restarted voter respects a lease that it may have granted before. */
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

  get role(): Role {
    return this.#role;
  }

  /** Who leads, as far as this node knows; 0 if unknown. */
  get lead(): NodeId {
    return this.#lead;
  }

  get term(): Term {
    return this.#term;
  }

  get vote(): NodeId {
    return this.#vote;
  }

  /**
   * On a leader: a configuration change up to here may not be applied yet; no other may start
   * before it is.
   */
  get pendingConfIndex(): LogIndex {
    return this.#pendingConfIndex;
  }

  /** There may be a configuration change at `index`, and none after it. */
  setPendingConfIndex(index: LogIndex): void {
    assert(this.#role === 'leader', 'only a leader keeps count of configuration changes under way');
    if (index > this.log.lastIndex) broken(`R3 a pending change at ${index} is in the log, which ends at ${this.log.lastIndex}`);
    this.#pendingConfIndex = index;
  }

  /** On a leader: payload bytes of entries that it has appended and not yet applied. */
  get uncommittedBytes(): number {
    return this.#uncommittedBytes;
  }

  /** The leader appended entries of so many payload bytes. */
  addUncommitted(bytes: number): void {
    assert(bytes >= 0 && this.#role === 'leader', 'only a leader counts what it appends');
    this.#uncommittedBytes += bytes;
  }

  /**
   * Entries of so many payload bytes were applied. A new leader has not counted those that were in
   * its log before, so this may be more than what is left.
   */
  subtractUncommitted(bytes: number): void {
    assert(bytes >= 0, 'applied entries have no negative size');
    this.#uncommittedBytes = Math.max(0, this.#uncommittedBytes - bytes);
  }

  hardState(): HardState {
    return { term: this.#term, vote: this.#vote, commit: this.log.committed };
  }

  /**
   * Whether this node may campaign: not as a learner, outside the configuration, with a snapshot to
   * install, or where it could not lead.
   */
  get promotable(): boolean {
    const own = this.tracker.get(this.id);
    return own !== undefined && !own.isLearner && !this.log.hasPendingSnapshot && this.mayVote && this.mayLead;
  }

  /** Whether this node has granted a leader a lease, and so ignores candidates (thesis, 6.4.1). */
  get inLease(): boolean {
    if (!this.config.checkQuorum || this.electionElapsed >= this.config.electionTick) return false;
    return this.lead !== 0 || this.#startupLeaseTicks > 0;
  }

  /** A tick passed, whatever the role. */
  countTick(): void {
    this.electionElapsed++;
    this.log.tryAgain();
    if (this.#startupLeaseTicks > 0) this.#startupLeaseTicks--;
  }

  castVote(candidate: NodeId): void {
    assert(this.#vote === 0 || this.#vote === candidate, `R1 one vote per term: ${this.#vote}, then ${candidate}`);
    assert(this.#role !== 'leader' || candidate === this.id, `R1 a leader does not vote for ${candidate}`);
    this.#vote = candidate;
  }

  // --- Sending ---

  /** A message of the current term. */
  message(type: MessageType, to: NodeId): MessageDraft {
    return newMessage(type, this.id, to, this.#term);
  }

  send(message: Message): void {
    // `step` enters the term of a message before anything is answered; only a pre-vote is about a
    // term that nobody has entered.
    if (message.term > this.#term && message.type !== 'MsgPreVote' && message.type !== 'MsgPreVoteResp') {
      broken(`R2 ${message.type} of term ${message.term} is of a term that this node is in: ${this.#term}`);
    }
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

  #enter(role: Role): void {
    assert(MAY_BECOME[this.#role][role], `R1 a ${this.#role} does not become a ${role}`);
    this.#role = role;
  }

  becomeFollower(term: Term, lead: NodeId): void {
    this.#enter('follower');
    this.#reset(term);
    this.#lead = lead;
  }

  /** `leader` leads the term that this follower is in. */
  follow(leader: NodeId): void {
    if (this.#role !== 'follower') broken(`R1 a ${this.#role} does not follow ${leader}`);
    this.#lead = leader;
  }

  /** The leader is taken to be gone; the term stays. */
  forgetLeader(): void {
    assert(this.#role === 'follower', `a ${this.#role} has no leader to forget`);
    this.#lead = 0;
  }

  /** Neither term nor vote changes: a lost pre-election must leave no trace. */
  becomePreCandidate(): void {
    assert(this.promotable, 'R1 only a voter with a whole log campaigns');
    this.#enter('preCandidate');
    this.tracker.resetVotes();
    this.#lead = 0;
  }

  becomeCandidate(): void {
    this.#enter('candidate');
    this.#reset(this.#term + 1);
    this.castVote(this.id);
  }

  becomeLeader(): void {
    this.#enter('leader');
    assert(this.#vote === this.id, `R1 a leader has voted for itself in its term, not for ${this.#vote}`);
    assert(!this.log.hasPendingSnapshot, 'R3 a leader has the log that it was elected for');
    this.#reset(this.#term);
    this.#lead = this.id;
    const own = this.tracker.get(this.id);
    if (own !== undefined) {
      own.becomeReplicate();
      own.recentActive = true;
    }
    // There may be a configuration change anywhere in the uncommitted tail; scanning it could be
    // slow.
    this.setPendingConfIndex(this.log.lastIndex);
  }

  #reset(term: Term): void {
    assert(term >= this.#term, `R1 the term does not go back from ${this.#term} to ${term}`);
    if (term !== this.#term) {
      this.#term = term;
      this.#vote = 0;
    }
    this.#lead = 0;
    this.electionElapsed = 0;
    this.heartbeatElapsed = 0;
    this.drawElectionTimeout();
    this.leadTransferee = 0;
    this.#pendingConfIndex = 0;
    this.#uncommittedBytes = 0;
    this.reads.reset();
    this.tracker.resetVotes();
    const { lastIndex } = this.log;
    for (const peer of this.tracker.peers) peer.reset(peer.id === this.id ? lastIndex : 0, lastIndex + 1);
  }

  /**
   * A new timeout for every attempt, so that candidates do not split the vote for ever (Raft paper,
   * 5.2).
   */
  drawElectionTimeout(): void {
    const { electionTick, random } = this.config;
    this.electionTimeout = electionTick + Math.floor(random.float() * electionTick);
    assert(
      this.electionTimeout >= electionTick && this.electionTimeout < 2 * electionTick,
      `an election timeout of ${this.electionTimeout} ticks is from [${electionTick}, ${2 * electionTick})`,
    );
  }
}
