/**
 * Leases as any member answers them: what changes them goes through the log, what only the leader
 * knows is asked of it (`replica/lease/`), which there are is read here (R4). What a user may do to
 * a lease is what they may do to each of its keys, as of the call: who keeps it alive writes them,
 * who is told of them reads them.
 */

import type { Caller } from '../api/caller.js';
import { EtcdError } from '../api/etcd-error.js';
import type { LeaseApi, LeaseGranted, LeaseTimeToLive } from '../api/services/lease.js';
import { sleep } from '../base/env.js';
import type { LeaseId, Revision } from '../base/ids.js';
import { VERSION_3 } from '../replica/base/protocol.js';
import { LeasedKeysIn } from '../replica/kv/leased-keys.js';
import { keysOf, leaseIn, leasesIn } from '../replica/kv/leases.js';
import { Pace } from '../replica/kv/pace.js';
import type { Replica } from '../replica/replica.js';
import { requestTimeoutMs } from '../replica/start/options.js';
import type { AuthControl } from './auth-control.js';
import type { Writes } from './writes.js';

const POLL_MS = 20;
/** Of an election's time: etcd's shortest lease, which a change of leader must not end. */
const MIN_TTL_ELECTIONS = 1.5;

export class LeaseStore implements LeaseApi {
  readonly #replica: Replica;
  readonly #writes: Writes;
  readonly #auth: AuthControl;

  constructor(replica: Replica, writes: Writes, auth: AuthControl) {
    this.#auth = auth;
    this.#replica = replica;
    this.#writes = writes;
  }

  async grant(request: { readonly id: LeaseId; readonly ttl: number }, caller?: Caller): Promise<LeaseGranted> {
    await this.#allowed();
    const minTtl = Math.ceil((MIN_TTL_ELECTIONS * this.#replica.options.electionMs) / 1000);
    const id = request.id === 0n ? this.#pick() : request.id;
    const ttl = Math.max(minTtl, request.ttl);
    const { revision } = (await this.#writes.propose({ kind: 'lease-grant', request: { id, ttl } }, caller)).response;
    return { revision, id, ttl };
  }

  async revoke(id: LeaseId, caller?: Caller): Promise<{ readonly revision: Revision }> {
    await this.#allowed();
    const { revision } = (await this.#writes.propose({ kind: 'lease-revoke', request: { id } }, caller)).response;
    return { revision };
  }

  async keepAlive(id: LeaseId, caller?: Caller): Promise<{ readonly revision: Revision; readonly ttl: number }> {
    await this.#allowed();
    await this.#auth.catchUp(caller);
    await this.#mayKeepAlive(id, caller);
    // Before it is asked: a lease that is still there then is gone at a later revision at most.
    const { revision } = this.#replica.kv;
    const ttl = await this.#replica.leaseRouter.keepAlive(id);
    return { revision, ttl };
  }

  /**
   * The leader is told no names: this member asks itself, as of what is committed by now (R4).
   * Rejects with EtcdError.
   */
  async #mayKeepAlive(id: LeaseId, caller: Caller | undefined): Promise<void> {
    const { reads, state: { access } } = this.#replica;
    if (access.isFree(caller)) return void access.permit(caller);
    await reads.linearizable();
    await reads.local(function* (view) {
      const permit = access.permit(caller);
      if (permit !== undefined) yield* permit.leases([id], new LeasedKeysIn(view));
    });
  }

  async timeToLive(id: LeaseId, withKeys: boolean, caller?: Caller): Promise<LeaseTimeToLive> {
    await this.#allowed();
    const { reads, leaseRouter } = this.#replica;
    await this.#auth.catchUp(caller);
    const left = await leaseRouter.timeLeft(id);
    await reads.linearizable();
    const { access } = this.#replica.state;
    // Who may read its keys is asked of what they are read from.
    const { there, keys } = await reads.local(function* (view) {
      access.requireUser(caller);
      const permit = withKeys ? access.permit(caller) : undefined;
      if (permit !== undefined) yield* permit.readLeases(id, new LeasedKeysIn(view));
      return yield* readLease(view, id, withKeys);
    });
    const { revision } = this.#replica.kv;
    if (left === undefined || !there) return { revision, ttl: -1, grantedTtl: 0, keys: [] };
    return { revision, ttl: Math.floor(left.leftMs / 1000), grantedTtl: left.granted, keys };
  }

  async list(caller?: Caller): Promise<{ readonly revision: Revision; readonly ids: readonly LeaseId[] }> {
    const { reads } = this.#replica;
    await reads.linearizable();
    const { access } = this.#replica.state;
    const leases = await reads.local(function* (view) {
      const pace = new Pace();
      const permit = access.permit(caller);
      if (permit !== undefined) yield* permit.readLeases('all', new LeasedKeysIn(view, pace));
      return yield* leasesIn(view, pace);
    });
    return { revision: this.#replica.kv.revision, ids: leases.map(({ id }) => id) };
  }

  /** Positive, as etcd's; it is refused if there is one already, which nobody lives to see. */
  #pick(): LeaseId {
    const { random } = this.#replica.env;
    const high = random.uint32() & 0x7fff_ffff;
    const id = (BigInt(high) << 32n) | BigInt(random.uint32());
    return id === 0n ? 1n : id;
  }

  /** A cluster that has just begun raises its version within seconds. */
  async #allowed(): Promise<void> {
    const { env, state, life, options } = this.#replica;
    const deadline = env.clock.now() + requestTimeoutMs(options);
    while (state.version < VERSION_3) {
      if (life.ended) throw new EtcdError('STOPPED');
      if (env.clock.now() >= deadline) throw new EtcdError('UNHEALTHY', 'leases need all members to run a newer program');
      await sleep(env.clock, POLL_MS);
    }
  }
}

type View = Parameters<typeof leaseIn>[0];

/** One view shows both. */
function* readLease(view: View, id: LeaseId, withKeys: boolean): Generator<void, { there: boolean; keys: Uint8Array[] }> {
  if (leaseIn(view, id) === undefined) return { there: false, keys: [] };
  const keys = withKeys ? yield* keysOf(view, id, new Pace()) : [];
  return { there: true, keys };
}
