/**
 * Since when, by the clock of leases, this member knows that less than the TTL of a lease is left:
 * for the day on which it leads. Until the log says otherwise nobody was told meanwhile that the
 * lease goes on (`lessor.ts`), so that time has passed for it. Only of those that nobody keeps
 * alive something is held.
 */

import type { LeaseId } from '../../base/ids.js';
import { unreachable } from '../../base/assert.js';
import type { LeaseChange } from '../kv/lease-news.js';

export class LoggedTimes {
  readonly #since = new Map<LeaseId, number>();

  /** What was applied by `now`. */
  hear(change: LeaseChange, now: number): void {
    switch (change.kind) {
      case 'left':
        if (change.leftMs === 0) this.#since.delete(change.id);
        else this.#since.set(change.id, now);
        return;
      case 'granted':
      case 'gone':
        this.#since.delete(change.id);
        return;
      case 'reset': return this.#since.clear();
      default: return unreachable(change);
    }
  }

  /** Undefined: all of its TTL is left, or it is not known. */
  since(id: LeaseId): number | undefined {
    return this.#since.get(id);
  }
}
