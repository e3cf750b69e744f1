/**
 * The published client, `kintsugi/client`. It speaks etcd's v3 gRPC API, so that it works against
 * etcd too, and `kintsugi.v1.Heal`. A call is answered by any member; reads move on to the next
 * endpoint by themselves, writes only if they provably were never sent. Everything a call can end
 * with is a {@link ClientError}.
 *
 *     await using client = connect({ endpoints: ['127.0.0.1:2379', '127.0.0.1:22379'] });
 *     await client.put('greeting', 'hello');
 *     const kv = await client.get('greeting');          // kv?.value is a Uint8Array
 *     const all = await client.getRange({ prefix: 'user/' }, { limit: 100 });
 *     await client.txn().if(compare.version('lock', '=', 0))
 *       .then(op.put('lock', 'mine')).else(op.get('lock')).commit();
 *     await using lease = await client.lease.hold({ ttl: 10 });   // keeps itself alive
 *     await client.put('services/a', 'up', { lease: lease.id });
 *     for await (const { type, kv } of client.watchEvents({ prefix: 'user/' })) heard(type, kv);
 */

import type { Clock } from '../base/env.js';
import { KV } from '../api/services/kv.js';
import type { WatchEvent } from '../api/watch.js';
import type {
  CompactionResponse, DeleteRangeResponse, KeyValue, PutResponse, RangeRequest, RangeResponse, Reply, RequestOp, TxnRequest,
  TxnResponse,
} from '../api/requests.js';
import { AuthClient } from './auth.js';
import { backupOf, type BackupBlob, type BackupOptions } from './backup.js';
import { callUnary } from './call.js';
import { textKeys, type Codec, type KeyCodec } from './codec.js';
import { Collection } from './collection.js';
import { Caller, type CallOptions } from './caller.js';
import type { Dialer } from './connection.js';
import { GrpcDialer } from './endpoint.js';
import { badArgument } from './errors.js';
import { Election } from './election.js';
import { HealClient } from './heal.js';
import type { KvClient } from './kv-client.js';
import { LeaseClient } from './leases.js';
import { acquireLock, type Lock, type LockOptions } from './lock.js';
import {
  alarmCall, downgradeCall, healthOf, moveLeader, statusOf,
  type ActiveAlarm, type AlarmList, type DowngradeAction, type HealthStatus, type MemberStatus,
} from './maintenance.js';
import {
  memberAdd, memberList, memberPromote, memberRemove, memberReplace, memberUpdate, type MemberAdded, type MemberList,
} from './members.js';
import {
  deleteRequest, putRequest, rangeRequest, type Bytes, type DeleteOptions, type KeyRange, type PutOptions, type RangeOptions,
} from './requests.js';
import { rangeChunks, rangeKeys } from './range-stream.js';
import type { AuthOptions } from './login.js';
import type { TlsOptions } from './tls.js';
import { stm, type StmOptions, type StmTransaction } from './stm.js';
import { Txn } from './txn.js';
import { update, type Update, type Updated, type UpdateOptions } from './update.js';
import { Watch, watchEvents, type WatchOptions } from './watch.js';

