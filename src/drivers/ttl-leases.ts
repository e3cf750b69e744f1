/**
 * Leases for keys that go by themselves after a while. Keys with the same time to live share one
 * lease for a tenth of that time: so there are some ten leases for each time to live, however many
 * keys. A key goes after its time, at most a tenth and two seconds later; never before.
 */

import { ClientError, type CallOptions, type Client } from '../client/client.js';

/** Of the time to live, for which a lease takes further keys. */
const SHARE = 0.1;
/** Times to live whose lease is remembered; beyond it the oldest is forgotten. */
const MOST = 64;

interface Shared {
  readonly id: Promise<bigint>;
  /** Of `performance.now()`: it takes no key from then on. */
  readonly until: number;
}

export class TtlLeases {
  readonly #client: Client;
  readonly #shared = new Map<number, Shared>();

  constructor(client: Client) {
    this.#client = client;
  }

  /**
   * Puts by `put` with a lease that ends after `ttlMs`; undefined or 0: without one. Rejects as
   * `put` does.
   */
  async put<T>(ttlMs: number | undefined, options: CallOptions, put: (lease: bigint) => Promise<T>): Promise<T> {
    if (ttlMs === undefined || ttlMs <= 0) return put(0n);
    const shared = this.#leaseFor(ttlMs, options);
    try {
      return await put(await shared.id);
    } catch (error) {
      this.#forget(ttlMs, shared);
      // It ended while this process was held up: nothing was written with it.
      if (!(error instanceof ClientError && error.code === 'NOT_FOUND')) throw error;
      return put(await this.#leaseFor(ttlMs, options).id);
    }
  }

  #leaseFor(ttlMs: number, options: CallOptions): Shared {
    const now = performance.now();
    const known = this.#shared.get(ttlMs);
    if (known !== undefined && now < known.until) return known;
    const ttl = Math.ceil((ttlMs * (1 + SHARE)) / 1000);
    const shared = { id: this.#client.lease.grant({ ttl }, options).then(({ id }) => id), until: now + ttlMs * SHARE };
    shared.id.catch(() => this.#forget(ttlMs, shared));
    this.#shared.delete(ttlMs);
    this.#shared.set(ttlMs, shared);
    const [oldest] = this.#shared.keys();
    if (this.#shared.size > MOST && oldest !== undefined) this.#shared.delete(oldest);
    return shared;
  }

  #forget(ttlMs: number, shared: Shared): void {
    if (this.#shared.get(ttlMs) === shared) this.#shared.delete(ttlMs);
  }
}
