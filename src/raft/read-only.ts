/**
 * Linearizable reads without the log (thesis, 6.4).
 *
 * R4: a read may be served at the commit index of the moment it arrived, once it is certain that no
 * other leader had been elected by then. Two proofs: a quorum answers a heartbeat that was sent
 * after the read arrived; or a quorum answered one so recently that none of its members can have
 * voted for another (lease).
 *
 * Every broadcast of heartbeats is a numbered round; an answer to round n answers all earlier ones
 * too. Reads that arrive before a round's heartbeats have left share it.
 */

import { assert } from '../base/assert.js';
import type { LogIndex, NodeId } from '../base/ids.js';

export interface ReadRequest {
  readonly from: NodeId;
  readonly context: Uint8Array;
}

interface PendingRead extends ReadRequest {
  readonly round: number;
  readonly index: LogIndex;
}

export class ReadOnly {
  readonly #maxPending: number;
  readonly #leaseTicks: number;
  /** Reads that wait for their round, in the order of rounds. */
  #queue: PendingRead[] = [];
  /** Reads that arrived before the leader committed an entry of its term. */
  #postponed: ReadRequest[] = [];
  #round = 0;
  /** Whether the heartbeats of the newest round are still to be sent by the next `Ready`. */
  #roundOpen = false;
  #now: number;
  /** At `t % length`: the newest round when tick t began. */
  readonly #roundAtTick: number[];
  #leaseGivenUp = false;

  constructor(maxPending: number, electionTick: number) {
    this.#maxPending = maxPending;
    // A follower that heard the leader grants no vote for at least electionTick - 1 whole ticks;
    // the leader's own count may be short by one more.
    this.#leaseTicks = electionTick - 2;
    this.#roundAtTick = new Array<number>(electionTick).fill(0);
    this.#now = electionTick;
  }

  /** A new term. Rounds go on counting, but earlier ones prove nothing. */
  reset(): void {
    this.#queue = [];
    this.#postponed = [];
    this.#roundOpen = false;
    this.#leaseGivenUp = false;
    this.#roundAtTick.fill(this.#round);
  }

  get isFull(): boolean {
    return this.#queue.length + this.#postponed.length >= this.#maxPending;
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  tick(): void {
    this.#now++;
    this.#roundAtTick[this.#now % this.#roundAtTick.length] = this.#round;
  }

  startRound(): number {
    this.#roundOpen = true;
    return ++this.#round;
  }

  get roundOpen(): boolean {
    return this.#roundOpen;
  }

  /** A `Ready` took the heartbeats: a read that arrives from now on needs a new round. */
  closeRound(): void {
    this.#roundOpen = false;
  }

  /** This leader has told another node to campaign, and voters will ignore the lease. */
  giveUpLease(): void {
    this.#leaseGivenUp = true;
  }

  /** Whether the quorum that answered `confirmedRound` cannot have elected another leader yet. */
  leaseHolds(confirmedRound: number): boolean {
    if (this.#leaseGivenUp) return false;
    const since = (this.#now - this.#leaseTicks) % this.#roundAtTick.length;
    assert((this.#roundAtTick[since] as number) <= this.#round, 'R4 no round is from the future');
    return confirmedRound > (this.#roundAtTick[since] as number);
  }

  add(index: LogIndex, request: ReadRequest): void {
    assert(this.#roundOpen, 'R4 a read shares only a round whose heartbeats have not left yet');
    assert(!this.isFull, 'the queue of reads has a bound');
    const last = this.#queue[this.#queue.length - 1];
    assert(last === undefined || last.index <= index, 'R4 a later read is not given an earlier index');
    this.#queue.push({ round: this.#round, index, from: request.from, context: request.context });
  }

  postpone(request: ReadRequest): void {
    assert(!this.isFull, 'the queue of reads has a bound');
    this.#postponed.push(request);
  }

  takePostponed(): readonly ReadRequest[] {
    const taken = this.#postponed;
    if (taken.length > 0) this.#postponed = [];
    return taken;
  }

  /** The reads that this round confirms. */
  takeConfirmed(confirmedRound: number): readonly PendingRead[] {
    let count = 0;
    while (count < this.#queue.length && (this.#queue[count] as PendingRead).round <= confirmedRound) count++;
    return count === 0 ? [] : this.#queue.splice(0, count);
  }
}
