/**
 * Places in queues that callers of this member wait for. Whoever enters puts a key, and waits for
 * the keys before it: each watches the one before its own, and its own, so that a key that goes
 * wakes one caller, in turn, and a caller whose lease ends is told so at once.
 *
 * Whoever leaves without having taken the place gives it up: the key is deleted, or the lease
 * revoked, if that was granted for it. Calls with the same lease share a place; it is given up when
 * the last of them on this member leaves and none of them has taken it.
 *
 * C1 So many may wait on a member.
 */

import { KintsugiError } from '../../base/errors.js';
import { assert, must } from '../../base/assert.js';
import { EMPTY, toHex } from '../../base/bytes.js';
import type { LeaseId, Revision } from '../../base/ids.js';
import type { Caller } from '../../api/caller.js';
import { ETCD_MESSAGES } from '../../api/etcd-error.js';
import type { Compare, KeyValue, RequestOp } from '../../api/requests.js';
import { Code } from '../../grpc/code.js';
import { CANCELLED, RpcError } from '../../grpc/status.js';
import type { Store } from '../../node/store.js';
import { Asker } from './asker.js';
import { changesOf } from './changes.js';
import { keyIn, single, type Queue } from './queue.js';

/** Each has two watchers: others keep most of those that a member may have. */
const WAITING_MAX = 10_000;
/** Seconds: the TTL of a lease that is granted to whoever names none. */
export const SESSION_TTL = 60;

export function isCreatedAt(key: Uint8Array, revision: Revision): Compare {
  return { result: 'equal', target: { kind: 'create', revision }, key, rangeEnd: EMPTY };
}

export function deletes(key: Uint8Array): RequestOp {
  return { kind: 'delete-range', request: { key, rangeEnd: EMPTY, prevKv: false } };
}

export function puts(key: Uint8Array, value: Uint8Array, lease: LeaseId): RequestOp {
  return { kind: 'put', request: { key, value, lease, prevKv: false, ignoreValue: false, ignoreLease: false } };
}

/** Of all calls that wait for one key. */
interface Shared {
  calls: number;
  taken: boolean;
}

export class Places {
  readonly store: Store;
  /** By key and the revision that created it. */
  readonly #shared = new Map<string, Shared>();
  readonly #most: number;
  #waiting = 0;

  constructor(store: Store, most = WAITING_MAX) {
    this.store = store;
    this.#most = most;
  }

  /** Callers that wait, or have taken a place and not been answered yet. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Whoever enters leaves. With lease 0 one is granted. Rejects with EtcdError, and with
   * RpcError RESOURCE_EXHAUSTED if too many wait; nothing is left behind then.
   */
  async enter(queue: Queue, lease: LeaseId, value: Uint8Array, caller: Caller): Promise<Place> {
    if (this.#waiting >= this.#most) throw new RpcError(Code.RESOURCE_EXHAUSTED, ETCD_MESSAGES.TOO_MANY_REQUESTS);
    this.#waiting++;
    let granted: LeaseId | undefined;
    try {
      const asker = await Asker.admit(this.store, caller);
      if (lease === 0n) granted = (await this.store.lease.grant({ id: 0n, ttl: SESSION_TTL }, caller)).id;
      return await this.#enter(queue, value, asker, granted ?? lease, granted !== undefined);
    } catch (error) {
      this.#waiting--;
      if (granted !== undefined) await this.#revoke(granted);
      throw error;
    }
  }

  async #enter(queue: Queue, value: Uint8Array, asker: Asker, lease: LeaseId, granted: boolean): Promise<Place> {
    const key = queue.keyOf(lease);
    const first: RequestOp = { kind: 'range', request: queue.first };
    const { succeeded, revision, responses } = await this.store.txn({
      compare: [isCreatedAt(key, 0)], success: [puts(key, value, lease), first], failure: [{ kind: 'range', request: single(key) }, first],
    }, asker.caller);
    const before = succeeded ? undefined : must(keyIn(responses[0]), 'a key that was created is there');
    const created = before?.createRevision ?? revision;
    const isFirst = keyIn(responses[1])?.createRevision === created;
    const name = `${toHex(key)} ${created}`;
    let shared = this.#shared.get(name);
    if (shared === undefined) this.#shared.set(name, (shared = { calls: 0, taken: false }));
    shared.calls++;
    return new Place(this, { queue, asker, key, created, lease, entered: revision, before, isFirst, granted, name });
  }

