/**
 * A queue of keys, as etcd's clients make locks and elections of them: all keys below a name and a
 * slash, each named after the lease it hangs on, in the order of the revisions that created them.
 * Whoever's key is the first holds the lock, or leads. Nothing is polled: who waits watches the key
 * before its own.
 */

import { KV } from '../api/services/kv.js';
import type { Compare, KeyValue, Reply, RequestOp, ResponseOp, TxnRequest, TxnResponse } from '../api/requests.js';
import type { Effect } from '../api/rpc.js';
import { EMPTY, utf8 } from '../base/bytes.js';
import { callUnary } from './call.js';
import type { CallOptions, Caller } from './caller.js';
import { badArgument, ClientError, CompactedError } from './errors.js';
import type { Lease } from './lease.js';
import type { LeaseClient } from './leases.js';
import { bytesOf, deleteRequest, putRequest, rangeRequest, type Bytes, type KeyRange } from './requests.js';
import { Watch } from './watch.js';

/** Through what calls go. */
export interface QueueClient {
  readonly caller: Caller;
  readonly leases: LeaseClient;
}

export interface PlaceOptions {
  /**
   * Seconds: how long it stays held if this process ends without a word. Default 60. The lease for
   * it is granted, kept alive, and revoked at the end.
   */
  readonly ttl?: number;
  /**
   * A lease that is held (`client.lease.hold`), instead of one of its own: it is left alone at the
   * end. Whoever asks twice with one lease has one place, and gives that up once.
   */
  readonly lease?: Lease;
  /** Ends the waiting with CANCELLED. */
  readonly signal?: AbortSignal;
}

/** What was taken in a queue, and as what it can be shown. */
export interface Place {
  readonly key: Uint8Array;
  /** That created the key. */
  readonly createRevision: number;
  readonly lease: Lease;
  readonly ownsLease: boolean;
  /** Of the store, when it was the turn of the place. */
  readonly revision: number;
}

const SESSION_TTL = 60;

export class Queue {
  readonly prefix: Uint8Array;
  readonly #client: QueueClient;

  constructor(client: QueueClient, name: Bytes) {
    if (name.length === 0) throw badArgument('the name of a lock or an election is not empty');
    this.#client = client;
    this.prefix = Buffer.concat([bytesOf(name), utf8('/')]);
  }

