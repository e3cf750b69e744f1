/** Leases of a store that is not one: they never end by themselves, and no key has one. */

import { EtcdError } from '../../api/etcd-error.js';
import type { LeaseApi, LeaseGranted, LeaseTimeToLive } from '../../api/services/lease.js';

export class FakeLeases implements LeaseApi {
  readonly #ttls = new Map<bigint, number>();
  #last = 0x7000_0000_0000_0000n;

  async grant(request: { readonly id: bigint; readonly ttl: number }): Promise<LeaseGranted> {
    const id = request.id === 0n ? ++this.#last : request.id;
    if (this.#ttls.has(id)) throw new EtcdError('LEASE_EXISTS');
    this.#ttls.set(id, Math.max(2, request.ttl));
    return { revision: 1, id, ttl: this.#ttls.get(id) ?? 0 };
  }

  async revoke(id: bigint): Promise<{ readonly revision: number }> {
    if (!this.#ttls.delete(id)) throw new EtcdError('LEASE_NOT_FOUND');
    return { revision: 1 };
  }

  async keepAlive(id: bigint): Promise<{ readonly revision: number; readonly ttl: number }> {
    return { revision: 1, ttl: this.#ttls.get(id) ?? 0 };
  }

  async timeToLive(id: bigint): Promise<LeaseTimeToLive> {
    const ttl = this.#ttls.get(id);
    return { revision: 1, ttl: ttl === undefined ? -1 : ttl - 1, grantedTtl: ttl ?? 0, keys: [] };
  }

  async list(): Promise<{ readonly revision: number; readonly ids: readonly bigint[] }> {
    return { revision: 1, ids: [...this.#ttls.keys()].sort((a, b) => (a < b ? -1 : 1)) };
  }
}
