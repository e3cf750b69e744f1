/**
 * The closed loop of the benchmark: each client sends its next request when its last one is
 * answered.
 */

import { performance } from 'node:perf_hooks';
import { requests, type Request } from './bench-requests.js';
import { LeanEndpoint } from './lean.js';
import { Meter } from './meter.js';
import { isStreamed, type BenchResult, type BenchSpec, type RequestSpec } from './protocol.js';
import { runStreams } from './stream-load.js';

type OnMark = (what: 'measuring' | 'measured') => void;

class BenchRun {
  readonly #spec: RequestSpec;
  readonly #next: () => Request | undefined;
  readonly #endpoints: LeanEndpoint[];
  readonly #onMark: OnMark;
  readonly #meter = new Meter();
  #running = 0;
  #measuring = false;
  #stop = false;
  #idle: () => void = () => undefined;

  constructor(spec: RequestSpec, onMark: OnMark) {
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
      if (error) this.#meter.failed(error.message);
      else if (request.verify(answer)) this.#meter.done(performance.now() - began);
      else this.#meter.wrong();
      if (error) setTimeout(() => this.#step(endpoint), 10);
      else this.#step(endpoint);
    });
  }

  #begin(): void {
    this.#meter.begin();
    this.#measuring = true;
    this.#onMark('measuring');
  }

  async run(): Promise<BenchResult> {
    const spec = this.#spec;
    const fill = spec.kind === 'fill' || spec.kind === 'more';
    this.#running = spec.clients;
    const done = new Promise<void>((resolve) => (this.#idle = resolve));
    if (fill || spec.warmupSeconds === 0) this.#begin();
    for (let i = 0; i < spec.clients; i++) this.#step(this.#endpoints[i % this.#endpoints.length] as LeanEndpoint);
    if (!this.#measuring) {
      await new Promise((resolve) => setTimeout(resolve, spec.warmupSeconds * 1000));
      this.#begin();
    }
    if (!fill) await Promise.race([done, new Promise((resolve) => setTimeout(resolve, spec.seconds * 1000))]);
    else await done;
    const result = this.#meter.end();
    this.#onMark('measured');
    this.#stop = true;
    await Promise.race([done, new Promise((resolve) => setTimeout(resolve, 10_000))]);
    for (const endpoint of this.#endpoints) endpoint.close();
    return result;
  }
}

export function runBench(spec: BenchSpec, onMark: OnMark): Promise<BenchResult> {
  return isStreamed(spec) ? runStreams(spec, onMark) : new BenchRun(spec as RequestSpec, onMark).run();
}
