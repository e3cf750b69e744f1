/**
 * The closed loop of the benchmark: each client sends its next request when its last one is
 * answered.
 */

import { performance } from 'node:perf_hooks';
import { requests, type Request } from './bench-requests.js';
import { Histogram } from './histogram.js';
import { LeanEndpoint } from './lean.js';
import { monotonicMs, type BenchResult, type BenchSpec } from './protocol.js';

class BenchRun {
  readonly #spec: BenchSpec;
  readonly #next: () => Request | undefined;
  readonly #endpoints: LeanEndpoint[];
  readonly #onMark: (what: 'measuring' | 'measured') => void;
  #latency = new Histogram();
  #operations = 0;
  #errors = 0;
  #wrong = 0;
  #firstError = '';
  #running = 0;
  #measuring = false;
  #stop = false;
  #idle: () => void = () => undefined;

  constructor(spec: BenchSpec, onMark: (what: 'measuring' | 'measured') => void) {
    this.#spec = spec;
    this.#next = requests(spec);
    this.#endpoints = spec.endpoints.map((url) => new LeanEndpoint(url, spec.sessionsPerEndpoint));
    this.#onMark = onMark;
  }

  #step(endpoint: LeanEndpoint): void {
    const request = this.#stop ? undefined : this.#next();
    if (request === undefined) {
      if (--this.#running === 0) this.#idle();
      return;
    }
    const began = performance.now();
    endpoint.call(request.path, request.body, (error, answer) => {
      if (error) this.#failed(error.message);
      else if (request.verify(answer)) {
        this.#operations++;
        this.#latency.record(performance.now() - began);
      } else {
        this.#wrong++;
        this.#failed('wrong answer');
      }
      if (error) setTimeout(() => this.#step(endpoint), 10);
      else this.#step(endpoint);
    });
  }

  #failed(message: string): void {
    this.#errors++;
    this.#firstError ||= message;
  }

  #reset(): void {
    this.#latency = new Histogram();
    this.#operations = this.#errors = 0;
    this.#measuring = true;
    this.#onMark('measuring');
  }

  async run(): Promise<BenchResult> {
    const spec = this.#spec;
    const fill = spec.kind === 'fill' || spec.kind === 'more';
    this.#running = spec.clients;
    const done = new Promise<void>((resolve) => (this.#idle = resolve));
    if (fill || spec.warmupSeconds === 0) this.#reset();
    for (let i = 0; i < spec.clients; i++) this.#step(this.#endpoints[i % this.#endpoints.length] as LeanEndpoint);
    if (!this.#measuring) {
      await new Promise((resolve) => setTimeout(resolve, spec.warmupSeconds * 1000));
      this.#reset();
    }
    const cpu = process.cpuUsage();
    const fromMs = monotonicMs();
    if (!fill) await Promise.race([done, new Promise((resolve) => setTimeout(resolve, spec.seconds * 1000))]);
    else await done;
    const toMs = monotonicMs();
    const used = process.cpuUsage(cpu);
    const { count, maxMs } = this.#latency;
    const seconds = (toMs - fromMs) / 1000;
    const result: BenchResult = {
      operations: count, seconds, opsPerSecond: count / seconds, p50Ms: this.#latency.percentile(0.5),
      p99Ms: this.#latency.percentile(0.99), maxMs, errors: this.#errors, wrong: this.#wrong, firstError: this.#firstError,
      clientCpuSeconds: (used.user + used.system) / 1e6, fromMs, toMs,
    };
    this.#onMark('measured');
    this.#stop = true;
    await Promise.race([done, new Promise((resolve) => setTimeout(resolve, 10_000))]);
    for (const endpoint of this.#endpoints) endpoint.close();
    return result;
  }
}

export function runBench(spec: BenchSpec, onMark: (what: 'measuring' | 'measured') => void): Promise<BenchResult> {
  return new BenchRun(spec, onMark).run();
}
