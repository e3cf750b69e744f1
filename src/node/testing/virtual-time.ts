/**
 * Members whose time only a test moves, on disks whose syncs take as long as it says: what a test
 * finds does not hang on the machine that it runs on. Before time goes on to the next timer
 * everything happens that needs no time: the network delivers, and what was deferred is done.
 */

import { SlowDisk } from '../../base/disk/testing/slow-disk.js';
import type { Env } from '../../base/env.js';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { seededRandom } from '../../base/testing/seeded-random.js';
import type { LifeParts, Surroundings } from './surroundings.js';

/** A message to another member and its answer, with all that is deferred on the way, takes less. */
const TURNS = 10;

class VirtualClock extends ManualClock {
  override defer(fn: () => void): void {
    setImmediate(fn);
  }
}

export class VirtualTime implements Surroundings<SlowDisk> {
  readonly #clock = new VirtualClock();

  now(): number {
    return this.#clock.now();
  }

  newDisk(): SlowDisk {
    return new SlowDisk(this.#clock);
  }

  env({ self, disk, hub, emit }: LifeParts<SlowDisk>): Env {
    return {
      clock: this.#clock, random: seededRandom(self), disk, network: hub.network(self),
      workers: { breathe: () => undefined }, events: { emit },
    };
  }

  powerLoss(): void {
    throw new Error('a slow disk has no power to lose: kill the member');
  }

  async pass(ms: number): Promise<void> {
    for (const end = this.now() + ms; this.now() < end; ) await this.#step(end);
  }

  /** Time passes until it is settled. Fails after `ms` of it, 10 s unless told otherwise. */
  async during<T>(work: Promise<T>, ms = 10_000): Promise<T> {
    let settled = false;
    const over = work.then(() => (settled = true), () => (settled = true));
    await this.until('what goes on', () => settled, ms);
    await over;
    return work;
  }

  /** Time passes until the condition gives something. Fails with its name after `ms` of it. */
  async until<T>(what: string, condition: () => T | undefined | false, ms = 10_000): Promise<T> {
    const end = this.now() + ms;
    for (;;) {
      const found = condition();
      if (found !== undefined && found !== false) return found;
      if (this.now() >= end) throw new Error(`waited for ${what} in vain, for ${ms} ms`);
      await this.#step(end);
    }
  }

  async #step(end: number): Promise<void> {
    for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
    this.#clock.advance(Math.max(0, Math.min(this.#clock.nextAt, end) - this.now()));
  }
}
