/**
 * How long things take on one disk, in microseconds. Most are quick, some are not: a page that is
 * not cached, a flush that waits for the device, now and then a device that thinks for long. Each
 * disk is as fast as its seed says. Syncs go one after another.
 */

import type { Stream } from '../world/random.js';

/** Rare enough that a run has a few and is not dominated by them. */
const HICCUP_IN = 4096;
const SLOW_SYNC_IN = 256;

export class Latency {
  readonly #random: Stream;
  readonly #factor: number;
  #syncsUntilUs = 0;

  constructor(random: Stream) {
    this.#random = random;
    this.#factor = random.pick([1, 1, 1, 2, 3]);
  }

  /** A copy from or to the page cache: what it costs the event loop. */
  copy(bytes: number): number {
    return 2 + (bytes >> 12);
  }

  /** A read that the device answers. */
  device(bytes: number): number {
    const random = this.#random;
    const hiccup = random.chance(1, HICCUP_IN) ? random.between(20_000, 60_000) : 0;
    return (60 + random.tail(25) + (bytes >> 9)) * this.#factor + hiccup;
  }

  /** The way through the thread pool and back. */
  pool(): number {
    return 15 + this.#random.below(16);
  }

  name(): number {
    return 20 + this.#random.tail(12);
  }

  /**
   * From now until a sync of `bytes` returns, `extraUs` of which it stalls: those that come after
   * it wait.
   */
  sync(nowUs: number, bytes: number, extraUs: number): number {
    const random = this.#random;
    const slow = random.chance(1, SLOW_SYNC_IN) ? random.between(1_000, 8_000) : 0;
    const took = (80 + random.tail(60) + (bytes >> 9)) * this.#factor + slow + extraUs;
    this.#syncsUntilUs = Math.max(this.#syncsUntilUs, nowUs) + took;
    return this.#syncsUntilUs - nowUs;
  }

  /** Nobody waits any more: the machine starts anew. */
  restart(): void {
    this.#syncsUntilUs = 0;
  }
}