export { ClientError, CompactedError, ConflictError, type ClientErrorCode } from './errors.js';
export { Collection, type PutAnswer, type UpdatedEntry } from './collection.js';
export type { CollectionOps } from './collection-ops.js';
export type { CollectionTransaction } from './collection-stm.js';
export type { CollectionEvent, CollectionWatch } from './collection-watch.js';
export {
  bytes, InvalidValue, json, number, text, textKeys, tuple, type Codec, type Issue, type KeyCodec, type TuplePrefix,
} from './codec.js';
export { ValidationError, type CollectionRange, type Entry } from './entries.js';
export { decodeTuple, encodeTuple, type Tuple, type TupleElement } from './tuple.js';
export { createRevision, exists, leaseOf, missing, modRevision, value, version, type Condition } from './conditions.js';
export {
  op, type DeleteOp, type GetOp, type NestedTxnOp, type PutOp, type RangeOp, type ResultOf, type ResultsOf, type TxnOutcome, type TypedOp,
  type TypedTxnRequest,
} from './operations.js';
export type { Isolation, StmOptions, StmTransaction } from './stm.js';
export type { Update, Updated, UpdateOptions } from './update.js';
export {
  compare, type Bytes, type CompareOperator, type DeleteOptions, type KeyRange, type PutOptions, type RangeOptions,
} from './requests.js';
export type { CallOptions } from './caller.js';
export type {
  HealClient, HealCounters, HealStatus, Hint, ScrubOptions, ScrubProgress, VerifiedTable, Verification,
} from './heal.js';
export type {
  AuthAnswer, AuthClient, AuthStatus, Permission, PermissionType, RoleNames, RolePermissions, UserAddOptions, UserNames,
} from './auth.js';
export type { AuthOptions } from './login.js';
export type { BackupBlob, BackupOptions } from './backup.js';
export type { Election, Leadership, ObserveOptions } from './election.js';
export type { Lease } from './lease.js';
export type { Lock, LockOptions } from './lock.js';
export type { LeaseGranted, LeaseList, LeaseOptions, LeaseRevoked, LeaseTimeToLive } from './lease-calls.js';
export type { LeaseClient } from './leases.js';
export type { ActiveAlarm, AlarmList, DowngradeAction, HealthStatus, MemberStatus } from './maintenance.js';
export type { Member, MemberAdded, MemberList } from './members.js';
export type { TlsOptions } from './tls.js';
export type { Txn } from './txn.js';
export type { Watch, WatchBatch, WatchOptions } from './watch.js';
export type { WatchEvent } from '../api/watch.js';
export type {
  Compare, CompactionResponse, DeleteRangeResponse, KeyValue, PutResponse, RangeResponse, Reply, RequestOp, ResponseHeader,
  ResponseOp, TxnRequest, TxnResponse,
} from '../api/requests.js';

export interface ClientOptions {
  /**
   * `host:port`, `http://host:port` or `https://host:port`, one per member; asked in this order until one answers, then
   * that one.
   */
  readonly endpoints: readonly string[];
  /**
   * `last`: calls go to the endpoint that answered last. `round-robin`: each goes to the next one
   * that answers. Default `last`.
   */
  readonly balance?: 'last' | 'round-robin';
  /** For endpoints with `https://`, and for those without a scheme. */
  readonly tls?: TlsOptions;
  /** Who calls, where auth is on: authenticates by itself, and again when its token has expired. */
  readonly auth?: AuthOptions;
  /** Ms until a call ends with DEADLINE_EXCEEDED, over all its attempts. Default 5000. */
  readonly timeoutMs?: number;
  /**
   * Ms until a connection that does not come about is given up for the next endpoint. Default 2000.
   */
  readonly dialTimeoutMs?: number;
  /** Most attempts of one call, at any endpoint. Default 10; 1 turns retries off. */
  readonly maxAttempts?: number;
  /** Ms before the second round over the endpoints; doubles each round, with jitter. Default 25. */
  readonly retryDelayMs?: number;
  /** Ms; no round waits longer. Default 1000. */
  readonly maxRetryDelayMs?: number;
}

/** What a client in a member's own process has of that. */
export interface ClientWorld {
  /** Where endpoints are found. Default: on the network. */
  readonly dialer?: Dialer;
  /** By which leases that are held are kept alive. Default: the process's. */
  readonly clock?: Clock;
}

export class Client implements KvClient, AsyncDisposable {
  readonly #caller: Caller;
  readonly auth: AuthClient;
  readonly heal: HealClient;
  readonly lease: LeaseClient;

