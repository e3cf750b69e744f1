/** What a run came through: which fault struck which structure, and which branches of the store ran, how often. Counts only add up. */

import type { FaultKind, Structure } from './faults/fault.js';

export class Coverage {
  readonly #counts = new Map<string, number>();

  /** A fault struck; `structure` for those on disks. Called when it really struck, not when it was planned. */
  fault(kind: FaultKind, structure?: Structure): void {
    this.branch(structure === undefined ? `fault ${kind}` : `fault ${kind} ${structure}`);
  }

  /** A branch of the store or of the simulator ran: `event heal-applied`, `open LogError ENTRY_FAULTY`, `op txn`. */
  branch(name: string, times = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + times);
  }

  count(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  /** Sorted by name. */
  toJSON(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
