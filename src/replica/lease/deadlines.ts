/**
 * When each lease ends, as the leader has it: in memory alone, by the clock of leases. A tour goes
 * round all of them, in parts. A lease ends at the second tour that finds it due: between the two,
 * whatever had been waiting to keep it alive was read.
 */

import type { LeaseId, LogIndex } from '../../base/ids.js';
import type { LeaseRecord } from '../kv/lease-keys.js';

/** Of the time that is left, in the log: of short leases every step counts, the first most. */
const FIRST_STEP_MS = 250;
const MIN_STEP_MS = 500;
const MAX_STEP_MS = 300_000;
/** A share of the TTL. */
const STEP_SHARE = 1 / 64;
/** A longer lease has missed a keep-alive before it is written down: they come at a third. */
const SHORT_MS = 15_000;
const MISSED_SHARE = 0.6;

export class Lease {
  readonly id: LeaseId;
  readonly ttlMs: number;
  deadline: number;
  /** The log says, or will, that no more is left; 0: all of the TTL. */
  loggedMs: number;
  /** The entry that says so; 0: one that is applied. */
  loggedAt: LogIndex = 0;
  /** It was found due, and not kept alive since. */
  due = false;
  /** The entry that ends it; 0: none. */
  revokedAt: LogIndex = 0;

  /** `passedMs`: since the log said so; `atLeastMs`: is left all the same. */
  constructor(id: LeaseId, { ttl, remainingMs }: LeaseRecord, now: number, passedMs = 0, atLeastMs = 0) {
    this.id = id;
    this.ttlMs = ttl * 1000;
    this.loggedMs = remainingMs;
    this.deadline = now + Math.max(atLeastMs, Math.min(this.ttlMs, remainingMs || this.ttlMs) - passedMs);
  }

  renew(now: number): void {
    this.deadline = now + this.ttlMs;
    this.due = false;
  }

  /** What the log is to say is left; undefined: what it says will do. */
  checkpointDue(now: number): number | undefined {
    const least = this.loggedMs === 0 ? FIRST_STEP_MS : MIN_STEP_MS;
    const step = Math.min(MAX_STEP_MS, Math.max(least, this.ttlMs * STEP_SHARE));
    const left = Math.ceil(this.deadline - now);
    if (left <= 0 || left > (this.loggedMs || this.ttlMs) - step) return undefined;
    return this.ttlMs > SHORT_MS && left > this.ttlMs * MISSED_SHARE ? undefined : left;
  }
}

export class Deadlines {
  readonly #leases = new Map<LeaseId, Lease>();
  #tour: Iterator<Lease> | undefined;

  get(id: LeaseId): Lease | undefined {
    return this.#leases.get(id);
  }

  put(lease: Lease): void {
    this.#leases.set(lease.id, lease);
  }

  remove(id: LeaseId): void {
    this.#leases.delete(id);
  }

  clear(): void {
    this.#leases.clear();
    this.#tour = undefined;
  }

  /** The next part of the tour; at its end it begins anew, in the next part. */
  *visit(parts: number): Generator<Lease, void> {
    for (let left = Math.ceil(this.#leases.size / parts); left > 0; left--) {
      this.#tour ??= this.#leases.values();
      const step = this.#tour.next();
      if (step.done === true) {
        this.#tour = undefined;
        return;
      }
      yield step.value;
    }
  }
}
