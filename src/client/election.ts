/**
 * `client.election`: one leader at a time, and the next one in the order in which they stood, over
 * all clients of etcd that make elections as etcd's own do.
 *
 *     const election = client.election('reports');
 *     await using leadership = await election.campaign('10.0.0.1:80', { ttl: 10 });
 *     leadership.lost.addEventListener('abort', () => stop());
 *     for await (const { value } of election.observe()) console.log(`${value} leads`);
 */

import type { KeyValue } from '../api/requests.js';
import type { CallOptions } from './caller.js';
import { ClientError, CompactedError } from './errors.js';
import { Held } from './held.js';
import { Queue, type PlaceOptions, type QueueClient } from './queue.js';
import { putRequest, type Bytes } from './requests.js';

export class Leadership extends Held {
  /**
   * What this leader stands for from now on. Rejects with ClientError; FAILED_PRECONDITION: it
   * leads no more.
   */
  async proclaim(value: Bytes, options: CallOptions = {}): Promise<void> {
    const put = { kind: 'put' as const, request: putRequest(this.key, value, { lease: this.lease.id }) };
    const { succeeded } = await this.queue.commit({ compare: [this.isHeld], success: [put], failure: [] }, options);
    if (succeeded) return;
    const why = new ClientError('FAILED_PRECONDITION', { details: 'election: not leader' });
    this.lose(why);
    throw why;
  }

  /** The next candidate leads. It is no error if it does already. */
  resign(): Promise<void> {
    return this.release();
  }
}

export interface ObserveOptions {
  /** Ends it with CANCELLED. */
  readonly signal?: AbortSignal;
}

export class Election {
  readonly #queue: Queue;

  /** Use `client.election`. */
  constructor(client: QueueClient, name: Bytes) {
    this.#queue = new Queue(client, name);
  }

  /** Resolves when it leads. See {@link PlaceOptions}. */
  async campaign(value: Bytes, options: PlaceOptions = {}): Promise<Leadership> {
    return new Leadership(this.#queue, await this.#queue.take(value, options));
  }

  /** Who leads, with its value; undefined: nobody. */
  async leader(options: CallOptions = {}): Promise<KeyValue | undefined> {
    return (await this.#queue.first(options)).kv;
  }

  /**
   * Who leads, one after the other, and each of their values, until the consumer stops: first who
   * leads now, if anybody does. It outlives the members that it asks, as a watch does; rejects like
   * one.
   */
  async *observe({ signal }: ObserveOptions = {}): AsyncGenerator<KeyValue, void, undefined> {
    for (;;) {
      const { kv, revision } = await this.#queue.first(signal === undefined ? {} : { signal });
      const leader = kv ?? (await this.#next(revision, signal));
      if (leader === undefined) continue;
      yield leader;
      yield* this.#values(leader, kv === undefined ? leader.modRevision : revision, signal);
    }
  }

  /** The first key that comes after the revision; undefined: look again. */
  async #next(after: number, signal: AbortSignal | undefined): Promise<KeyValue | undefined> {
    try {
      for await (const { events } of this.#queue.watch({ prefix: this.#queue.prefix }, after + 1, signal)) {
        for (const { type, kv } of events) if (type === 'put') return kv;
      }
    } catch (error) {
      if (!(error instanceof CompactedError)) throw error;
    }
    return undefined;
  }

  /** Until the key is deleted. */
  async *#values({ key }: KeyValue, after: number, signal: AbortSignal | undefined): AsyncGenerator<KeyValue, void, undefined> {
    try {
      for await (const { events } of this.#queue.watch({ key: key.slice() }, after + 1, signal)) {
        for (const { type, kv } of events) {
          if (type === 'delete') return;
          yield kv;
        }
      }
    } catch (error) {
      if (!(error instanceof CompactedError)) throw error;
    }
  }
}
