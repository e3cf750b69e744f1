/**
 * The copies of the hard state, and of the file that says who the member is, are looked at now and
 * then while a member runs, and by each scrub: damage must not add up until the next start, which
 * needs two that agree (R5), and one. What was found, and whether it is mended, is told.
 */

import type { Env } from '../../base/env.js';
import type { Life } from '../state/life.js';
import type { TwiceKeeper } from '../state/kept-twice.js';
import type { HardStateStore } from './hard-state.js';

interface HardStatePatrolParts {
  readonly env: Pick<Env, 'clock' | 'events'>;
  readonly life: Pick<Life, 'ended' | 'fail'>;
  readonly hardState: Pick<HardStateStore, 'scrub'>;
  /** Undefined: its flags say who the member is. */
  readonly joined: Pick<TwiceKeeper, 'path' | 'scrub'> | undefined;
}

/** A few pages are read each time. */
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

  /** Of a start: hard state was mended when it was opened. */
  async begin(): Promise<void> {
    await this.#scrubJoined();
  }

  async #scrub(): Promise<number> {
    const { life, hardState } = this.#parts;
    if (life.ended) return 0;
    try {
      const { faulty, why } = await hardState.scrub();
      this.#tell('the hard state', faulty, why);
      return faulty + (await this.#scrubJoined());
    } catch (error) {
      life.fail(error);
      return 0;
    }
  }

  async #scrubJoined(): Promise<number> {
    const { joined } = this.#parts;
    if (joined === undefined) return 0;
    const { faulty, why } = await joined.scrub();
    this.#tell(`the file ${joined.path}`, faulty, why);
    return faulty;
  }

  #tell(what: string, faulty: number, why: string | undefined): void {
    if (faulty === 0) return;
    const message = why === undefined ? `copies of ${what} were damaged: it is written anew` : `copies of ${what} are damaged`;
    this.#parts.env.events.emit({ type: 'warning', message, data: { copies: faulty, ...(why === undefined ? {} : { why }) } });
  }
}
