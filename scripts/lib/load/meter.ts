/** What one measured stretch of a benchmark counts: operations, their latency, errors, own CPU. */

import { Histogram } from './histogram.js';
import { monotonicMs, type BenchResult } from './protocol.js';

export class Meter {
  #latency = new Histogram();
  #errors = 0;
  #wrong = 0;
  #firstError = '';
  #cpu = process.cpuUsage();
  #fromMs = 0;

  /** What was counted before does not count. */
  begin(): void {
    this.#latency = new Histogram();
    this.#errors = 0;
    this.#cpu = process.cpuUsage();
    this.#fromMs = monotonicMs();
  }

  done(ms: number): void {
    this.#latency.record(ms);
  }

  failed(message: string): void {
    this.#errors++;
    this.#firstError ||= message;
  }

  /** An answer that is not right. */
  wrong(message = 'wrong answer'): void {
    this.#wrong++;
    this.failed(message);
  }

  end(): BenchResult {
    const toMs = monotonicMs();
    const used = process.cpuUsage(this.#cpu);
    const seconds = (toMs - this.#fromMs) / 1000;
    const { count, maxMs } = this.#latency;
    const [p50Ms, p99Ms] = [this.#latency.percentile(0.5), this.#latency.percentile(0.99)];
    return {
      operations: count, seconds, opsPerSecond: count / seconds, p50Ms, p99Ms, maxMs,
      errors: this.#errors, wrong: this.#wrong, firstError: this.#firstError,
      clientCpuSeconds: (used.user + used.system) / 1e6, fromMs: this.#fromMs, toMs,
    };
  }
}
