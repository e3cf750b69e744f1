/**
 * Warns of refused connections, ours and theirs: once per party and reason, because both sides keep
 * trying.
 */

import type { EventSink } from '../../base/events.js';

/** Parties remembered; beyond that all are forgotten, and at worst a warning is repeated. */
const MAX_PARTIES = 256;

export class Refusals {
  readonly #events: EventSink;
  /** The last reason by party. */
  readonly #last = new Map<string, string>();

  constructor(events: EventSink) {
    this.#events = events;
  }

  warn(who: string, message: string, why: string): void {
    if (this.#last.get(who) === why) return;
    if (this.#last.size > MAX_PARTIES) this.#last.clear();
    this.#last.set(who, why);
    this.#events.emit({ type: 'warning', message, data: { who, why } });
  }
}
