/**
 * Time that stands still until it is moved: what waits for a moment happens in the order of the
 * moments, and what follows of it before the next one. So the same calls and moves always give the
 * same.
 */

import type { Clock, Timer } from '../base/env.js';
import type { InFlight } from './in-flight.js';

/** 2026-01-01: nothing depends on when it is run. */
const WALL_START_MS = 1_767_225_600_000;
/** Turns of the event loop that what follows of one moment gets at least, and at most. */
const TURNS = 2;
const MOST_TURNS = 200;

interface Waiting {
  readonly at: number;
  readonly order: number;
  readonly fn: () => void;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export class VirtualClock implements Clock {
  readonly #inFlight: InFlight;
  readonly #waiting = new Set<Waiting>();
  #now = 0;
  #order = 0;
  #moving: Promise<void> = Promise.resolve();

  constructor(inFlight: InFlight) {
    this.#inFlight = inFlight;
  }

  /** Timers that wait. */
  get timers(): number {
    return this.#waiting.size;
  }

  now(): number {
    return this.#now;
  }

  wallNow(): number {
    return WALL_START_MS + Math.floor(this.#now);
  }

  setTimer(delayMs: number, fn: () => void): Timer {
    const waiting = { at: this.#now + Math.max(0, delayMs), order: this.#order++, fn };
    this.#waiting.add(waiting);
    return { cancel: () => void this.#waiting.delete(waiting) };
  }

  defer(fn: () => void): void {
    setImmediate(fn);
  }

  /** Resolves when all that happens by then has happened. One move comes after the other. */
  advance(ms: number): Promise<void> {
    if (!(ms >= 0 && ms <= Number.MAX_SAFE_INTEGER)) throw new RangeError(`a clock goes forward by milliseconds, got ${ms}`);
    return (this.#moving = this.#moving.then(() => this.#advance(ms)));
  }

  async #advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#waiting.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.fn();
      await this.#settled();
    }
    this.#now = end;
  }

  #next(end: number): Waiting | undefined {
    let first: Waiting | undefined;
    for (const waiting of this.#waiting) {
      if (waiting.at > end) continue;
      if (first === undefined || waiting.at < first.at || (waiting.at === first.at && waiting.order < first.order)) first = waiting;
    }
    return first;
  }

  /** Calls that began are answered, unless they themselves wait for a later moment. */
  async #settled(): Promise<void> {
    for (let turns = 0; turns < TURNS || (this.#inFlight.calls > 0 && turns < MOST_TURNS); turns++) await turn();
  }
}
