/** Time, chance and background work of a real process. */

import { randomFillSync } from 'node:crypto';
import { cpus } from 'node:os';
import type { Breather, Clock, Random, Timer, Workers } from '../../base/env.js';

export const nodeClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  setTimer: (delayMs, fn): Timer => {
    const timer = setTimeout(fn, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  defer: (fn) => void setImmediate(fn),
};

const TWO_32 = 0x1_0000_0000;

/** Numbers from the system's generator, drawn in batches. */
export class NodeRandom implements Random {
  readonly #pool = new Uint32Array(256);
  #left = 0;

  uint32(): number {
    if (this.#left === 0) {
      randomFillSync(this.#pool);
      this.#left = this.#pool.length;
    }
    this.#left--;
    return this.#pool[this.#left] as number;
  }

  below(bound: number): number {
    return Math.floor(this.float() * bound);
  }

  float(): number {
    return this.uint32() / TWO_32;
  }
}

/** Long work may hold the event loop this long before it lets others in. */
const SLICE_MS = 2.5;
/** Of a turn, for work that may take a while: a write waits for it several times. */
const SMALL_SLICE_MS = 0.5;
/**
 * While others work, what nobody waits for rests so long between two slices, as who reads what it
 * sends wants a processor too; longer after one that took longer than it was given, as there are
 * more who want one then: its share of the time stays the same.
 */
const BEHIND_REST_MS = 20;
const BEHIND_REST_MAX_MS = 100;
/**
 * Others work as long as one of them has asked so lately, or so few of its slices ago: who is not
 * given the processor for a while asks nothing.
 */
const LATELY_MS = 25;
const LATELY_SLICES = 10;
/** What processors did in a longer time says nothing of now. */
const IDLE_KEPT_MS = 2_000;

/** `tookMs`: the slice that has ended. */
type Rest = (now: number, tookMs: number, goOn: () => void) => void;

/**
 * A slice begins with the first `breathe` of a turn of the event loop and all who breathe here
 * share it: two merges at once hold the loop no longer than one.
 */
class Slices implements Breather {
  readonly #now: () => number;
  readonly #sliceMs: number;
  readonly #rest: Rest;
  #sliceStart = 0;
  #pause: Promise<void> | undefined;
  /** Somebody asked whether to go on. */
  askedAt = -Infinity;

  constructor(now: () => number, sliceMs: number, rest: Rest = (_now, _tookMs, goOn) => void setImmediate(goOn)) {
    this.#now = now;
    this.#sliceMs = sliceMs;
    this.#rest = rest;
  }

  breathe(): Promise<void> | undefined {
    if (this.#pause !== undefined) return this.#pause;
    const now = (this.askedAt = this.#now());
    if (this.#sliceStart === 0) {
      this.#sliceStart = now;
      setImmediate(() => {
        this.#sliceStart = 0;
      });
      return undefined;
    }
    const took = now - this.#sliceStart;
    if (took < this.#sliceMs) return undefined;
    this.#pause = new Promise((resolve) => {
      this.#rest(now, took, () => {
        this.#pause = undefined;
        this.#sliceStart = 0;
        resolve();
      });
    });
    return this.#pause;
  }
}

/** Of one processor, in ms since the machine started. */
interface ProcessorTimes {
  readonly times: { readonly idle: number };
}

/**
 * Five slices in a turn of the event loop at most. With one for all, a merge that goes on first in
 * each turn leaves nothing: then one entry is applied in each turn, however many wait.
 */
export class NodeWorkers implements Workers {
  readonly #first: Slices;
  readonly #reading: Slices;
  readonly reading: Breather;
  readonly beside: Breather;
  readonly between: Breather;
  readonly behind: Breather;
  readonly #now: () => number;
  /** When others were seen to have asked, and slices since then. */
  #seenAt = -Infinity;
  #slicesSince = LATELY_SLICES;
  readonly #processors: () => readonly ProcessorTimes[];
  #idle = { at: -Infinity, ms: 0 };

  /**
   * `now`: milliseconds, from any start. `processors`: those of this machine; none, or without
   * times, where the system does not say.
   */
  constructor(now = (): number => performance.now(), processors: () => readonly ProcessorTimes[] = cpus) {
    this.#processors = processors;
    this.#now = now;
    this.#first = new Slices(now, SLICE_MS);
    this.reading = this.#reading = new Slices(now, SLICE_MS);
    this.beside = new Slices(now, SLICE_MS);
    this.between = new Slices(now, SMALL_SLICE_MS);
    this.behind = new Slices(now, SMALL_SLICE_MS, (at, tookMs, goOn) => {
      const restMs = BEHIND_REST_MS * Math.max(1, tookMs / SMALL_SLICE_MS);
      if (this.#othersWork(at)) setTimeout(goOn, Math.min(restMs, BEHIND_REST_MAX_MS));
      else setImmediate(goOn);
    });
  }

  breathe(): Promise<void> | undefined {
    return this.#first.breathe();
  }

  /** One system call for each processor: for who asks a few times a second at most. */
  idleProcessors(): number | undefined {
    const now = this.#now();
    const before = this.#idle;
    const idleMs = this.#processors().reduce((sum, { times }) => sum + times.idle, 0);
    const { at, ms } = (this.#idle = { at: now, ms: idleMs });
    const passed = at - before.at;
    // A machine was idle for a moment since it started.
    return ms > 0 && passed > 0 && passed <= IDLE_KEPT_MS ? Math.max(0, ms - before.ms) / passed : undefined;
  }

  /** Once for each slice of the work that nobody waits for. */
  #othersWork(now: number): boolean {
    const askedAt = Math.max(this.#first.askedAt, this.#reading.askedAt);
    this.#slicesSince = askedAt === this.#seenAt ? this.#slicesSince + 1 : 0;
    this.#seenAt = askedAt;
    return now - askedAt < LATELY_MS || this.#slicesSince < LATELY_SLICES;
  }
}
