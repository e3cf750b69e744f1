/**
 * Leases of a store that is not one: they never end by themselves, and no key has one, so that any
 * user may do anything to them.
 */

import { EtcdError } from '../../api/etcd-error.js';
import type { Caller } from '../../api/caller.js';
import type { Access } from '../../replica/auth/access.js';
import type { LeaseApi, LeaseGranted, LeaseTimeToLive } from '../../api/services/lease.js';

export class FakeLeases implements LeaseApi {
  readonly #ttls = new Map<bigint, number>();
  readonly #access: Access;
  #last = 0x7000_0000_0000_0000n;

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
    this.#access.requireUser(caller);
    if (!this.#ttls.delete(id)) throw new EtcdError('LEASE_NOT_FOUND');
    return { revision: 1 };
  }

  async keepAlive(id: bigint, caller?: Caller): Promise<{ readonly revision: number; readonly ttl: number }> {
    this.#access.requireUser(caller);
    return { revision: 1, ttl: this.#ttls.get(id) ?? 0 };
  }

  async timeToLive(id: bigint, _keys: boolean, caller?: Caller): Promise<LeaseTimeToLive> {
    this.#access.requireUser(caller);
    const ttl = this.#ttls.get(id);
    return { revision: 1, ttl: ttl === undefined ? -1 : ttl - 1, grantedTtl: ttl ?? 0, keys: [] };
  }

  async list(caller?: Caller): Promise<{ readonly revision: number; readonly ids: readonly bigint[] }> {
    this.#access.requireUser(caller);
    return { revision: 1, ids: [...this.#ttls.keys()].sort((a, b) => (a < b ? -1 : 1)) };
  }
}