  /** Its key, as of now; undefined: nobody has a place. */
  async first(options: CallOptions): Promise<{ readonly kv: KeyValue | undefined; readonly revision: number }> {
    const { kvs, header } = await callUnary(this.#client.caller, KV.Range, this.#first, options);
    return { kv: kvs[0], revision: header.revision };
  }

  /**
   * Resolves when it is its turn. On every other way out the place is given up: rejects with
   * ClientError, CANCELLED on the signal, or with what ended the lease.
   */
  async take(value: Bytes, options: PlaceOptions): Promise<Place> {
    const { ttl = SESSION_TTL, signal } = options;
    throwIfAborted(signal);
    const lease = options.lease ?? (await this.#client.leases.hold({ ttl }, signal === undefined ? {} : { signal }));
    const ownsLease = options.lease === undefined;
    const key = Buffer.concat([this.prefix, utf8(lease.id.toString(16))]);
    try {
      const createRevision = await this.#enter(key, value, lease, ownsLease, signal);
      const revision = await this.#turn(key, createRevision, signal === undefined ? lease.lost : AbortSignal.any([signal, lease.lost]));
      if (lease.lost.aborted) throw lease.lost.reason as ClientError;
      return { key, createRevision, lease, ownsLease, revision };
    } catch (error) {
      await this.#withdraw(key, lease, ownsLease);
      throwIfAborted(signal);
      throw lease.lost.aborted ? (lease.lost.reason as ClientError) : error;
    }
  }

  /** Tells whether the key was still the one that it was. */
  async delete({ key, createRevision }: Pick<Place, 'key' | 'createRevision'>): Promise<boolean> {
    const request = { compare: [isCreatedAt(key, createRevision)], success: [deletes(key)], failure: [] };
    // The condition holds once.
    return (await this.commit(request, {}, 'read')).succeeded;
  }

  commit(request: TxnRequest, options: CallOptions, effect: Effect = 'write'): Promise<Reply<TxnResponse>> {
    return callUnary(this.#client.caller, KV.Txn, request, options, effect);
  }

  /** Changes of the keys of the queue from a revision on. */
  watch(range: KeyRange, startRevision: number, signal: AbortSignal | undefined): Watch {
    return new Watch(this.#client.caller, range, { startRevision, ...(signal === undefined ? {} : { signal }) });
  }

  get #first(): ReturnType<typeof rangeRequest> {
    return rangeRequest({ prefix: this.prefix }, { order: 'ascend', sortBy: 'create', limit: 1 });
  }

  /** Resolves with the revision that created the key. */
  async #enter(key: Uint8Array, value: Bytes, lease: Lease, ownsLease: boolean, signal: AbortSignal | undefined): Promise<number> {
    const request: TxnRequest = {
      compare: [isCreatedAt(key, 0)],
      success: [{ kind: 'put', request: putRequest(key, value, { lease: lease.id }) }],
      failure: [{ kind: 'range', request: rangeRequest(key) }],
    };
    // A put that comes through late finds its own lease revoked; another's would have a key again.
    const options = signal === undefined ? {} : { signal };
    const { succeeded, header, responses } = await this.commit(request, options, ownsLease ? 'read' : 'write');
    if (succeeded) return header.revision;
    const kv = keyIn(responses[0]);
    if (kv === undefined) throw new ClientError('INTERNAL', { details: 'a key that was created is not there' });
    if (kv.lease !== lease.id || !Buffer.from(kv.value).equals(bytesOf(value))) {
      const put: RequestOp = { kind: 'put', request: putRequest(key, value, { lease: lease.id }) };
      await this.commit({ compare: [isCreatedAt(key, kv.createRevision)], success: [put], failure: [] }, options, 'read');
    }
    return kv.createRevision;
  }

  async #turn(key: Uint8Array, created: number, signal: AbortSignal): Promise<number> {
    for (;;) {
      const before = rangeRequest({ prefix: this.prefix }, {
        order: 'descend', sortBy: 'create', limit: 1, maxCreateRevision: created - 1, keysOnly: true,
      });
      const reads: RequestOp[] = [{ kind: 'range', request: rangeRequest(key, { keysOnly: true }) }, { kind: 'range', request: before }];
      const { header, responses } = await this.commit({ compare: [], success: reads, failure: [] }, { signal }, 'read');
      if (keyIn(responses[0])?.createRevision !== created) {
        throw new ClientError('ABORTED', { details: `the key ${Buffer.from(key).toString()} was deleted while it waited for its turn` });
      }
      const other = keyIn(responses[1]);
      if (other === undefined) return header.revision;
      await this.#gone(other.key, header.revision + 1, signal);
    }
  }

  /** Resolves when the key was deleted, or one has to look again whether it is there. */
  async #gone(key: Uint8Array, from: number, signal: AbortSignal): Promise<void> {
    try {
      for await (const { events } of this.watch({ key: key.slice() }, from, signal)) {
        if (events.some(({ type }) => type === 'delete')) return;
      }
    } catch (error) {
      if (!(error instanceof CompactedError)) throw error;
    }
  }

  /** What fails goes with the lease. */
  async #withdraw(key: Uint8Array, lease: Lease, ownsLease: boolean): Promise<void> {
    const isOurs: Compare = { result: 'equal', target: { kind: 'lease', lease: lease.id }, key, rangeEnd: EMPTY };
    const done = ownsLease ? lease.revoke() : this.commit({ compare: [isOurs], success: [deletes(key)], failure: [] }, {}, 'read');
    await done.catch((error: unknown) => {
      if (!(error instanceof ClientError)) throw error;
    });
  }
}

export function isCreatedAt(key: Uint8Array, revision: number): Compare {
  return { result: 'equal', target: { kind: 'create', revision }, key, rangeEnd: EMPTY };
}

function deletes(key: Uint8Array): RequestOp {
  return { kind: 'delete-range', request: deleteRequest(key) };
}

function keyIn(response: ResponseOp | undefined): KeyValue | undefined {
  return response?.kind === 'range' ? response.response.kvs[0] : undefined;
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new ClientError('CANCELLED', { details: 'it was given up before its turn' });
}