  taken(place: Place): void {
    this.#of(place).taken = true;
  }

  async leave(place: Place): Promise<void> {
    const shared = this.#of(place);
    this.#waiting--;
    shared.calls--;
    if (shared.calls > 0) return;
    this.#shared.delete(place.name);
    if (shared.taken) return;
    const { key, created } = place;
    if (place.granted) await this.#revoke(place.lease);
    else await quietly(this.store.txn({ compare: [isCreatedAt(key, created)], success: [deletes(key)], failure: [] }));
  }

  #revoke(lease: LeaseId): Promise<void> {
    return quietly(this.store.lease.revoke(lease));
  }

  #of({ name }: Place): Shared {
    const shared = this.#shared.get(name);
    assert(shared !== undefined && shared.calls > 0, 'a place is left once');
    return shared;
  }
}

/** Where it cannot be done, for want of a leader say, the key goes with its lease. */
async function quietly(done: Promise<unknown>): Promise<void> {
  try {
    await done;
  } catch (error) {
    if (!(error instanceof KintsugiError)) throw error;
  }
}

interface PlaceParts {
  readonly queue: Queue;
  readonly asker: Asker;
  readonly key: Uint8Array;
  readonly created: Revision;
  readonly lease: LeaseId;
  readonly entered: Revision;
  readonly before: KeyValue | undefined;
  readonly isFirst: boolean;
  readonly granted: boolean;
  readonly name: string;
}

export class Place {
  readonly key: Uint8Array;
  /** The revision that created the key. */
  readonly created: Revision;
  readonly lease: LeaseId;
  /** For nobody else. */
  readonly granted: boolean;
  /** Of the store when it was entered. */
  readonly entered: Revision;
  /** The key, if it was there before. */
  readonly before: KeyValue | undefined;
  /** No other place has it. */
  readonly name: string;
  readonly #places: Places;
  readonly #asker: Asker;
  readonly #queue: Queue;
  readonly #isFirst: boolean;

  constructor(places: Places, parts: PlaceParts) {
    ({ key: this.key, created: this.created, lease: this.lease, granted: this.granted } = parts);
    ({ entered: this.entered, before: this.before, name: this.name } = parts);
    this.#places = places;
    ({ asker: this.#asker, queue: this.#queue, isFirst: this.#isFirst } = parts);
  }

  /**
   * Resolves when it is the caller's turn, and the place is taken, with a revision as of then;
   * undefined: its key is gone. Rejects with RpcError CANCELLED on the signal, and with EtcdError.
   */
  async turn(signal: AbortSignal): Promise<Revision | undefined> {
    const turn = this.#isFirst ? this.entered : await this.#wait(signal);
    if (signal.aborted) throw new RpcError(CANCELLED.code, CANCELLED.details);
    if (turn !== undefined) this.#places.taken(this);
    return turn;
  }

  async #wait(signal: AbortSignal): Promise<Revision | undefined> {
    const { key, created } = this;
    for (;;) {
      const { revision, responses } = await this.#asker.look(single(key, true), this.#queue.before(created));
      if (keyIn(responses[0])?.createRevision !== created) return undefined;
      const before = keyIn(responses[1]);
      if (before === undefined) return revision;
      const watched = [before.key.slice(), key].map((each) => ({ key: each, from: revision + 1, only: 'deletes' as const }));
      for await (const _ of changesOf(this.#places.store, watched, { signal })) break;
    }
  }

  leave(): Promise<void> {
    return this.#places.leave(this);
  }
}
