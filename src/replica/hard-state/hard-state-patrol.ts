/**
 * The copies of the hard state are looked at now and then while a member runs, and by each scrub:
 * damage must not add up until the next start, which needs two that agree (R5). What was found, and
 * whether it is mended, is told.
 */

import type { Env } from '../../base/env.js';
import type { Life } from '../state/life.js';
import type { HardStateStore } from './hard-state.js';

interface HardStatePatrolParts {
  readonly env: Pick<Env, 'clock' | 'events'>;
  readonly life: Pick<Life, 'ended' | 'fail'>;
  readonly hardState: Pick<HardStateStore, 'scrub'>;
}

/** Four pages are read each time. */
const ROUND_MS = 600_000;

export class HardStatePatrol {
  readonly #parts: HardStatePatrolParts;
  #lastAt: number;
  #running: Promise<number> | undefined;

  constructor(parts: HardStatePatrolParts) {
    this.#parts = parts;
    this.#lastAt = parts.env.clock.now();
  }

  tick(now: number): void {
    if (now - this.#lastAt >= ROUND_MS) void this.scrub();
  }

  /** How many copies were bad. One that cannot promise anything any more ends the member (R2). */
  scrub(): Promise<number> {
    this.#lastAt = this.#parts.env.clock.now();
    this.#running ??= this.#scrub().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #scrub(): Promise<number> {
    const { env, life, hardState } = this.#parts;
    if (life.ended) return 0;
    try {
      const { faulty, why } = await hardState.scrub();
      if (faulty > 0) {
        const message = why === undefined ? 'copies of the hard state were damaged: it is written anew' : 'copies of the hard state are damaged';
        env.events.emit({ type: 'warning', message, data: { copies: faulty, ...(why === undefined ? {} : { why }) } });
      }
      return faulty;
    } catch (error) {
      life.fail(error);
      return 0;
    }
  }
}
