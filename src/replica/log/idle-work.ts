/**
 * What a log does by itself while nothing is appended: the identities of its last batch within
 * 50 ms, and after a second the record of where it rests. A busy log carries the identities with
 * its next batch, and has no such record.
 */

import type { Clock, Timer } from '../../base/env.js';

export interface IdleLog {
  /** Of the last batch. */
  readonly sequence: number;
  readonly isAppending: boolean;
  /** Identities wait. */
  readonly hasPending: boolean;
  readonly isAtRest: boolean;
  flushIdentities(): Promise<void>;
  restHere(): Promise<void>;
}

/** An identity waits for this long at most twice. */
const IDENTITY_DELAY_MS = 25;
export const REST_DELAY_MS = 1_000;

export class IdleWork {
  readonly #clock: Clock;
  readonly #log: IdleLog;
  #timer: Timer | undefined;
  /** What the timer is for. */
  #isForRest = false;
  #stopped = false;

  constructor(clock: Clock, log: IdleLog) {
    this.#clock = clock;
    this.#log = log;
  }

  /** To be called when something was appended. */
  arm(): void {
    const { hasPending, isAtRest, sequence } = this.#log;
    if (this.#timer !== undefined && this.#isForRest && hasPending) this.#cancel();
    if (this.#timer !== undefined || this.#stopped || (!hasPending && isAtRest)) return;
    this.#isForRest = !hasPending;
    this.#timer = this.#clock.setTimer(hasPending ? IDENTITY_DELAY_MS : REST_DELAY_MS, () => {
      this.#timer = undefined;
      if (this.#log.isAppending || sequence !== this.#log.sequence) this.arm();
      else if (this.#isForRest) this.#do(this.#log.restHere());
      else this.#do(this.#flush());
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  async #flush(): Promise<void> {
    await this.#log.flushIdentities();
    if (!this.#log.hasPending) this.arm();
  }

  #cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** A failure is kept by the log and tells the next caller. */
  #do(work: Promise<void>): void {
    void work.catch(() => undefined);
  }
}
