/**
 * A Raft node: pure consensus, a function of its input. It does no I/O, has no clock and calls
 * nobody back. Whoever owns it drives it in a loop:
 *
 *  1. Input: `step` for each message that arrives, `tick` at a fixed interval, `propose`,
 *     `proposeConfChange` and `readIndex` for what clients want. They change the state in memory.
 *  2. `hasReady`, then `ready`: all the work that came of it, as one batch of data.
 *  3. Persist in this order: hard state, snapshot, entries. Sync if `mustSync`.
 *  4. Send the messages: they promise what has just been written (R2).
 *  5. Apply `committedEntries` in order, `applyConfChange` for each configuration change among
 *     them; serve `readStates` once their index is applied (R4).
 *  6. `advance`: the node's messages to itself count from now on. Go on with step 2.
 *
 * Steps 3 to 5 may take their time: input may come between `ready` and `advance`, but no other
 * `ready`. With `asyncStorageWrites` there is no `advance`, and the next `ready` may come at once:
 * the writes of steps 3 and 5 are messages in the batch, to be done in order; what promises them is
 * among their responses, which are sent, or stepped, when they are done; all else is sent at once.
 */

import { assert } from '../base/assert.js';
import type { LogIndex, NodeId, Term } from '../base/ids.js';
import { encodeConfChange } from './confchange-codec.js';
import type { RaftConfig } from './config.js';
import { campaignEarly } from './election.js';
import { RaftError } from './errors.js';
import { adoptConfig, applyConfChange } from './membership.js';
import { newMessage } from './message.js';
import { proposeData, proposeEncodedChange } from './proposals.js';
import { leaderHandleRead } from './reads.js';
import { isCommitUntold, tellCommit } from './replication.js';
import { RaftState } from './state.js';
import { step, tick } from './step.js';
import { storageAppend, storageAppendResponse, storageApply, storageApplyResponse } from './storage-messages.js';
import type {
  ConfChange, ConfState, Entry, HardState, LogStorage, Message, ProgressStatus, ReadState, Ready, Role, Status,
} from './types.js';

const NO_READ_STATES: readonly ReadState[] = [];

/** A `Ready` that is being handled. */
interface Outstanding {
  readonly ready: Ready;
  /** R2 this node's messages to itself: they count once what they vouch for is durable. */
  readonly steps: readonly Message[];
}

export class RaftNode {
  readonly #raft: RaftState;
  readonly #async: boolean;
  /** What the last `Ready` said: the next one contains only what differs. */
  #toldLead: NodeId;
  #toldRole: Role;
  #toldTerm: Term;
  #toldVote: NodeId;
  #toldCommit: LogIndex;
  #outstanding: Outstanding | undefined;

  constructor(config: RaftConfig, storage: LogStorage) {
    const raft = new RaftState(config, storage);
    this.#raft = raft;
    this.#async = raft.config.asyncStorageWrites;
    this.#toldLead = raft.lead;
    this.#toldRole = raft.role;
    this.#toldTerm = raft.term;
    this.#toldVote = raft.vote;
    this.#toldCommit = raft.log.committed;
  }

  // --- Reading its state; none of these allocates, except status() ---

  get id(): NodeId {
    return this.#raft.id;
  }

  get role(): Role {
    return this.#raft.role;
  }

  get isLeader(): boolean {
    return this.#raft.role === 'leader';
  }

  get term(): Term {
    return this.#raft.term;
  }

  get vote(): NodeId {
    return this.#raft.vote;
  }

  /** Who leads, as far as this node knows; 0 if unknown. */
  get lead(): NodeId {
    return this.#raft.lead;
  }

  get commit(): LogIndex {
    return this.#raft.log.committed;
  }

  get applied(): LogIndex {
    return this.#raft.log.applied;
  }

  get firstIndex(): LogIndex {
    return this.#raft.log.firstIndex;
  }

  get lastIndex(): LogIndex {
    return this.#raft.log.lastIndex;
  }

  /** On a leader: the target of a leadership transfer; 0 if there is none. */
  get leadTransferee(): NodeId {
    return this.#raft.leadTransferee;
  }

  get config(): ConfState {
    return this.#raft.tracker.config;
  }

  /** On a leader: a change of the configuration may be in the log that is not applied yet. */
  get isChangingConfig(): boolean {
    return this.#raft.pendingConfIndex > this.#raft.log.applied;
  }

  /** On a leader: the highest entry that this node is known to have; 0 if nothing is known. */
  matchOf(id: NodeId): LogIndex {
    return this.#raft.tracker.get(id)?.match ?? 0;
  }

  /** Of an entry of the log, or of the one before the first; undefined if it is not there. */
  termAt(index: LogIndex): Term | undefined {
    return this.#raft.log.term(index);
  }

  /**
   * Entries after `index`, as many as fit into `maxBytes`, but at least one if there is one; none
   * if the log begins later. Throws what the storage throws.
   */
  entriesAfter(index: LogIndex, maxBytes: number): readonly Entry[] {
    const { log } = this.#raft;
    return index + 1 < log.firstIndex ? [] : log.slice(index + 1, log.lastIndex + 1, maxBytes);
  }

