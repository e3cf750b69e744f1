/**
 * When each lease ends, as the leader has it: in memory alone, by the clock of leases. Each stands
 * in a wheel at the time at which something is to be done about it, and only those whose time has
 * come are looked at: a hundred thousand that are kept alive cost next to nothing. A keep-alive
 * moves none in the wheel; what is found there too early is put where it belongs by then. A lease
 * ends when it is found due for the second time: between the two, whatever had been waiting to keep
 * it alive was read.
 */

import { assert } from '../../base/assert.js';
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
/** Times in the wheel are rounded up to this. */
const GRAIN_MS = 50;
const NOWHERE = -1;

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
  /** Where it stands in the wheel, and at which place among those there. */
  grain = NOWHERE;
  place = NOWHERE;

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
    const left = this.deadline - now;
    return left <= 0 || left > this.#checkpointBelow ? undefined : Math.ceil(left);
  }

  /** When there is something to do about it, unless it is kept alive before. */
  get nextLook(): number {
    return Math.min(this.deadline, this.deadline - this.#checkpointBelow);
  }

  /** Once so little is left, the log is to say so. */
  get #checkpointBelow(): number {
    const least = this.loggedMs === 0 ? FIRST_STEP_MS : MIN_STEP_MS;
    const step = Math.min(MAX_STEP_MS, Math.max(least, this.ttlMs * STEP_SHARE));
    const below = (this.loggedMs || this.ttlMs) - step;
    return this.ttlMs > SHORT_MS ? Math.min(below, this.ttlMs * MISSED_SHARE) : below;
  }
}

export class Deadlines {
  readonly #leases = new Map<LeaseId, Lease>();
  /** By grain: those whose time that is, in any order. */
  readonly #wheel = new Map<number, Lease[]>();
  /** In the wheel, and none of them before this grain. */
  #standing = 0;
  #first = 0;

  get(id: LeaseId): Lease | undefined {
    return this.#leases.get(id);
  }

  put(lease: Lease): void {
    this.remove(lease.id);
    this.#leases.set(lease.id, lease);
    this.look(lease, lease.nextLook);
  }

  remove(id: LeaseId): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    this.#leases.delete(id);
    this.#leave(lease);
  }

  /** One that there is stands at this time, and at no other. */
  look(lease: Lease, at: number): void {
    this.#leave(lease);
    const grain = Math.ceil(at / GRAIN_MS);
    let those = this.#wheel.get(grain);
    if (those === undefined) this.#wheel.set(grain, (those = []));
    lease.grain = grain;
    lease.place = those.length;
    those.push(lease);
    this.#first = this.#standing === 0 ? grain : Math.min(this.#first, grain);
    this.#standing++;
  }

  /**
   * Those whose time has come, at most so many; the others come with the next call. Each has left
   * the wheel: whoever takes it lets it stand again, later than now, or it ends.
   */
  *due(now: number, most: number): Generator<Lease, void> {
    const last = Math.floor(now / GRAIN_MS);
    for (let left = most, grain = this.#first; this.#standing > 0 && grain <= last; grain++) {
      this.#first = grain;
      for (let lease = this.#wheel.get(grain)?.at(-1); lease !== undefined; lease = this.#wheel.get(grain)?.at(-1)) {
        if (left-- === 0) return;
        this.#leave(lease);
        yield lease;
      }
    }
    this.#first = last + 1;
  }

  #leave(lease: Lease): void {
    const { grain, place } = lease;
    if (grain === NOWHERE) return;
    const those = this.#wheel.get(grain) as Lease[];
    const moved = those.pop() as Lease;
    if (moved !== lease) {
      assert(those[place] === lease, 'a lease is where it says in the wheel');
      those[place] = moved;
      moved.place = place;
    }
    if (those.length === 0) this.#wheel.delete(grain);
    lease.grain = lease.place = NOWHERE;
    this.#standing--;
  }
}
