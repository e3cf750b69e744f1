/**
 * So many bytes a second, and no more than a moment's worth at once: what waits, waits in order.
 * Each caller is told how long before it does anything else, so that nothing is kept for those that
 * wait.
 */

import { assert } from '../../base/assert.js';
import { sleep, type Clock } from '../../base/env.js';

/** What was not used counts for so long. */
const BURST_MS = 100;

export class ByteRate {
  readonly #clock: Clock;
  #bytesPerSecond: number;
  /** When all that was taken has had its time. */
  #due = -Infinity;
  #taken = 0;

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#bytesPerSecond = letsThrough(bytesPerSecond);
  }

  /** Bytes, since it was made. */
  get taken(): number {
    return this.#taken;
  }

  /** For what is taken from now on. */
  change(bytesPerSecond: number): void {
    this.#bytesPerSecond = letsThrough(bytesPerSecond);
  }

  /** Undefined: they may go now. */
  take(bytes: number): Promise<void> | undefined {
    this.#taken += bytes;
    const now = this.#clock.now();
    const begins = Math.max(this.#due, now - BURST_MS);
    this.#due = begins + (bytes * 1_000) / this.#bytesPerSecond;
    const wait = begins - now;
    return wait > 0 ? sleep(this.#clock, wait) : undefined;
  }
}

function letsThrough(bytesPerSecond: number): number {
  assert(bytesPerSecond > 0, `a rate of ${bytesPerSecond} bytes a second lets nothing through`);
  return bytesPerSecond;
}