  status(): Status {
    const raft = this.#raft;
    let progress: Map<NodeId, ProgressStatus> | undefined;
    if (raft.role === 'leader') {
      progress = new Map();
      for (const peer of raft.tracker.peers) progress.set(peer.id, peer.status());
    }
    return {
      id: raft.id,
      role: raft.role,
      term: raft.term,
      vote: raft.vote,
      lead: raft.lead,
      commit: raft.log.committed,
      applied: raft.log.applied,
      lastIndex: raft.log.lastIndex,
      leadTransferee: raft.leadTransferee,
      uncommittedBytes: raft.uncommittedBytes,
      config: raft.tracker.config,
      progress,
    };
  }

  // --- Input ---

  tick(): void {
    tick(this.#raft);
  }

  /** Starts an election (or a pre-election) now. Nothing happens if this node may not. */
  campaign(): void {
    campaignEarly(this.#raft);
  }

  /** Throws PROPOSAL_DROPPED. */
  propose(data: Uint8Array): void {
    proposeData(this.#raft, [data]);
  }

  /** All or none, as neighbours in the log, in one message. Throws PROPOSAL_DROPPED. */
  proposeEntries(datas: readonly Uint8Array[]): void {
    proposeData(this.#raft, datas);
  }

  /** Throws PROPOSAL_DROPPED. A change that is refused enters the log as an empty entry. */
  proposeConfChange(change: ConfChange): void {
    proposeEncodedChange(this.#raft, encodeConfChange(change));
  }

  /** To be called for every configuration change among the committed entries when it is applied. */
  applyConfChange(change: ConfChange): ConfState {
    return applyConfChange(this.#raft, change);
  }

  /** The same for who keeps the configuration himself: all up to `index` has made this of it. */
  adoptConfig(config: ConfState, index: LogIndex): void {
    adoptConfig(this.#raft, config, index);
  }

  /**
   * R4 asks for a read index, which comes with `context` in `Ready.readStates`, or never: ask again
   * after a while. False if the request went nowhere: no leader is known, or too many reads wait.
   */
  readIndex(context: Uint8Array): boolean {
    const raft = this.#raft;
    if (raft.role === 'leader') return leaderHandleRead(raft, { from: raft.id, context });
    if (raft.role !== 'follower' || raft.lead === 0) return false;
    const message = newMessage('MsgReadIndex', raft.id, raft.lead, 0);
    message.context = context;
    raft.send(message);
    return true;
  }

  /**
   * A message from another node or from storage. Throws PROPOSAL_DROPPED, PEER_NOT_FOUND,
   * LOCAL_MESSAGE.
   */
  step(message: Message): void {
    switch (message.type) {
      case 'MsgStorageAppend':
      case 'MsgStorageApply':
        throw new RaftError('LOCAL_MESSAGE', `${message.type} is for the storage`);
      case 'MsgStorageAppendResp':
      case 'MsgStorageApplyResp':
        if (!this.#async) throw new RaftError('LOCAL_MESSAGE', `${message.type} without asynchronous storage writes`);
        break;
      case 'MsgAppResp':
      case 'MsgVoteResp':
      case 'MsgPreVoteResp':
      case 'MsgHeartbeatResp':
      case 'MsgReadIndexResp':
        if (this.#raft.tracker.get(message.from) === undefined) {
          throw new RaftError('PEER_NOT_FOUND', `${message.type} from ${message.from}`, { from: message.from });
        }
        break;
      default:
    }
    step(this.#raft, message);
  }

  /** Hands leadership to `to`. May be called on any node; nothing happens if there is no leader. */
  transferLeader(to: NodeId): void {
    step(this.#raft, newMessage('MsgTransferLeader', to, this.#raft.id, 0));
  }

  /**
   * A follower gives up its leader, and with it the lease that keeps it from voting for others: for
   * use when there is evidence that the leader is gone. Ignored with lease-based reads, which are
   * safe only because followers respect the lease.
   */
  forgetLeader(): void {
    const raft = this.#raft;
    if (raft.role === 'follower' && raft.config.readOnly !== 'leaseBased') raft.forgetLeader();
  }

  /**
   * A leader that cannot serve (its disk fails or stalls) steps down at once, without a transfer.
   */
  stepDown(): void {
    const raft = this.#raft;
    if (raft.role === 'leader') raft.becomeFollower(raft.term, 0);
  }

  /** With `lazyCommit`: the commit index, if a follower could commit more than it was told of. */
  get untoldCommit(): LogIndex | undefined {
    const { committed } = this.#raft.log;
    return isCommitUntold(this.#raft, committed) ? committed : undefined;
  }

  /** With `lazyCommit`: whoever was told of less than `commit` is told of all that is committed. */
  tellCommit(commit: LogIndex): void {
    tellCommit(this.#raft, commit);
  }

  /** The last message to `id` was probably lost. */
  reportUnreachable(id: NodeId): void {
    const raft = this.#raft;
    const peer = raft.role === 'leader' ? raft.tracker.get(id) : undefined;
    if (peer?.state === 'replicate') peer.becomeProbe();
  }

  /**
   * The snapshot sent to `id` arrived, or failed. Must be called after a failure: until then the
   * follower is sent nothing but heartbeats.
   */
  reportSnapshot(id: NodeId, ok: boolean): void {
    const raft = this.#raft;
    const peer = raft.role === 'leader' ? raft.tracker.get(id) : undefined;
    peer?.snapshotReported(ok);
  }

  /** R5 a node that knows its log or hard state to be damaged neither votes nor campaigns. */
  setMayVote(allowed: boolean): void {
    this.#raft.mayVote = allowed;
  }

  /** A node that can write no entries votes for others, and does not campaign. */
  setMayLead(allowed: boolean): void {
    this.#raft.mayLead = allowed;
  }

  /** For tests: overrides the drawn election timeout until the next is drawn. */
  setRandomizedElectionTimeout(ticks: number): void {
    this.#raft.electionTimeout = ticks;
  }

  // --- Output ---

  hasReady(): boolean {
    const raft = this.#raft;
    const { log } = raft;
    return (
      raft.messages.length > 0 ||
      raft.messagesAfterAppend.length > 0 ||
      log.hasNextUnstable ||
      log.hasNextCommitted(!this.#async) ||
      raft.readStates.length > 0 ||
      this.#hardStateChanged ||
      raft.lead !== this.#toldLead ||
      raft.role !== this.#toldRole ||
      log.nextUnstableSnapshot() !== undefined
    );
  }

  get #hardStateChanged(): boolean {
    const raft = this.#raft;
    return this.#toldTerm !== raft.term || this.#toldVote !== raft.vote || this.#toldCommit !== raft.log.committed;
  }

  /** Takes the work there is: whoever calls this does it. */
  ready(): Ready {
    assert(this.#outstanding === undefined, 'advance() comes between two calls of ready()');
    const raft = this.#raft;
    const { log } = raft;
    const entries = log.nextUnstableEntries();
    const snapshot = log.nextUnstableSnapshot();
    const committedEntries = log.nextCommitted(!this.#async);
    const mustSync = entries.length > 0 || this.#toldTerm !== raft.term || this.#toldVote !== raft.vote;
    // R1 a leader's term was durable before a quorum could answer its vote requests, so its appends
    // need not wait (R2).
    assert(raft.role !== 'leader' || this.#async || raft.term === this.#toldTerm, 'R2 a leader has a durable term');
    const hardState = this.#takeHardState();
    const softState =
      raft.lead !== this.#toldLead || raft.role !== this.#toldRole ? { lead: raft.lead, role: raft.role } : undefined;
    this.#toldLead = raft.lead;
    this.#toldRole = raft.role;

    const messages = raft.messages;
    const steps: Message[] = [];
    if (this.#async) {
      const append = storageAppend(raft, { entries, hardState, snapshot });
      if (append !== undefined) messages.push(append);
      if (committedEntries.length > 0) messages.push(storageApply(raft, committedEntries));
    } else {
      for (const message of raft.messagesAfterAppend) {
        if (message.to === raft.id) steps.push(message);
        else messages.push(message);
      }
      const written = storageAppendResponse(raft, snapshot);
      if (written !== undefined) steps.push(written);
      if (committedEntries.length > 0) steps.push(storageApplyResponse(raft, committedEntries));
    }
    const readStates = raft.readStates.length === 0 ? NO_READ_STATES : raft.readStates;
    const ready: Ready = { softState, hardState, readStates, entries, snapshot, committedEntries, messages, mustSync };

    raft.messages = [];
    raft.messagesAfterAppend = [];
    if (readStates.length > 0) raft.readStates = [];
    raft.reads.closeRound();
    log.acceptUnstable();
    log.acceptApplying(committedEntries, !this.#async);
    if (!this.#async) this.#outstanding = { ready, steps };
    return ready;
  }

  #takeHardState(): HardState | undefined {
    if (!this.#hardStateChanged) return undefined;
    const hardState = this.#raft.hardState();
    assert(hardState.term >= this.#toldTerm, 'R1 the term does not go back');
    assert(hardState.commit >= this.#toldCommit, 'R3 the commit index does not go back');
    this.#toldTerm = hardState.term;
    this.#toldVote = hardState.vote;
    this.#toldCommit = hardState.commit;
    return hardState;
  }

  /** All that `ready` asked for is done. */
  advance(ready: Ready): void {
    const outstanding = this.#outstanding;
    assert(ready === outstanding?.ready, 'advance() takes what ready() returned');
    this.#outstanding = undefined;
    for (const message of outstanding.steps) step(this.#raft, message);
    const last = ready.committedEntries[ready.committedEntries.length - 1];
    assert(last === undefined || this.#raft.log.applied >= last.index, 'R3 what advance() tells of counts as applied');
  }
}
