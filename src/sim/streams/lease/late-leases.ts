/**
 * A lease that nobody keeps alive any more ends in its TTL and 3 s, of time in which a leader
 * served. A change of leader does not begin it anew: it costs no more than what is not in the log,
 * and the little that a new leader adds.
 */

import type { LeaseEnds } from './lease-ends.js';
import type { LeaseRecord } from './lease-record.js';
import type { Served, ServingTime } from './serving-time.js';

const SECOND_US = 1_000_000;
const GRACE_US = 3 * SECOND_US;
/** For each change of leader. */
const CHANGE_US = 2 * SECOND_US;
/** Of longer leases the time that is left is written down only once they missed a keep-alive. */
const SHORT_S = 15;
const UNWRITTEN_SHARE = 0.4;

export const LEASE_LATE = 'a lease that is not kept alive ends in time';

export class LateLeases {
  readonly #time: ServingTime;
  readonly #ends: LeaseEnds;
  /** When each may have been kept alive last. */
  readonly #since = new Map<LeaseRecord, Served>();

  constructor(time: ServingTime, ends: LeaseEnds) {
    this.#time = time;
    this.#ends = ends;
  }

  /** It was granted, or may have been kept alive, at this moment at the latest. */
  renewed(lease: LeaseRecord): void {
    this.#since.set(lease, this.#time.now);
  }

  /** Those that should have ended; each is told once. */
  look(): string[] {
    const { us, changes } = this.#time.now;
    const late: string[] = [];
    for (const [lease, since] of this.#since) {
      if (this.#ends.of(lease.id) !== undefined) {
        this.#since.delete(lease);
        continue;
      }
      if (lease.uncertain > 0) continue;
      const changed = changes - since.changes;
      const unwritten = lease.ttl > SHORT_S ? UNWRITTEN_SHARE * lease.ttlUs : 0;
      const allowed = lease.ttlUs + GRACE_US + changed * (CHANGE_US + unwritten);
      if (us - since.us <= allowed) continue;
      this.#since.delete(lease);
      late.push(`${String(lease)}: a leader has served for ${((us - since.us) / 1e6).toFixed(2)} s since it was kept alive last, ${changed} changes of leader among them`);
    }
    return late;
  }

  /** That have not ended yet. */
  get open(): readonly LeaseRecord[] {
    return [...this.#since.keys()].filter(({ id }) => this.#ends.of(id) === undefined);
  }
}
