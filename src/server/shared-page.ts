/**
 * A page that many ask for: it is made once at a time, and for some time whoever asks gets the same
 * bytes. A page that takes long to make is kept for longer, so that no number of readers makes the
 * node spend more than a tenth of its time on it; but for no longer than a second.
 */

import type { Clock } from '../base/env.js';

/** A page is kept for so many times as long as it took to make. */
const COST_FACTOR = 9;
const MAX_FRESH_MS = 1_000;

export class SharedPage {
  readonly #clock: Clock;
  readonly #freshMs: number;
  readonly #make: () => Promise<string>;
  #bytes: Promise<Buffer> | undefined;
  /** Of what is there; unknown while it is being made. */
  #freshUntil = Infinity;

  /** `freshMs`: for so long at least it is as good as new. */
  constructor(clock: Clock, freshMs: number, make: () => Promise<string>) {
    this.#clock = clock;
    this.#freshMs = freshMs;
    this.#make = make;
  }

  /**
   * Rejects as making it does; then the next who asks has it made again. Nobody writes to the
   * bytes.
   */
  get(): Promise<Buffer> {
    if (this.#bytes === undefined || this.#clock.now() >= this.#freshUntil) this.#bytes = this.#makeAnew();
    return this.#bytes;
  }

  async #makeAnew(): Promise<Buffer> {
    this.#freshUntil = Infinity;
    const from = this.#clock.now();
    try {
      return Buffer.from(await this.#make());
    } catch (error) {
      this.#bytes = undefined;
      throw error;
    } finally {
      const now = this.#clock.now();
      this.#freshUntil = now + Math.max(this.#freshMs, Math.min(MAX_FRESH_MS, COST_FACTOR * (now - from)));
    }
  }
}
