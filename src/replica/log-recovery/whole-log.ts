/**
 * A log that is open and whole, for others that ask while its member still waits for something else
 * (a version of the tree): it says what it has, and where it ends.
 */

import type { LogIndex, Term } from '../../base/ids.js';
import type { Entry } from '../../raft/types.js';
import type { DurableLog } from '../log/durable-log.js';
import { LogError } from '../log/errors.js';
import type { LogPoint } from '../log/log-point.js';
import type { KnownLog } from './opening-log.js';
import type { Place } from './says.js';

export class WholeLog implements KnownLog {
  readonly #log: Pick<DurableLog, 'firstIndex' | 'lastIndex' | 'term' | 'entries'>;

  constructor(log: Pick<DurableLog, 'firstIndex' | 'lastIndex' | 'term' | 'entries'>) {
    this.#log = log;
  }

  get base(): LogPoint {
    const index = this.#log.firstIndex() - 1;
    return { index, term: this.#log.term(index) };
  }

  place(index: LogIndex): Place {
    if (index < this.#log.firstIndex()) return { at: 'compacted' };
    return index > this.#log.lastIndex() ? { at: 'nothing' } : { at: 'entry', term: this.#log.term(index) };
  }

  term(index: LogIndex): Term {
    return index < this.#log.firstIndex() - 1 || index > this.#log.lastIndex() ? 0 : this.#log.term(index);
  }

  async read(index: LogIndex): Promise<Entry | undefined> {
    try {
      return this.#log.entries(index, index + 1, 0)[0];
    } catch (error) {
      if (!(error instanceof LogError) || error.code !== 'ENTRY_UNREADABLE') throw error;
      return undefined;
    }
  }
}
