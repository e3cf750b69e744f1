/**
 * Closed loops over streams. `watch`: each client watches the same keys over a stream of its own;
 * writers put, each its next one when all watchers have seen its last one, so that nothing piles
 * up. An operation is an event at a watcher, its latency from the put on. Each watcher must see
 * each put once, in the order of revisions. `keepalive`: each client keeps its lease alive, over
 * and over.
 */

import { performance } from 'node:perf_hooks';
import { METHODS } from './grpc.js';
import { LeanEndpoint, type LeanStream } from './lean.js';
import { Meter } from './meter.js';
import type { BenchResult, StreamSpec } from './protocol.js';
import { grantRequest, keepAliveReply, keepAliveRequest, putRequest, watchEvents, watchRequest } from './wire.js';

/** Puts that are on their way to all watchers. */
const WRITERS = 32;
const PREFIX = 'watched/';
const PREFIX_END = 'watched0';
const FIRST_LEASE = 7_000_001;
const TTL_SECONDS = 600;
const SETUP_MS = 20_000;

type OnMark = (what: 'measuring' | 'measured') => void;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

abstract class Streams {
  readonly spec: StreamSpec;
  readonly meter = new Meter();
  readonly #endpoints: LeanEndpoint[];
  stopped = false;

  constructor(spec: StreamSpec) {
    this.spec = spec;
    this.#endpoints = spec.endpoints.map((url) => new LeanEndpoint(url, spec.sessionsPerEndpoint));
  }

  abstract begin(): Promise<void>;

  endpoint(client: number): LeanEndpoint {
    return this.#endpoints[client % this.#endpoints.length] as LeanEndpoint;
  }

  async run(onMark: OnMark): Promise<BenchResult> {
    const { warmupSeconds, seconds } = this.spec;
    const tooLate = pause(SETUP_MS).then(() => this.meter.failed('the streams were not set up in time'));
    await Promise.race([this.begin(), tooLate]);
    await pause(warmupSeconds * 1000);
    this.meter.begin();
    onMark('measuring');
    await pause(seconds * 1000);
    const result = this.meter.end();
    onMark('measured');
    this.stopped = true;
    for (const endpoint of this.#endpoints) endpoint.close();
    return result;
  }

  open(client: number, path: string, onMessage: (message: Buffer) => void): LeanStream {
    return this.endpoint(client).stream(path, onMessage, (why) => {
      if (!this.stopped) this.meter.failed(why);
    });
  }
}

interface Put {
  readonly began: number;
  readonly writer: number;
  left: number;
}

class Watching extends Streams {
  readonly #puts = new Map<number, Put>();
  #n = 0;

  async begin(): Promise<void> {
    const { clients } = this.spec;
    await Promise.all(Array.from({ length: clients }, (_, client) => this.#watch(client)));
    for (let writer = 0; writer < WRITERS; writer++) this.#put(writer);
  }

  #watch(client: number): Promise<void> {
    let told = 0;
    return new Promise((resolve) => {
      const stream = this.open(client, METHODS.watch, (message) => {
        const now = performance.now();
        const created = watchEvents(message, (revision, value) => {
          if (revision <= told) this.meter.wrong(`revision ${revision} after ${told}`);
          told = revision;
          this.#seen(value.readUInt32BE(0), now);
        });
        if (created) resolve();
      });
      stream.send(watchRequest(Buffer.from(PREFIX), Buffer.from(PREFIX_END)));
    });
  }

  #put(writer: number): void {
    const n = ++this.#n;
    const value = Buffer.alloc(this.spec.valueBytes, 0x78);
    value.writeUInt32BE(n, 0);
    this.#puts.set(n, { began: performance.now(), writer, left: this.spec.clients });
    this.endpoint(writer).call(METHODS.put, putRequest(Buffer.from(`${PREFIX}${writer}`), value), (error) => {
      if (error && !this.stopped) this.meter.failed(error.message);
    });
  }

  #seen(n: number, now: number): void {
    const put = this.#puts.get(n);
    if (put === undefined) return this.meter.wrong(`put ${n} is seen once too often`);
    this.meter.done(now - put.began);
    if (--put.left > 0) return;
    this.#puts.delete(n);
    if (!this.stopped) this.#put(put.writer);
  }
}

class KeepingAlive extends Streams {
  async begin(): Promise<void> {
    await Promise.all(Array.from({ length: this.spec.clients }, (_, client) => this.#grant(client)));
    for (let client = 0; client < this.spec.clients; client++) this.#keep(client);
  }

  /** Asked again until it is there: a server that has just begun may be slow. */
  async #grant(client: number): Promise<void> {
    const request = grantRequest(FIRST_LEASE + client, TTL_SECONDS);
    const granted = (): Promise<boolean> => new Promise((resolve) => {
      this.endpoint(client).call(METHODS.leaseGrant, request, (error) => resolve(!error || error.message.includes('already exists')));
    });
    while (!(await granted()) && !this.stopped) await pause(100);
  }

  #keep(client: number): void {
    const request = keepAliveRequest(FIRST_LEASE + client);
    let began = performance.now();
    const stream = this.open(client, METHODS.leaseKeepAlive, (message) => {
      const { id, ttl } = keepAliveReply(message);
      const now = performance.now();
      if (id === FIRST_LEASE + client && ttl === TTL_SECONDS) this.meter.done(now - began);
      else this.meter.wrong(`lease ${id} has ${ttl} s`);
      began = now;
      if (!this.stopped) stream.send(request);
    });
    stream.send(request);
  }
}

export function runStreams(spec: StreamSpec, onMark: OnMark): Promise<BenchResult> {
  return (spec.kind === 'watch' ? new Watching(spec) : new KeepingAlive(spec)).run(onMark);
}
