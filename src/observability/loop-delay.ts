/**
 * How long the event loop keeps others waiting: a timer is always due, and what is counted is how
 * late it comes. Under load it is due every millisecond, so a turn of d milliseconds is seen as one
 * delay between d - 1 and d; a loop that sleeps half of the time is left to sleep longer, and of a
 * long turn the part is seen for which the timer had to wait.
 */

import { performance, type EventLoopUtilization } from 'node:perf_hooks';
import type { Sample } from './rpc-stats.js';

/** Upper bounds in seconds. The loop's own promise is 5 ms in 999 of 1000. */
const BUCKETS: readonly number[] = [
  0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1,
];

/** Delays by size, in plain numbers. */
export class DelayHistogram {
  readonly #buckets = new Float64Array(BUCKETS.length + 1);
  #seconds = 0;

  observe(seconds: number): void {
    let at = 0;
    while (at < BUCKETS.length && seconds > (BUCKETS[at] as number)) at++;
    this.#buckets[at] = (this.#buckets[at] as number) + 1;
    this.#seconds += seconds;
  }

  /** As Prometheus has histograms: each bucket counts all up to its bound. */
  samples(name: string): Sample[] {
    const out: Sample[] = [];
    let below = 0;
    this.#buckets.forEach((count, at) => {
      below += count;
      out.push({ metricName: `${name}_bucket`, labels: { le: BUCKETS[at] ?? '+Inf' }, value: below });
    });
    out.push({ metricName: `${name}_sum`, labels: {}, value: this.#seconds });
    out.push({ metricName: `${name}_count`, labels: {}, value: below });
    return out;
  }
}

const BUSY_MS = 1;
const QUIET_MS = 20;
/** The loop counts as busy while it does not sleep for such a part of the time. */
const BUSY_SHARE = 0.5;

/** Measures the loop of this process from its construction on, and keeps no process alive. */
export class LoopDelay {
  readonly histogram = new DelayHistogram();
  #utilization: EventLoopUtilization = performance.eventLoopUtilization();
  #armedAt = performance.now();
  #waitMs = QUIET_MS;

  constructor() {
    this.#arm();
  }

  #arm(): void {
    this.#armedAt = performance.now();
    setTimeout(() => this.#fired(), this.#waitMs).unref();
  }

  #fired(): void {
    this.histogram.observe(Math.max(0, performance.now() - this.#armedAt - this.#waitMs) / 1000);
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, this.#utilization);
    this.#utilization = now;
    this.#waitMs = utilization >= BUSY_SHARE ? BUSY_MS : QUIET_MS;
    this.#arm();
  }
}
