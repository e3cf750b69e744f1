/**
 * The closed loop of the benchmark: each client sends its next request when its last one is
 * answered.
 */

import { performance } from 'node:perf_hooks';
import { METHODS } from './grpc.js';
import { Histogram } from './histogram.js';
import { LeanEndpoint } from './lean.js';
import { monotonicMs, type BenchResult, type BenchSpec } from './protocol.js';
import { makeValue, scatteredKey, verifyValue } from './values.js';
import { putIfExistsRequest, putRequest, rangeReply, rangeRequest, revisionOf, txnReply } from './wire.js';

const RANGE_KEYS = 100;

interface Request {
  readonly path: string;
  readonly body: Buffer;
  /** True if the answer is right. */
  readonly verify: (answer: Buffer) => boolean;
}

class KeySpace {
  readonly #keys: Buffer[];
  #sorted: Buffer[] | undefined;

  constructor(seed: number, count: number) {
    this.#keys = Array.from({ length: count }, (_, n) => scatteredKey(seed, n));
  }

  any(): Buffer {
    return this.#keys[Math.floor(Math.random() * this.#keys.length)] as Buffer;
  }

  at(n: number): Buffer {
    return this.#keys[n] as Buffer;
  }

  /** Borders of a range that holds exactly `n` preloaded keys. */
  range(n: number): { first: Buffer; end: Buffer } {
    this.#sorted ??= [...this.#keys].sort(Buffer.compare);
    const at = Math.floor(Math.random() * (this.#sorted.length - n - 1));
    return { first: this.#sorted[at] as Buffer, end: this.#sorted[at + n] as Buffer };
  }
}

let cached: { readonly name: string; readonly keys: KeySpace } | undefined;

function keySpace(spec: BenchSpec): KeySpace {
  const name = `${spec.seed}/${spec.keys}`;
  if (cached?.name !== name) cached = { name, keys: new KeySpace(spec.seed, spec.keys) };
  return cached.keys;
}

/** Endless requests of one kind; undefined when a fill is complete. */
function requests(spec: BenchSpec): () => Request | undefined {
  const keys = keySpace(spec);
  const { valueBytes } = spec;
  const written = (answer: Buffer): boolean => revisionOf(answer) > 0;
  const put = (key: Buffer): Request => ({
    path: METHODS.put,
    body: putRequest(key, makeValue(key, 0, valueBytes)),
    verify: written,
  });
  let n = 0;
  switch (spec.kind) {
    case 'fill':
      return () => (n < spec.keys ? put(keys.at(n++)) : undefined);
    case 'put':
      return () => put(scatteredKey(spec.seed + 1 + spec.run, spec.keys + n++));
    case 'get':
    case 'sget':
      return () => {
        const key = keys.any();
        const verify = (answer: Buffer): boolean => {
          const kv = rangeReply(answer).kvs[0];
          return kv !== undefined && kv.key.equals(key) && verifyValue(key, kv.value, valueBytes);
        };
        return { path: METHODS.range, body: rangeRequest({ key, serializable: spec.kind === 'sget' }), verify };
      };
    case 'range':
      return () => {
        const { first, end } = keys.range(RANGE_KEYS);
        const verify = (answer: Buffer): boolean => {
          const { kvs } = rangeReply(answer);
          return kvs.length >= RANGE_KEYS && kvs.every(({ key, value }) => verifyValue(key, value, valueBytes));
        };
        return { path: METHODS.range, body: rangeRequest({ key: first, rangeEnd: end }), verify };
      };
    case 'cas':
      return () => {
        const key = keys.any();
        const body = putIfExistsRequest(key, makeValue(key, ++n, valueBytes));
        return { path: METHODS.txn, body, verify: (answer) => txnReply(answer).succeeded };
      };
  }
}

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
    const fill = spec.kind === 'fill';
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
