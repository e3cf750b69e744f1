/**
 * How long each turn of the event loop works: from when it has something to do until it looks for
 * more. A timer that comes late (`loop-delay.ts`) says what a client waits for, whoever is to
 * blame; this says what this process has done. The time is that of the clock without what the loop
 * slept, and no more than the CPU time that the process used meanwhile: a turn that the system
 * interrupted for others is not long for that. Threads that work at the same time hide some of it.
 *
 * It looks once in each turn, for about a microsecond, by an immediate that keeps nothing awake.
 */

import { performance } from 'node:perf_hooks';
import { DelayHistogram } from './loop-delay.js';

/** What is known of the process when a turn ends. */
export interface TurnEnd {
  /** In milliseconds, all three. */
  readonly now: number;
  /** The loop has slept so long since the start. */
  readonly slept: number;
  /** CPU time of the process. */
  readonly cpu: number;
}

/** Milliseconds of work between the ends of two turns. */
export function workOf(before: TurnEnd, after: TurnEnd): number {
  const awake = after.now - before.now - (after.slept - before.slept);
  return Math.max(0, Math.min(awake, after.cpu - before.cpu));
}

function turnEnd(): TurnEnd {
  const { user, system } = process.cpuUsage();
  return { now: performance.now(), slept: performance.eventLoopUtilization().idle, cpu: (user + system) / 1000 };
}

/** Measures the loop of this process from its construction on, and keeps no process alive. */
export class TurnTimes {
  readonly histogram = new DelayHistogram();
  #last = turnEnd();

  constructor() {
    this.#arm();
  }

  readonly #ended = (): void => {
    const end = turnEnd();
    this.histogram.observe(workOf(this.#last, end) / 1000);
    this.#last = end;
    this.#arm();
  };

  #arm(): void {
    setImmediate(this.#ended).unref();
  }
}
