/**
 * How long each turn of the event loop works: from when it has something to do until it looks for
 * more. A timer that comes late (`loop-delay.ts`) says what a client waits for, whoever is to
 * blame; this says what this process has done. The time is that of the clock without what the loop
 * slept, and no more than the CPU time that the process used meanwhile: a turn that the system
 * interrupted for others is not long for that. Threads that work at the same time hide some of it.
 *
 * It looks once in each turn, for half a microsecond, by an immediate that keeps nothing awake. The
 * CPU time of the process is a system call of two microseconds, so it is asked for at most once in
 * a millisecond and at the end of a turn of a millisecond: the bound by CPU time of a long turn may
 * be a millisecond too high, and a shorter turn is in the first bucket whatever its CPU time.
 */

import { performance } from 'node:perf_hooks';
import { DelayHistogram } from './loop-delay.js';

/** A turn as short as this is not measured by its CPU time, which is as old as this at most. */
const SHORT_MS = 1;

function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Tells of each turn how long it worked. All times are in milliseconds. */
export class TurnMeter {
  #endedAt: number;
  #slept: number;
  #cpu: number;
  #cpuAt: number;

  constructor(now: number, slept: number, cpu: number) {
    this.#endedAt = this.#cpuAt = now;
    this.#slept = slept;
    this.#cpu = cpu;
  }

  /**
   * A turn ends now. Work since the turn before ended.
   * @param slept the loop has slept so long since the start.
   * @param cpuNow CPU time of the process.
   */
  end(now: number, slept: number, cpuNow: () => number): number {
    const awake = Math.max(0, now - this.#endedAt - (slept - this.#slept));
    this.#endedAt = now;
    this.#slept = slept;
    if (awake < SHORT_MS && now - this.#cpuAt < SHORT_MS) return awake;
    const cpu = cpuNow();
    const used = cpu - this.#cpu;
    this.#cpu = cpu;
    this.#cpuAt = now;
    return awake < SHORT_MS ? awake : Math.min(awake, used);
  }
}

/** Measures the loop of this process from its construction on, and keeps no process alive. */
export class TurnTimes {
  readonly histogram = new DelayHistogram();
  readonly #meter = new TurnMeter(performance.now(), performance.eventLoopUtilization().idle, cpuTime());

  constructor() {
    this.#arm();
  }

  readonly #ended = (): void => {
    this.histogram.observe(this.#meter.end(performance.now(), performance.eventLoopUtilization().idle, cpuTime) / 1000);
    this.#arm();
  };

  #arm(): void {
    setImmediate(this.#ended).unref();
  }
}
