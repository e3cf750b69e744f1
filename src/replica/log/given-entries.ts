/**
 * Entries that cannot be read here any more, as other members have them. They stay in memory: the
 * next start finds the damage, and has them given again and written. Bounded by bytes.
 */

import { MiB } from '../../base/bytes.js';
import type { LogIndex } from '../../base/ids.js';
import { entrySize, type Entry } from '../../raft/types.js';
import type { EntryTable } from './entry-table.js';

/** Beyond that the next start must mend the log. */
const MAX_GIVEN_BYTES = 64 * MiB;

export class GivenEntries {
  readonly #table: EntryTable;
  readonly #entries = new Map<LogIndex, Entry>();

  /** R6 only what the table names is kept. */
  constructor(table: EntryTable) {
    this.#table = table;
  }

  /** False: there is no room. */
  give(entry: Entry): boolean {
    if (!this.isLive(entry)) return true;
    let bytes = entrySize(entry);
    for (const [other, held] of this.#entries) {
      if (!this.isLive(held)) this.#entries.delete(other);
      else if (other !== entry.index) bytes += entrySize(held);
    }
    if (bytes > MAX_GIVEN_BYTES) return false;
    this.#entries.set(entry.index, entry);
    return true;
  }

  get(index: LogIndex): Entry | undefined {
    return this.#entries.get(index);
  }

  /** The first one in (after, before); `before` if there is none. */
  next(after: LogIndex, before: LogIndex): LogIndex {
    let next = before;
    for (const index of this.#entries.keys()) if (index > after && index < next) next = index;
    return next;
  }

  truncateAfter(index: LogIndex): void {
    for (const held of this.#entries.keys()) if (held > index) this.#entries.delete(held);
  }

  /** It is an entry of the log, and not one that was there before. */
  isLive({ index, term }: Entry): boolean {
    return index > this.#table.baseIndex && index <= this.#table.lastIndex && this.#table.term(index) === term;
  }
}
