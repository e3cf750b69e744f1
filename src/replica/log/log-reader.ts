/**
 * Entries of the log from wherever they are: memory, what other members gave, the segments. Every
 * one from the segments is verified (`read-entries.ts`).
 */

import { assert } from '../../base/assert.js';
import type { LogIndex } from '../../base/ids.js';
import { entrySize, type Entry } from '../../raft/types.js';
import type { EntryCache } from './entry-cache.js';
import type { EntryTable } from './entry-table.js';
import { LogError } from './errors.js';
import { GivenEntries } from './given-entries.js';
import { readEntries } from './read-entries.js';
import type { SegmentChain } from './segment-chain.js';

export class LogReader {
  readonly #chain: SegmentChain;
  readonly #table: EntryTable;
  readonly #cache: EntryCache;
  readonly #given: GivenEntries;

  constructor(chain: SegmentChain, table: EntryTable, cache: EntryCache) {
    this.#chain = chain;
    this.#table = table;
    this.#cache = cache;
    this.#given = new GivenEntries(table);
  }

  /**
   * [lo, hi), all of them in the table: as many as fit into `maxBytes`, at least one. Throws
   * LogError ENTRY_UNREADABLE.
   */
  entries(lo: LogIndex, hi: LogIndex, maxBytes: number): Entry[] {
    if (lo >= this.#cache.first) return this.#cache.slice(lo, hi, maxBytes);
    const out: Entry[] = [];
    let bytes = 0;
    for (const entry of this.#stored(lo, Math.min(hi, this.#cache.first), maxBytes)) {
      bytes += entrySize(entry);
      out.push(entry);
    }
    const next = lo + out.length;
    if (next === hi || next < this.#cache.first || bytes >= maxBytes) return out;
    // The cache gives at least one entry: only if it fits.
    if (bytes + entrySize(this.#cache.slice(next, next + 1, 0)[0] as Entry) > maxBytes) return out;
    return out.concat(this.#cache.slice(next, hi, maxBytes - bytes));
  }

  /** As the segments have them, or as others gave them. */
  #stored(lo: LogIndex, hi: LogIndex, maxBytes: number): Entry[] {
    const given = this.#given.get(lo);
    if (given !== undefined) return [given];
    const end = this.#given.next(lo, hi);
    try {
      return readEntries(this.#chain, this.#table, lo, end, maxBytes);
    } catch (error) {
      const bad = error instanceof LogError && error.code === 'ENTRY_UNREADABLE' ? Number(error.data['index']) : lo;
      if (bad <= lo) throw error;
      return readEntries(this.#chain, this.#table, lo, bad, maxBytes);
    }
  }

  give(entry: Entry): boolean {
    if (this.#given.isLive(entry)) this.#cache.replace(entry);
    return this.#given.give(entry);
  }

  /** After `index` the log is another one now. */
  forgetGiven(index: LogIndex): void {
    this.#given.truncateAfter(index);
  }

  /** From the segments; memory has it, too, from then on. Throws LogError ENTRY_UNREADABLE. */
  reread(index: LogIndex): Entry {
    const [entry] = readEntries(this.#chain, this.#table, index, index + 1, 0);
    assert(entry?.index === index, `R3 entry ${index} is read`);
    this.#cache.replace(entry);
    return entry;
  }
}
