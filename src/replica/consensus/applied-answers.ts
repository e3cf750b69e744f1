/**
 * What tells the Raft core that entries are applied. It may hear so as soon as they are handed on,
 * but for those that change the configuration: by what is applied the core decides whether the next
 * change may begin, and whether it may stand for election (R1). So the answer to a batch with such
 * an entry, and all answers after it, wait until the entry is applied here.
 */

import { assert } from '../../base/assert.js';
import type { LogIndex } from '../../base/ids.js';
import type { Entry, Message } from '../../raft/types.js';

interface Held {
  readonly answers: readonly Message[];
  /** The last change of the configuration among its entries; 0: there is none. */
  readonly change: LogIndex;
}

const NOTHING: readonly Message[] = [];

export class AppliedAnswers {
  /** In the order of the log; the core bounds what is handed on and not yet answered. */
  #held: Held[] = [];
  /** All changes of the configuration up to here are applied. Only grows. */
  #passed: LogIndex = 0;

  /** These entries were handed on. */
  hold(entries: readonly Entry[], answers: readonly Message[]): void {
    if (entries.length === 0) return;
    const change = entries.findLast(({ type }) => type === 'confChange')?.index ?? 0;
    assert(change === 0 || answers.length > 0, 'R1 the core hears of every change that is applied');
    this.#held.push({ answers, change });
  }

  /** All changes up to `index` are applied: what may be said by now, once. */
  take(index: LogIndex): readonly Message[] {
    this.#passed = Math.max(this.#passed, index);
    const first = this.#held[0];
    if (first === undefined || first.change > this.#passed) return NOTHING;
    if (this.#held.length === 1) {
      this.#held = [];
      return first.answers;
    }
    const waits = this.#held.findIndex(({ change }) => change > this.#passed);
    return this.#held.splice(0, waits < 0 ? this.#held.length : waits).flatMap(({ answers }) => answers);
  }
}
