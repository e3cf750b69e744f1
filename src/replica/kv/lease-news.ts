/**
 * What applied entries have done to leases, in log order, for who leads, or may one day: written
 * by the state machine over the keys, taken by who keeps the time of leases. Nothing is kept while
 * nobody listens, but their numbers. It changes nothing that is replicated.
 */

import type { LeaseId } from '../../base/ids.js';
import type { LeaseRecord } from './lease-keys.js';

export type LeaseChange =
  | { readonly kind: 'granted'; readonly id: LeaseId; readonly record: LeaseRecord }
  /** The log says that so much of its TTL is left; 0: all. */
  | { readonly kind: 'left'; readonly id: LeaseId; readonly leftMs: number }
  | { readonly kind: 'gone'; readonly id: LeaseId }
  /** Another state has taken the place of the one before: what was told of that is void. */
  | { readonly kind: 'reset' };

export class LeaseNews {
  #listening = false;
  #changes: LeaseChange[] = [];
  #granted = 0;
  #gone = 0;

  /** The writer's. */
  tell(change: LeaseChange): void {
    if (change.kind === 'granted') this.#granted++;
    else if (change.kind === 'gone') this.#gone++;
    if (this.#listening) this.#changes.push(change);
  }

  /** From now on, without what was before. */
  listen(): void {
    this.#listening = true;
    this.#changes = [];
  }

  stop(): void {
    this.#listening = false;
    this.#changes = [];
  }

  /** All since the last call. */
  take(): readonly LeaseChange[] {
    if (this.#changes.length === 0) return this.#changes;
    const changes = this.#changes;
    this.#changes = [];
    return changes;
  }

  /** How many were granted and revoked since the last call; undefined: none. */
  counted(): { readonly granted: number; readonly revoked: number } | undefined {
    if (this.#granted === 0 && this.#gone === 0) return undefined;
    const counts = { granted: this.#granted, revoked: this.#gone };
    this.#granted = this.#gone = 0;
    return counts;
  }
}
