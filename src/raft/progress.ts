/**
 * What the leader knows of one follower's log, and how fast it may send to it.
 *
 * `match` is what the follower is known to have; `next` is where the next append begins. Always match < next.
 *
 *  - probe: where the logs part is not known. One append at a time, then wait for an answer or a heartbeat's.
 *  - replicate: the logs agree. Appends are sent before earlier ones are answered; `next` runs ahead of `match`.
 *  - snapshot: what the follower needs is no longer in the log. Nothing is sent until the snapshot arrived.
 */

import type { LogIndex, NodeId } from '../base/ids.js';
import { broken } from './errors.js';
import { Inflights } from './inflights.js';
import type { ProgressState, ProgressStatus } from './types.js';

export class Progress {
  readonly id: NodeId;
  readonly inflights: Inflights;
  state: ProgressState = 'probe';
  match: LogIndex = 0;
  next: LogIndex;
  isLearner = false;
  /** Whether the follower was heard from since the leader last checked its quorum. */
  recentActive = false;
  /** Index of the snapshot on its way; 0 except in state `snapshot`. */
  pendingSnapshot: LogIndex = 0;
  /** The newest heartbeat round that the follower answered. */
  ackedRound = 0;
  #flowPaused = false;
  /** The highest commit index sent that the follower cannot miss unless a message was lost. */
  #sentCommit: LogIndex = 0;

  constructor(id: NodeId, next: LogIndex, maxInflightMsgs: number, maxInflightBytes: number) {
    this.id = id;
    this.next = next;
    this.inflights = new Inflights(maxInflightMsgs, maxInflightBytes);
  }

  /** A new term: nothing is known but the place where one's own log ends. */
  reset(match: LogIndex, next: LogIndex): void {
    this.match = match;
    this.next = next;
    this.recentActive = false;
    this.ackedRound = 0;
    this.#sentCommit = 0;
    this.#enter('probe');
  }

  #enter(state: ProgressState): void {
    this.state = state;
    this.pendingSnapshot = 0;
    this.#flowPaused = false;
    this.inflights.reset();
  }

  becomeProbe(): void {
    // After a snapshot the follower is taken to have it: if the snapshot failed, probing finds out.
    const behind = this.state === 'snapshot' ? Math.max(this.match, this.pendingSnapshot) : this.match;
    this.#enter('probe');
    this.#moveNext(behind + 1);
  }

  becomeReplicate(): void {
    this.#enter('replicate');
    this.next = this.match + 1;
  }

  becomeSnapshot(index: LogIndex): void {
    this.#enter('snapshot');
    this.pendingSnapshot = index;
    this.next = Math.max(index, this.match) + 1;
    this.#sentCommit = index;
  }

  /** Whether appends are held back for now. */
  get paused(): boolean {
    return this.state === 'snapshot' || this.#flowPaused;
  }

  pause(): void {
    this.#flowPaused = true;
  }

  unpause(): void {
    this.#flowPaused = false;
  }

  /** An append with so many entries and payload bytes was sent, which told of `commit`. */
  sentAppend(entries: number, bytes: number, commit: LogIndex): void {
    if (this.state === 'replicate') {
      if (entries > 0) {
        this.next += entries;
        this.inflights.add(this.next - 1, bytes);
      }
      // With a full window, one empty append per heartbeat round still goes through: its answer or rejection is
      // what frees a window whose messages were all lost.
      this.#flowPaused = this.inflights.full;
    } else if (entries > 0) {
      this.#flowPaused = true;
    }
    this.#sentCommit = commit;
  }

  sentHeartbeat(commit: LogIndex): void {
    this.#sentCommit = commit;
  }

  /** Whether telling the follower of `commit` would let it commit more than it has been told it can. */
  canBumpCommit(commit: LogIndex): boolean {
    return commit > this.#sentCommit && this.#sentCommit < this.next - 1;
  }

  /** The follower has everything through `index`. False if that is no news. */
  acknowledge(index: LogIndex): boolean {
    if (index <= this.match) return false;
    this.match = index;
    if (this.next <= index) this.next = index + 1;
    this.#flowPaused = false;
    return true;
  }

  /**
   * The follower refused an append after `rejected`, and the logs may agree at `hint`. False if the refusal is
   * outdated: answers may come late, twice or out of order.
   */
  rejectedAt(rejected: LogIndex, hint: LogIndex): boolean {
    if (this.state === 'replicate') {
      if (rejected <= this.match) return false;
      this.#moveNext(this.match + 1);
      return true;
    }
    if (this.next - 1 !== rejected) return false;
    this.#moveNext(Math.max(Math.min(rejected, hint + 1), this.match + 1));
    this.#flowPaused = false;
    return true;
  }

  #moveNext(next: LogIndex): void {
    if (next <= this.match) broken(`match < next: node ${this.id} has ${this.match}, next ${next}`);
    this.next = next;
    this.#sentCommit = Math.min(this.#sentCommit, next - 1);
  }

  status(): ProgressStatus {
    return {
      state: this.state,
      match: this.match,
      next: this.next,
      isLearner: this.isLearner,
      paused: this.paused,
      pendingSnapshot: this.pendingSnapshot,
      recentActive: this.recentActive,
      inflight: this.inflights.count,
      inflightFull: this.inflights.full,
    };
  }
}
