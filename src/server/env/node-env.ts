/** Time, chance and background work of a real process. */

import { randomFillSync } from 'node:crypto';
import type { Clock, Random, Timer, Workers } from '../../base/env.js';

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

/** Work that nobody waits for is given so much of a turn. */
const BEHIND_SLICE_MS = 1;
/** While others work, it rests so long between two slices. */
const BEHIND_REST_MS = 5;
/** Others work as long as one of them has asked so lately. */
const LATELY_MS = 25;

/**
 * A slice begins with the first `breathe` of a turn of the event loop and all background work
 * shares it: two merges at once hold the loop no longer than one.
 */
export class NodeWorkers implements Workers {
  #sliceStart = 0;
  #pause: Promise<void> | undefined;
  /** Somebody asked whom others wait for. */
  #askedAt = -Infinity;
  #behindStart = 0;
  #behindPause: Promise<void> | undefined;

  breathe(): Promise<void> | undefined {
    if (this.#pause !== undefined) return this.#pause;
    const now = (this.#askedAt = performance.now());
    if (this.#sliceStart === 0) {
      this.#sliceStart = now;
      setImmediate(() => {
        this.#sliceStart = 0;
      });
      return undefined;
    }
    if (now - this.#sliceStart < SLICE_MS) return undefined;
    this.#pause = new Promise((resolve) => {
      setImmediate(() => {
        this.#pause = undefined;
        this.#sliceStart = 0;
        resolve();
      });
    });
    return this.#pause;
  }

  breatheBehind(): Promise<void> | undefined {
    if (this.#behindPause !== undefined) return this.#behindPause;
    const now = performance.now();
    if (this.#behindStart === 0) {
      this.#behindStart = now;
      setImmediate(() => {
        this.#behindStart = 0;
      });
      return undefined;
    }
    if (now - this.#behindStart < BEHIND_SLICE_MS) return undefined;
    this.#behindPause = new Promise((resolve) => {
      const goOn = (): void => {
        this.#behindPause = undefined;
        this.#behindStart = 0;
        resolve();
      };
      if (now - this.#askedAt < LATELY_MS) setTimeout(goOn, BEHIND_REST_MS);
      else setImmediate(goOn);
    });
    return this.#behindPause;
  }
}
