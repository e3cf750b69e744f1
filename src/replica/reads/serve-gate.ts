/**
 * Nothing is served before the materialized index of the version in place is applied: its tables
 * may have left out what a state between its flushed and its materialized index would still need.
 * Nor is anything served that is older than what was served before (R4): a version that is taken
 * from a peer may begin before it. Requests wait here, no longer than any request waits.
 */

import { assert } from '../../base/assert.js';
import { Deferred } from '../../base/deferred.js';
import type { Clock } from '../../base/env.js';
import type { LogIndex } from '../../base/ids.js';
import { EtcdError } from '../../api/etcd-error.js';

interface Waiter {
  readonly deadline: number;
  readonly answer: Deferred<void>;
}

export class ServeGate {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  /**
   * The gate is open when what is applied reaches this: the materialized index of the version, or
   * what was served before.
   */
  #from: LogIndex;
  #applied: LogIndex = 0;
  /** The newest state that was open to readers: nothing older is served again. */
  #served: LogIndex = 0;
  #waiters: Waiter[] = [];
  #stopped = false;

  constructor(clock: Clock, timeoutMs: number, from: LogIndex) {
    assert(from >= 0 && timeoutMs > 0, `R4 the gate opens at ${from}, and nobody waits for ever`);
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#from = from;
  }

  get isOpen(): boolean {
    return this.#applied >= this.#from;
  }

  /**
   * Another version is being installed, whose materialized index is `from`: closed until `applied`
   * says that it is reached.
   */
  install(from: LogIndex): void {
    // At least 1, so that it is closed while nothing is applied.
    this.#from = Math.max(from, this.#served, 1);
    this.#applied = 0;
    assert(!this.isOpen && this.#from >= this.#served, 'R4 a version that is being installed is not read');
  }

  applied(index: LogIndex): void {
    this.#applied = index;
    if (!this.isOpen) return;
    assert(index >= this.#served, 'R4 what is served never goes back');
    this.#served = index;
    if (this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.answer.resolve();
  }

  /** Undefined: go on. Rejects with EtcdError. */
  wait(): Promise<void> | undefined {
    if (this.isOpen) return undefined;
    if (this.#stopped) return Promise.reject(new EtcdError('STOPPED'));
    const answer = new Deferred<void>();
    this.#waiters.push({ deadline: this.#clock.now() + this.#timeoutMs, answer });
    return answer.promise;
  }

  tick(): void {
    const now = this.#clock.now();
    while (this.#waiters.length > 0 && (this.#waiters[0] as Waiter).deadline <= now) {
      (this.#waiters.shift() as Waiter).answer.reject(new EtcdError('TIMEOUT_WAIT_APPLIED'));
    }
  }

  stop(): void {
    this.#stopped = true;
    for (const waiter of this.#waiters.splice(0)) waiter.answer.reject(new EtcdError('STOPPED'));
  }
}
