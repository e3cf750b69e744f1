/**
 * What the leader knows of one follower's log, and how fast it may send to it.
 *
 * `match` is what the follower is known to have; `next` is where the next append begins. Always
 * match < next.
 *
 *  - probe: it is not known where the logs diverge. One append at a time, then wait for its
 *    response or that of a heartbeat.
 *  - replicate: the logs agree. Appends are pipelined: they are sent before earlier ones are
 *    acknowledged, and `next` runs ahead of `match`.
 *  - snapshot: what the follower needs is no longer in the log. No append is sent until the
 *    snapshot has arrived.
 */

import { assert } from '../base/assert.js';
import type { LogIndex, NodeId } from '../base/ids.js';
import { broken } from './errors.js';
import { Inflights } from './inflights.js';
import type { ProgressState, ProgressStatus } from './types.js';

/** Flow control: `paused` holds appends back until the follower responds. */
type Flow =
  | { readonly state: 'probe'; paused: boolean }
  | { readonly state: 'replicate'; paused: boolean }
  /** `index` is that of the snapshot on its way. */
  | { readonly state: 'snapshot'; readonly index: LogIndex };

export class Progress {
  readonly id: NodeId;
  readonly inflights: Inflights;
  isLearner = false;
  /** Whether the follower was heard from since the leader last checked its quorum. */
  recentActive = false;
  /** The newest heartbeat round that the follower answered; it only rises within a term. */
  ackedRound = 0;
  /** What the follower is known to have: 0 <= match < next. It only rises within a term. */
  #match: LogIndex = 0;
  /** Where the next append begins. */
  #next: LogIndex;
  #flow: Flow = { state: 'probe', paused: false };
  /** The highest commit index that the follower was sent; messages may have been lost. */
  #sentCommit: LogIndex = 0;
  /** The highest index that who asked through the follower waits for, there. */
  #awaited: LogIndex = 0;

  constructor(id: NodeId, next: LogIndex, maxInflightMsgs: number, maxInflightBytes: number) {
    assert(next >= 1, `R3 the first append to node ${id} begins at entry 1 or later, not at ${next}`);
    this.id = id;
    this.#next = next;
    this.inflights = new Inflights(maxInflightMsgs, maxInflightBytes);
  }

  /** A new term: nothing is known of the follower; appends begin at the end of the leader's log. */
  reset(match: LogIndex, next: LogIndex): void {
    this.recentActive = false;
    this.ackedRound = 0;
    this.#sentCommit = 0;
    this.#awaited = 0;
    this.#match = match;
    this.#moveNext(next);
    this.#enter({ state: 'probe', paused: false });
  }

  get match(): LogIndex {
    return this.#match;
  }

  get next(): LogIndex {
    return this.#next;
  }

  get state(): ProgressState {
    return this.#flow.state;
  }

  #enter(flow: Flow): void {
    this.#flow = flow;
    this.inflights.reset();
  }

  /**
   * What is in flight may be lost, or the logs diverge: find out where, before more is sent.
   */
  becomeProbe(): void {
    this.#enter({ state: 'probe', paused: false });
    this.#moveNext(this.#match + 1);
  }

  becomeReplicate(): void {
    this.#enter({ state: 'replicate', paused: false });
    this.#moveNext(this.#match + 1);
  }

  becomeSnapshot(index: LogIndex): void {
    assert(index > 0, `R3 the snapshot for node ${this.id} is not empty`);
    assert(!this.paused, `no snapshot is sent to node ${this.id} while it is waited for`);
    this.#enter({ state: 'snapshot', index });
    this.#moveNext(Math.max(index, this.#match) + 1);
    this.#sentCommit = index;
  }

  /** The snapshot on its way arrived or failed. Nothing happens if none is on its way. */
  snapshotReported(ok: boolean): void {
    if (this.#flow.state !== 'snapshot') return;
    const reached = ok ? Math.max(this.#match, this.#flow.index) : this.#match;
    // Paused: wait for the follower's response to the snapshot, or to a heartbeat if it failed.
    this.#enter({ state: 'probe', paused: true });
    this.#moveNext(reached + 1);
  }

  /** Whether appends are held back for now. */
  get paused(): boolean {
    return this.#flow.state === 'snapshot' || this.#flow.paused;
  }

  /** The follower responds: one more append may be sent. */
  unpause(): void {
    if (this.#flow.state !== 'snapshot') this.#flow.paused = false;
  }

  /** An append with so many entries and payload bytes was sent, which told of `commit`. */
  sentAppend(entries: number, bytes: number, commit: LogIndex): void {
    const flow = this.#flow;
    assert(flow.state !== 'snapshot', 'no append is sent while a snapshot is on its way');
    if (flow.state === 'replicate') {
      if (entries > 0) {
        this.#next += entries;
        this.inflights.add(this.#next - 1, bytes);
      }
      // With a full window, one empty append per heartbeat round is still sent: its acknowledgement
      // or rejection is what frees a window whose messages were all lost.
      flow.paused = this.inflights.full;
    } else if (entries > 0) {
      flow.paused = true;
    }
    this.#sentCommit = commit;
  }

  sentHeartbeat(commit: LogIndex): void {
    if (commit > this.#match) broken(`R3 a heartbeat commits only what node ${this.id} has: ${commit} > ${this.#match}`);
    this.#sentCommit = commit;
  }

  /**
   * Whether telling the follower of `commit` would let it commit more than it has been told it can.
   */
  canBumpCommit(commit: LogIndex): boolean {
    return commit > this.#sentCommit && this.#sentCommit < this.#next - 1;
  }

  /** Who asked through the follower waits until it knows that `index` is committed. */
  awaits(index: LogIndex): void {
    this.#awaited = Math.max(this.#awaited, index);
  }

  /** Somebody waits at the follower for more than it has been told of. */
  get isAwaiting(): boolean {
    return this.#sentCommit < this.#awaited;
  }

  /** The follower has everything through `index`. False if that was known. */
  acknowledge(index: LogIndex): boolean {
    if (index <= this.#match) return false;
    this.#match = index;
    if (this.#next <= index) this.#next = index + 1;
    this.unpause();
    return true;
  }

  /**
   * The follower rejected an append after `rejected`, and the logs may agree at `hint`. False if
   * the rejection is outdated: responses may come late, twice or out of order.
   */
  rejectedAt(rejected: LogIndex, hint: LogIndex): boolean {
    if (this.state === 'replicate') {
      if (rejected <= this.#match) return false;
      this.#moveNext(this.#match + 1);
      return true;
    }
    if (this.#next - 1 !== rejected) return false;
    this.#moveNext(Math.max(Math.min(rejected, hint + 1), this.#match + 1));
    this.unpause();
    return true;
  }

  #moveNext(next: LogIndex): void {
    if (next <= this.#match) broken(`R3 match < next: node ${this.id} has ${this.#match}, next is ${next}`);
    this.#next = next;
    this.#sentCommit = Math.min(this.#sentCommit, next - 1);
  }

  status(): ProgressStatus {
    return {
      state: this.state,
      match: this.#match,
      next: this.#next,
      isLearner: this.isLearner,
      paused: this.paused,
      pendingSnapshot: this.#flow.state === 'snapshot' ? this.#flow.index : 0,
      recentActive: this.recentActive,
      inflight: this.inflights.count,
      inflightFull: this.inflights.full,
    };
  }
}
