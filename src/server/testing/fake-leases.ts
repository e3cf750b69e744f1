/**
 * Leases of a store that is not one: they never end by themselves, and do not take their keys with
 * them. A user may do to them what they may do to their keys. A test may look on, and stand in the
 * way.
 */

import { EtcdError } from '../../api/etcd-error.js';
import type { Caller } from '../../api/caller.js';
import { atOnce } from '../../base/drive.js';
import type { Access } from '../../replica/auth/access.js';
import type { KeyRanges } from '../../replica/auth/key-ranges.js';
import type { LeasedKeys } from '../../replica/auth/lease-permit.js';
import type { LeaseApi, LeaseGranted, LeaseTimeToLive } from '../../api/services/lease.js';

export class FakeLeases implements LeaseApi, LeasedKeys {
  readonly #ttls = new Map<bigint, number>();
  readonly #keys = new Map<bigint, Uint8Array[]>();
  readonly #access: Access;
  #last = 0x7000_0000_0000_0000n;
  /** What a keep-alive waits for before it is looked at. */
  gate: Promise<void> = Promise.resolve();
  /** Keep-alives that were answered. */
  renewed = 0;

  constructor(access: Access) {
    this.#access = access;
  }

  async grant(request: { readonly id: bigint; readonly ttl: number }, caller?: Caller): Promise<LeaseGranted> {
    this.#access.requireUser(caller);
    const id = request.id === 0n ? ++this.#last : request.id;
    if (this.#ttls.has(id)) throw new EtcdError('LEASE_EXISTS');
    this.#ttls.set(id, Math.max(2, request.ttl));
    return { revision: 1, id, ttl: this.#ttls.get(id) ?? 0 };
  }

  async revoke(id: bigint, caller?: Caller): Promise<{ readonly revision: number }> {
    this.mayWrite([id], caller);
    if (!this.#ttls.delete(id)) throw new EtcdError('LEASE_NOT_FOUND');
    this.#keys.delete(id);
    return { revision: 1 };
  }

  async keepAlive(id: bigint, caller?: Caller): Promise<{ readonly revision: number; readonly ttl: number }> {
    this.mayWrite([id], caller);
    await this.gate;
    this.renewed++;
    return { revision: 1, ttl: this.#ttls.get(id) ?? 0 };
  }

  async timeToLive(id: bigint, withKeys: boolean, caller?: Caller): Promise<LeaseTimeToLive> {
    if (withKeys) this.#mayRead(id, caller);
    else this.#access.requireUser(caller);
    const ttl = this.#ttls.get(id);
    return { revision: 1, ttl: ttl === undefined ? -1 : ttl - 1, grantedTtl: ttl ?? 0, keys: withKeys ? (this.#keys.get(id) ?? []) : [] };
  }

  /** The store's: throws EtcdError LEASE_NOT_FOUND. */
  attach(id: bigint, key: Uint8Array): void {
    if (!this.#ttls.has(id)) throw new EtcdError('LEASE_NOT_FOUND');
    this.#keys.set(id, [...(this.#keys.get(id) ?? []), key]);
  }

  async list(caller?: Caller): Promise<{ readonly revision: number; readonly ids: readonly bigint[] }> {
    this.#mayRead('all', caller);
    return { revision: 1, ids: [...this.#ttls.keys()].sort((a, b) => (a < b ? -1 : 1)) };
  }

  /** The store's: throws EtcdError. */
  mayWrite(ids: Iterable<bigint>, caller: Caller | undefined): void {
    atOnce(this.#access.permit(caller)?.leases(ids, this) ?? nothing());
  }

  #mayRead(which: bigint | 'all', caller: Caller | undefined): void {
    atOnce(this.#access.permit(caller)?.readLeases(which, this) ?? nothing());
  }

  *areWithin(ranges: KeyRanges, lease: bigint | 'all'): Generator<void, boolean> {
    const keys = lease === 'all' ? [...this.#keys.values()].flat() : (this.#keys.get(lease) ?? []);
    return keys.every((key) => ranges.endAfter(key) !== undefined);
  }
}

function* nothing(): Generator<void, void> {}
