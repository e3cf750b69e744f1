/**
 * Very many leases at little cost to whoever holds them: granted in a closed loop, kept alive over
 * a few streams at an even pace, each third of their TTL. A stream that breaks is opened anew at
 * the next member, and what was not answered on it is asked again.
 */

import { Histogram } from './load/histogram.js';
import { METHODS } from './load/grpc.js';
import { LeanEndpoint, type LeanStream } from './load/lean.js';
import { grantRequest, keepAliveReply, keepAliveRequest, leasedPutRequest } from './load/wire.js';
import { progress } from './print.js';

const AT_ONCE = 128;
const PACE_MS = 50;
const AGAIN_MS = 200;
const TRIES = 50;
/** Every so many leases have a key. */
const KEY_EACH = 10;
const FIRST = 9_000_001;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A stream, and what was sent on it and not answered: since when. */
interface Stream {
  to: LeanStream;
  readonly waiting: Map<number, number>;
}

export class LeaseCrowd {
  readonly #endpoints: LeanEndpoint[];
  readonly #count: number;
  readonly #ttl: number;
  readonly #streams: Stream[] = [];
  readonly #lost = new Set<number>();
  readonly #granted: Uint8Array;
  #keeping: Promise<void> | undefined;
  #stopped = false;
  #next = 0;
  /** Since {@link look}. */
  #latencies = new Histogram();

  /** `ttl` in seconds. */
  constructor(urls: readonly string[], count: number, ttl: number) {
    this.#endpoints = urls.map((url) => new LeanEndpoint(url, 1));
    this.#count = count;
    this.#ttl = ttl;
    this.#granted = new Uint8Array(count);
  }

  /** Leases whose keep-alive was answered that there is none. */
  get lost(): number {
    return this.#lost.size;
  }

  async grantAll(): Promise<void> {
    let next = 0;
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      while (next < this.#count) {
        const n = next++;
        if (n % 1_000 === 0) progress(`${n} of ${this.#count} leases granted`);
        await this.#ask(METHODS.leaseGrant, grantRequest(FIRST + n, this.#ttl), n);
        this.#granted[n] = 1;
        if (n % KEY_EACH === 0) await this.#ask(METHODS.put, leasedPutRequest(Buffer.from(`leased/${n}`), FIRST + n), n);
      }
    }));
  }

  /** Those that are granted, from now on, over so many streams to each member. */
  keepAll(streams: number): void {
    this.#stopped = false;
    for (let n = 0; n < streams * this.#endpoints.length; n++) {
      const stream: Stream = { to: undefined as unknown as LeanStream, waiting: new Map() };
      this.#streams.push(stream);
      this.#open(stream, n);
    }
    this.#keeping = this.#keep();
  }

  /** Nothing is kept alive any more. */
  async letGo(): Promise<void> {
    this.#stopped = true;
    await this.#keeping;
  }

  /** Latencies of keep-alives since the last call, and how many wait, the oldest for how long. */
  look(): { readonly latencies: Histogram; readonly waiting: number; readonly oldestMs: number } {
    const latencies = this.#latencies;
    this.#latencies = new Histogram();
    let [waiting, since] = [0, performance.now()];
    const now = since;
    for (const stream of this.#streams) {
      waiting += stream.waiting.size;
      const [first = now] = stream.waiting.values();
      since = Math.min(since, first);
    }
    return { latencies, waiting, oldestMs: now - since };
  }

  close(): void {
    this.#stopped = true;
    for (const endpoint of this.#endpoints) endpoint.close();
  }

  async #ask(method: string, request: Buffer, n: number): Promise<void> {
    for (let tries = 0; ; tries++) {
      const endpoint = this.#endpoints[(n + tries) % this.#endpoints.length] as LeanEndpoint;
      const failure = await new Promise<Error | undefined>((resolve) => void endpoint.call(method, request, (error) => resolve(error)));
      if (failure === undefined || failure.message.includes('already exists')) return;
      if (tries >= TRIES) throw failure;
      await sleep(AGAIN_MS);
    }
  }

  #open(stream: Stream, at: number): void {
    const endpoint = this.#endpoints[at % this.#endpoints.length] as LeanEndpoint;
    stream.to = endpoint.stream(METHODS.leaseKeepAlive, (message) => this.#answered(stream, keepAliveReply(message)), () => {
      if (this.#stopped) return;
      setTimeout(() => {
        if (this.#stopped) return;
        this.#open(stream, at + 1);
        for (const id of stream.waiting.keys()) stream.to.send(keepAliveRequest(id));
      }, AGAIN_MS);
    });
  }

  #answered({ waiting }: Stream, { id, ttl }: { readonly id: number; readonly ttl: number }): void {
    const since = waiting.get(id);
    if (since === undefined) return;
    waiting.delete(id);
    this.#latencies.record(performance.now() - since);
    if (ttl === 0) this.#lost.add(id);
  }

  async #keep(): Promise<void> {
    const perMs = (3 * this.#count) / (1000 * this.#ttl);
    const began = performance.now();
    for (let sent = 0; !this.#stopped; await sleep(PACE_MS)) {
      for (const due = Math.floor(perMs * (performance.now() - began)); sent < due; sent++) {
        const n = this.#next++ % this.#count;
        const stream = this.#streams[n % this.#streams.length] as Stream;
        // What waits there still is not asked for twice.
        if (this.#granted[n] === 0 || stream.waiting.has(FIRST + n)) continue;
        stream.waiting.set(FIRST + n, performance.now());
        stream.to.send(keepAliveRequest(FIRST + n));
      }
    }
  }
}
