/**
 * The clock without what this process was held up for: what others said meanwhile waits to be
 * heard, and they were not silent then. Whatever takes n intervals of it takes n turns of the loop.
 */

import type { Clock } from '../../base/env.js';

export class UnheldTime {
  readonly #clock: Clock;
  readonly #everyMs: number;
  #at: number;
  #now: number;

  /** It is looked at every so many milliseconds, by a timer. */
  constructor(clock: Clock, everyMs: number) {
    this.#clock = clock;
    this.#everyMs = everyMs;
    this.#now = this.#at = clock.now();
  }

  /** At the last look. */
  get now(): number {
    return this.#now;
  }

  /** A look: no more than its interval has passed since the one before. */
  look(): number {
    const at = this.#clock.now();
    this.#now += Math.min(at - this.#at, this.#everyMs);
    this.#at = at;
    return this.#now;
  }
}
