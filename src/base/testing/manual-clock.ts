/** A clock that a test moves. */

import type { Clock } from '../env.js';

export class ManualClock implements Clock {
  #now = 0;
  #timers: { readonly at: number; readonly fn: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  wallNow(): number {
    return this.#now;
  }

  setTimer(delayMs: number, fn: () => void): { cancel: () => void } {
    const timer = { at: this.#now + delayMs, fn };
    this.#timers.push(timer);
    return { cancel: () => (this.#timers = this.#timers.filter((other) => other !== timer)) };
  }

  defer(fn: () => void): void {
    this.setTimer(0, fn);
  }

  get timers(): number {
    return this.#timers.length;
  }

  /** When the next one is due; Infinity: there is none. */
  get nextAt(): number {
    return this.#timers.reduce((least, { at }) => Math.min(least, at), Infinity);
  }

  /** Fires what is due by then, in order. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#timers = this.#timers.filter((other) => other !== due);
      this.#now = Math.max(this.#now, due.at);
      due.fn();
    }
    this.#now = end;
  }
}