  /** Use {@link connect}. */
  constructor(options: ClientOptions, world: ClientWorld = {}) {
    const { endpoints, timeoutMs = 5000, dialTimeoutMs = 2000, maxAttempts = 10, retryDelayMs = 25, maxRetryDelayMs = 1000 } = options;
    for (const [name, value] of Object.entries({ timeoutMs, dialTimeoutMs, maxAttempts, retryDelayMs, maxRetryDelayMs })) {
      if (!(value > 0)) throw badArgument(`${name} is above 0, got ${value}`);
    }
    const { tls, auth, balance = 'last' } = options;
    if (balance !== 'last' && balance !== 'round-robin') throw badArgument(`balance is last or round-robin, got ${String(balance)}`);
    const dialer = world.dialer ?? new GrpcDialer({ dialTimeoutMs, tls });
    this.#caller = new Caller({ endpoints, timeoutMs, maxAttempts, retryDelayMs, maxRetryDelayMs, roundRobin: balance === 'round-robin' }, dialer, auth);
    this.auth = new AuthClient(this.#caller);
    this.heal = new HealClient(this.#caller);
    this.lease = new LeaseClient(this.#caller, world.clock);
  }

  get endpoints(): readonly string[] {
    return this.#caller.endpoints;
  }

  /** Sets a key. The answer's `revision` is the put's own. */
  put(key: Bytes, value: Bytes, options: PutOptions & CallOptions = {}): Promise<Reply<PutResponse>> {
    return callUnary(this.#caller, KV.Put, putRequest(key, value, options), options);
  }

  /** One key; undefined if it does not exist. Linearizable unless `serializable` is set. */
  async get(key: Bytes, options: RangeOptions & CallOptions = {}): Promise<KeyValue | undefined> {
    return (await this.getRange(key, options)).kvs[0];
  }

  /**
   * Keys of a range, ordered by key unless asked otherwise. One answer holds them all: use `limit`
   * and `from` to page.
   */
  getRange(range: KeyRange | Bytes, options: RangeOptions & CallOptions = {}): Promise<Reply<RangeResponse>> {
    return this.range(rangeRequest(range, options), options);
  }

  /**
   * The same key by key, however many: `for await (const kv of client.stream({ prefix: 'a' }))`.
   * All at one revision, and no more than a chunk is held.
   */
  stream(range: KeyRange | Bytes, options: RangeOptions & CallOptions = {}): AsyncGenerator<KeyValue, void, undefined> {
    return rangeKeys(this.#caller, rangeRequest(range, options), options);
  }

  /** The same in chunks; the header and `count` of the whole range are those of the last. */
  rangeStream(request: RangeRequest, options: CallOptions = {}): AsyncGenerator<Reply<RangeResponse>, void, undefined> {
    return rangeChunks(this.#caller, request, options);
  }

  /**
   * Changes as they are made, batch by batch, each once and in order, whatever becomes of the
   * member that is asked: `for await (const { events } of client.watch({ prefix: 'a' }))`.
   * Begins when it is iterated over; each has a call of its own.
   */
  watch(range: KeyRange | Bytes, options: WatchOptions = {}): Watch {
    return new Watch(this.#caller, range, options);
  }

  /** The same change by change, until the consumer stops. */
  watchEvents(range: KeyRange | Bytes, options: WatchOptions = {}): AsyncGenerator<WatchEvent, void, undefined> {
    return watchEvents(this.watch(range, options));
  }

  /** Resolves when it is held: `await using lock = await client.lock('jobs', { ttl: 10 })`. */
  lock(name: Bytes, options: LockOptions = {}): Promise<Lock> {
    return acquireLock({ caller: this.#caller, leases: this.lease }, name, options);
  }

  /** `election.campaign(value)`, `leader()`, `observe()`. */
  election(name: Bytes): Election {
    return new Election({ caller: this.#caller, leases: this.lease }, name);
  }

  /**
   * Keys with this prefix as typed values: `client.collection('user/', json(UserSchema))`. Keys are
   * text, or what a further codec makes of them: `tuple<[string, number]>()`.
   */
  collection<Out, In = Out>(prefix: Bytes, values: Codec<Out, In>): Collection<string, Out, In>;
  collection<K, Prefix, Out, In = Out>(prefix: Bytes, values: Codec<Out, In>, keys: KeyCodec<K, Prefix>): Collection<K, Out, In, Prefix>;
  collection<Out, In>(prefix: Bytes, values: Codec<Out, In>, keys: KeyCodec<string> = textKeys): Collection<string, Out, In> {
    return new Collection(this, prefix, values, keys);
  }

  /** etcd's own request, every field. */
  range(request: RangeRequest, options: CallOptions = {}): Promise<Reply<RangeResponse>> {
    return callUnary(this.#caller, KV.Range, request, options);
  }

  /** Deletes a key or a range. Deleting nothing makes no revision. */
  delete(range: KeyRange | Bytes, options: DeleteOptions & CallOptions = {}): Promise<Reply<DeleteRangeResponse>> {
    return callUnary(this.#caller, KV.DeleteRange, deleteRequest(range, options), options);
  }

  /**
   * `txn().if(...).then(...).else(...).commit()`. At most 128 conditions and 128 operations each.
   */
  txn(): Txn {
    return new Txn((request, options) => this.commit(request, options));
  }

  /**
   * Writes what `fn` makes of what the key holds, if nobody changed that meanwhile; else `fn` is
   * asked again. Of undefined: the key does not exist, or is to be deleted. Rejects with
   * ConflictError, and with `outcomeUnknown` where it may have been carried out.
   */
  update(key: Bytes, fn: Update, options: UpdateOptions = {}): Promise<Updated> {
    return update(this, key, fn, options);
  }

  /**
   * Runs `fn`, which reads and writes keys through its `tx`, as if nobody else were there; again if
   * somebody was. Rejects with ConflictError, with `outcomeUnknown`, and as `fn` does.
   */
  stm<T>(fn: (tx: StmTransaction) => T | Promise<T>, options: StmOptions = {}): Promise<T> {
    return stm(this, fn, options);
  }

  /** etcd's own request. One that only reads is retried like a read. */
  commit(request: TxnRequest, options: CallOptions = {}): Promise<Reply<TxnResponse>> {
    return callUnary(this.#caller, KV.Txn, request, options, onlyReads(request) ? 'read' : 'write');
  }

  /**
   * Forgets versions that were replaced at or before `revision`; `physical` waits until they are
   * gone.
   */
  compact(revision: number, options: { readonly physical?: boolean } & CallOptions = {}): Promise<Reply<CompactionResponse>> {
    if (!Number.isSafeInteger(revision)) throw badArgument(`revision is a whole number, got ${revision}`);
    return callUnary(this.#caller, KV.Compact, { revision, physical: options.physical ?? false }, options);
  }

  /** Of one member, from its own state: useful without a quorum. */
  status(options: CallOptions = {}): Promise<MemberStatus> {
    return statusOf(this.#caller, options);
  }

  /** As the member knows it that answers; `linearizable`: as the cluster has agreed. */
  memberList(options: CallOptions & { readonly linearizable?: boolean } = {}): Promise<MemberList> {
    return memberList(this.#caller, options);
  }

  memberAdd(peerUrls: readonly string[], isLearner = false, options: CallOptions = {}): Promise<MemberAdded> {
    return memberAdd(this.#caller, peerUrls, isLearner, options);
  }

  memberRemove(id: bigint, options: CallOptions = {}): Promise<MemberList> {
    return memberRemove(this.#caller, id, options);
  }

  memberPromote(id: bigint, options: CallOptions = {}): Promise<MemberList> {
    return memberPromote(this.#caller, id, options);
  }

  /** The learner `promoted` becomes a voter, and `removed` goes, at once. */
  memberReplace(promoted: bigint, removed: bigint, options: CallOptions = {}): Promise<void> {
    return memberReplace(this.#caller, promoted, removed, options);
  }

  memberUpdate(id: bigint, peerUrls: readonly string[], options: CallOptions = {}): Promise<MemberList> {
    return memberUpdate(this.#caller, id, peerUrls, options);
  }

  /** The way back to programs of an older version of the cluster, which is asked for as "1". */
  downgrade(action: DowngradeAction, version: string, options: CallOptions = {}): Promise<string> {
    return downgradeCall(this.#caller, action, version, options);
  }

  /** Active alarms. */
  alarms(options: CallOptions = {}): Promise<AlarmList> {
    return alarmCall(this.#caller, 'GET', {}, options);
  }

  /** The answer has the alarm if it was active. */
  disarm(alarm: ActiveAlarm, options: CallOptions = {}): Promise<AlarmList> {
    return alarmCall(this.#caller, 'DEACTIVATE', alarm, options);
  }

  /** Must be asked of the leader: give its endpoint. */
  moveLeader(target: bigint, options: CallOptions = {}): Promise<void> {
    return moveLeader(this.#caller, target, options);
  }

  /** A backup of all that is committed when it is asked for, of one member. */
  backup(options: BackupOptions = {}): AsyncGenerator<BackupBlob, void, undefined> {
    return backupOf(this.#caller, options);
  }

  /** grpc.health.v1 of one member; the service '' is the server as a whole. */
  health(service = '', options: CallOptions = {}): Promise<HealthStatus> {
    return healthOf(this.#caller, service, options);
  }

  /**
   * Ends calls that are still open with CANCELLED. Leases that are held are given up: each ends
   * after its TTL.
   */
  close(): void {
    this.lease.close();
    this.#caller.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }
}

function onlyReads(request: TxnRequest): boolean {
  const reads = (op: RequestOp): boolean => op.kind === 'range' || op.kind === 'empty' || (op.kind === 'txn' && onlyReads(op.request));
  return request.success.every(reads) && request.failure.every(reads);
}

/**
 * Connects at the first call. Throws ClientError INVALID_ARGUMENT for options that make no sense.
 */
export function connect(options: ClientOptions): Client {
  return new Client(options);
}
