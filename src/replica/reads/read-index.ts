/**
 * Linearizable reads (R4): a read is served once this member has applied the index that the leader
 * had committed when the read arrived, and the leader proved by a round of heartbeats that it still
 * led then. All reads that wait share one round; one round is in flight at a time.
 */

import { assert } from '../../base/assert.js';
import { equalBytes } from '../../base/bytes.js';
import { Deferred } from '../../base/deferred.js';
import type { Clock } from '../../base/env.js';
import type { LogIndex, NodeId } from '../../base/ids.js';
import type { ReadState } from '../../raft/types.js';
import { EtcdError } from '../../api/etcd-error.js';
import type { RaftDriver } from '../consensus/raft-driver.js';
import type { Leadership } from '../state/leadership.js';

interface Waiter {
  readonly deadline: number;
  readonly answer: Deferred<void>;
}

interface Round {
  readonly number: number;
  readonly waiters: Waiter[];
  askedAt: number;
}

export interface ReadIndexParts {
  readonly clock: Clock;
  readonly leadership: Leadership;
  /** The leader is asked through it. */
  readonly driver: Pick<RaftDriver, 'readIndex'>;
}

export interface ReadIndexOptions {
  readonly incarnation: number;
  readonly timeoutMs: number;
  /** A round that was not confirmed after this long is asked for again. */
  readonly retryMs: number;
  readonly maxWaiting: number;
}

export class ReadIndex {
  readonly #parts: ReadIndexParts;
  readonly #options: ReadIndexOptions;
  /** They came after the current round was asked for, and wait for the next. */
  #next: Waiter[] = [];
  /** Asked for and not confirmed yet. */
  #round: Round | undefined;
  /** Confirmed rounds that wait for their index to be applied, by index. */
  #confirmed: { index: LogIndex; waiters: Waiter[] }[] = [];
  #applied: LogIndex = 0;
  /** Only grows: the number of the last round. */
  #rounds = 0;
  /** All that wait, in whatever state: 0 to `maxWaiting`. */
  #waiting = 0;
  #stopped = false;

  constructor(parts: ReadIndexParts, options: ReadIndexOptions) {
    this.#parts = parts;
    this.#options = options;
    parts.leadership.subscribe(({ leader }) => this.#leaderChanged(leader));
  }

  /** Resolves when a linearizable read may look at this member's state. Rejects with EtcdError. */
  wait(): Promise<void> {
    const { clock } = this.#parts;
    const { timeoutMs, maxWaiting } = this.#options;
    if (this.#stopped) return Promise.reject(new EtcdError('STOPPED'));
    if (this.#waiting >= maxWaiting) return Promise.reject(new EtcdError('TOO_MANY_REQUESTS'));
    this.#waiting++;
    const answer = new Deferred<void>();
    this.#next.push({ deadline: clock.now() + timeoutMs, answer });
    if (!this.#round) clock.defer(() => this.#start());
    return answer.promise;
  }

  readStates(states: readonly ReadState[]): void {
    for (const { context, index } of states) {
      const round = this.#round;
      // Of this very round: the leader may still answer what an earlier incarnation asked, with an
      // index that is too old.
      if (!round || !equalBytes(context, this.#context(round.number))) continue;
      this.#round = undefined;
      if (index <= this.#applied) this.#release(round.waiters);
      else this.#await(index, round.waiters);
      this.#start();
    }
  }

  /**
   * Everything up to `index` is applied and may be read. It goes back only when another version
   * takes the place of the state.
   */
  applied(index: LogIndex): void {
    this.#applied = index;
    if (this.#confirmed.length === 0) return;
    const ready = this.#confirmed.filter((batch) => batch.index <= index);
    if (ready.length === 0) return;
    this.#confirmed = this.#confirmed.filter((batch) => batch.index > index);
    for (const batch of ready) this.#release(batch.waiters);
  }

  /** The current round was asked of somebody who may be gone. */
  #leaderChanged(leader: NodeId): void {
    if (this.#round && leader !== 0) this.#ask(this.#round);
  }

  tick(): void {
    const now = this.#parts.clock.now();
    const round = this.#round;
    if (round && now - round.askedAt >= this.#options.retryMs) this.#ask(round);
    this.#expire(this.#next, now, 'TIMEOUT');
    if (round) this.#expire(round.waiters, now, 'TIMEOUT');
    for (const batch of this.#confirmed) this.#expire(batch.waiters, now, 'TIMEOUT_WAIT_APPLIED');
    if (this.#confirmed.some(({ waiters }) => waiters.length === 0)) {
      this.#confirmed = this.#confirmed.filter(({ waiters }) => waiters.length > 0);
    }
  }

  stop(): void {
    this.#stopped = true;
    const all = [...this.#next, ...(this.#round?.waiters ?? []), ...this.#confirmed.flatMap((batch) => batch.waiters)];
    for (const waiter of all) waiter.answer.reject(new EtcdError('STOPPED'));
    this.#next = [];
    this.#round = undefined;
    this.#confirmed = [];
  }

  /** Rounds that are confirmed one after another at one index share a batch. */
  #await(index: LogIndex, waiters: Waiter[]): void {
    assert(index > this.#applied, 'R4 a read waits for what is not applied yet');
    const last = this.#confirmed.at(-1);
    if (last?.index === index) for (const waiter of waiters) last.waiters.push(waiter);
    else if (waiters.length > 0) this.#confirmed.push({ index, waiters });
  }

  #start(): void {
    if (this.#round || this.#next.length === 0 || this.#stopped) return;
    assert(this.#next.length <= this.#waiting, 'R4 who waits for a round is counted');
    this.#round = { number: ++this.#rounds, waiters: this.#next, askedAt: 0 };
    this.#next = [];
    this.#ask(this.#round);
  }

  #ask(round: Round): void {
    assert(round === this.#round, 'R4 one round is in flight at a time');
    round.askedAt = this.#parts.clock.now();
    this.#parts.driver.readIndex(this.#context(round.number));
  }

  /** Unique among all rounds of all members and incarnations. */
  #context(round: number): Uint8Array {
    const context = new Uint8Array(24);
    const view = new DataView(context.buffer);
    view.setFloat64(0, round);
    view.setFloat64(8, this.#parts.leadership.self);
    view.setFloat64(16, this.#options.incarnation);
    return context;
  }

  #release(waiters: readonly Waiter[]): void {
    this.#left(waiters.length);
    for (const waiter of waiters) waiter.answer.resolve();
  }

  #left(waiters: number): void {
    this.#waiting -= waiters;
    assert(this.#waiting >= 0, 'R4 each read is answered once');
  }

  #expire(waiters: Waiter[], now: number, code: 'TIMEOUT' | 'TIMEOUT_WAIT_APPLIED'): void {
    while (waiters.length > 0 && (waiters[0] as Waiter).deadline <= now) {
      this.#left(1);
      (waiters.shift() as Waiter).answer.reject(new EtcdError(code));
    }
  }
}
