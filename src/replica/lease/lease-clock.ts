/**
 * The time by which a leader lets leases end. It goes on only while this member runs: a pause (a
 * stalled event loop, a process that was stopped, a clock that went back) counts as one short step,
 * and for a while afterwards nothing may end, until the keep-alives that came meanwhile are read.
 */

import { assert } from '../../base/assert.js';

/** A step that took longer was a pause. */
export const STALL_MS = 250;
/** Of running without a pause, after one. */
export const CALM_MS = 500;

export class LeaseClock {
  /** Milliseconds. Only grows. */
  #now = 0;
  #calmFrom = CALM_MS;
  #last: number | undefined;

  get now(): number {
    return this.#now;
  }

  /** Whether what is due by this clock may end. */
  get calm(): boolean {
    return this.#now >= this.#calmFrom;
  }

  /** Nothing may end for so long from now, either. */
  rest(ms: number): void {
    this.#calmFrom = Math.max(this.#calmFrom, this.#now + ms);
  }

  /** Called often. `now`: of the clock of `Env`. */
  step(now: number): void {
    const step = this.#last === undefined ? 0 : Math.max(0, now - this.#last);
    this.#last = now;
    const before = this.#now;
    this.#now += Math.min(step, STALL_MS);
    if (step > STALL_MS) this.rest(CALM_MS);
    assert(this.#now >= before, 'the time of leases does not go back');
  }
}
