/**
 * Where a walk through history puts what it finds. The walk leaves out what lies outside of the
 * bounds as they are at that moment: they may become narrower while it runs, so that who collects
 * no more than fits spares it the rest.
 */

import type { VersionSlot } from './version-slot.js';

export interface HistorySink {
  /** Revisions, both inclusive. */
  readonly min: number;
  readonly max: number;
  /** The key included. What is kept of it is copied. */
  add(slot: VersionSlot): void;
}
