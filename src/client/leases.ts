/**
 * `client.lease`: etcd's leases. What is granted here has to be kept alive by the caller; what is
 * *held* keeps itself alive (`lease.ts`) until it is revoked, lost, or the client is closed.
 */

import { performance } from 'node:perf_hooks';
import type { Clock, Timer } from '../base/env.js';
import type { CallOptions, Caller } from './caller.js';
import { Lease } from './lease.js';
import {
  leaseGrant, leaseKeepAlive, leaseList, leaseRevoke, leaseTimeToLive,
  type LeaseGranted, type LeaseList, type LeaseOptions, type LeaseRevoked, type LeaseTimeToLive,
} from './lease-calls.js';

/** Does not jump when the clock on the wall is set. */
const processClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  setTimer(delayMs: number, fn: () => void): Timer {
    const timer = setTimeout(fn, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  defer: (fn) => void setImmediate(fn),
};

export class LeaseClient {
  readonly #caller: Caller;
  readonly #clock: Clock;
  readonly #held = new Set<Lease>();

  constructor(caller: Caller, clock: Clock = processClock) {
    this.#caller = caller;
    this.#clock = clock;
  }

  /** It ends after its TTL unless it is kept alive. */
  grant(lease: LeaseOptions, options: CallOptions = {}): Promise<LeaseGranted> {
    return leaseGrant(this.#caller, lease, options);
  }

  /** Deletes its keys. Rejects with NOT_FOUND if there is no such lease. */
  revoke(id: bigint, options: CallOptions = {}): Promise<LeaseRevoked> {
    return leaseRevoke(this.#caller, id, options);
  }

  /** Its TTL begins anew. Rejects with NOT_FOUND if there is no such lease. */
  keepAliveOnce(id: bigint, options: CallOptions = {}): Promise<LeaseGranted> {
    return leaseKeepAlive(this.#caller, id, options);
  }

  /** `ttl` -1: there is no such lease. */
  timeToLive(id: bigint, options: CallOptions & { readonly keys?: boolean } = {}): Promise<LeaseTimeToLive> {
    return leaseTimeToLive(this.#caller, id, options);
  }

  list(options: CallOptions = {}): Promise<LeaseList> {
    return leaseList(this.#caller, options);
  }

  /**
   * Grants one that keeps itself alive: `await using lease = await client.lease.hold({ ttl: 10 })`.
   */
  async hold(lease: LeaseOptions, options: CallOptions = {}): Promise<Lease> {
    const sentAt = this.#clock.now();
    return this.#hold(await leaseGrant(this.#caller, lease, options), sentAt);
  }

  /** The same of a lease that there is. Rejects with NOT_FOUND if there is none. */
  async keepAlive(id: bigint, options: CallOptions = {}): Promise<Lease> {
    const sentAt = this.#clock.now();
    return this.#hold(await leaseKeepAlive(this.#caller, id, options), sentAt);
  }

  /** The client is closed: no lease is kept alive any more. */
  close(): void {
    for (const lease of this.#held) lease.abandon();
  }

  #hold(granted: LeaseGranted, sentAt: number): Lease {
    const lease = new Lease(this.#caller, granted, sentAt, this.#clock);
    this.#held.add(lease);
    lease.lost.addEventListener('abort', () => void this.#held.delete(lease), { once: true });
    return lease;
  }
}
