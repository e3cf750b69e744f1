/**
 * What a run came through: which fault struck which structure, and which branches of the store ran,
 * how often. Counts only add up.
 */

import type { FaultKind, Structure } from './fault.js';

const EVENT = 'event ';
const WARNING_CHARS = 100;

export class Coverage {
  readonly #counts = new Map<string, number>();
  /**
   * By type of event: they are half of all counts, and making a branch name for each would cost
   * more than counting it.
   */
  readonly #events = new Map<string, number>();

  /**
   * A fault struck; `structure` for those on disks. Called when it really struck, not when it was
   * planned.
   */
  fault(kind: FaultKind, structure?: Structure): void {
    this.branch(structure === undefined ? `fault ${kind}` : `fault ${kind} ${structure}`);
  }

  /**
   * A branch of the store or of the simulator ran: `event heal-applied`,
   * `open LogError ENTRY_FAULTY`, `op txn`.
   */
  branch(name: string, times = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + times);
  }

  /** The store emitted an event of this type: branch `event TYPE`. */
  event(type: string): void {
    this.#events.set(type, (this.#events.get(type) ?? 0) + 1);
  }

  /**
   * The store warned of something, mostly of a fallback. What differs from one time to the next
   * (names, figures) is left out.
   */
  warned(message: string): void {
    const what = message.replaceAll(/\S*\d\S*/g, '#');
    this.branch(`warned ${what.length > WARNING_CHARS ? `${what.slice(0, WARNING_CHARS)}...` : what}`);
  }

  count(name: string): number {
    return (this.#counts.get(name) ?? 0) + (name.startsWith(EVENT) ? (this.#events.get(name.slice(EVENT.length)) ?? 0) : 0);
  }

  /** Sorted by name. */
  toJSON(): Readonly<Record<string, number>> {
    const names = new Set([...this.#counts.keys(), ...[...this.#events.keys()].map((type) => EVENT + type)]);
    return Object.fromEntries([...names].sort().map((name) => [name, this.count(name)]));
  }
}
