/**
 * The newest entries in memory: what replication and apply ask for on every round. Bounded by
 * bytes, but always holds the last entry; what is older is read from the segments.
 */

import { assert } from '../../base/assert.js';
import { EMPTY } from '../../base/bytes.js';
import type { LogIndex } from '../../base/ids.js';
import { entrySize, type Entry } from '../../raft/types.js';

/** Places of entries that have left are cut off the list when there are so many. */
const COMPACT_AT = 1024;
/** In the place of one that has left: the list must not hold its data. */
const GONE: Entry = { term: 0, index: 0, type: 'normal', data: EMPTY };

export class EntryCache {
  readonly #limit: number;
  /** Live from `#head` on: R3 contiguous. */
  #entries: Entry[] = [];
  #head = 0;
  /** Of the live entries. */
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limit = limitBytes;
  }

  /** Index of the first entry here; Infinity if there is none. */
  get first(): LogIndex {
    return this.#entries[this.#head]?.index ?? Infinity;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The next entry, or one that replaces the tail from its index on. */
  push(entry: Entry): void {
    const last = this.#entries[this.#entries.length - 1];
    if (last !== undefined && entry.index !== last.index + 1) {
      // What does not follow on would leave a gap: such a cache starts anew.
      if (entry.index > last.index) this.clear();
      else this.truncateAfter(entry.index - 1);
    }
    this.#entries.push(entry);
    this.#bytes += entrySize(entry);
    while (this.#bytes > this.#limit && this.#head < this.#entries.length - 1) this.#dropFirst();
    this.#compact();
  }

  /** The same entry, from elsewhere; nothing if it is not here. */
  replace(entry: Entry): void {
    const at = this.#head + entry.index - this.first;
    const old = this.#entries[at];
    if (old === undefined || at < this.#head) return;
    assert(old.index === entry.index && old.term === entry.term && old.data.length === entry.data.length, `R3 entry ${entry.index} stays the one of term ${old.term}`);
    this.#entries[at] = entry;
  }

  truncateAfter(index: LogIndex): void {
    while (this.#entries.length > this.#head) {
      const last = this.#entries[this.#entries.length - 1] as Entry;
      if (last.index <= index) return;
      this.#bytes -= entrySize(last);
      this.#entries.pop();
    }
    this.clear();
  }

  dropThrough(index: LogIndex): void {
    while (this.#head < this.#entries.length && this.first <= index) this.#dropFirst();
    this.#compact();
  }

  clear(): void {
    this.#entries = [];
    this.#head = 0;
    this.#bytes = 0;
  }

  /** [lo, hi), all of which must be here: as many as fit into `maxBytes`, at least one. */
  slice(lo: LogIndex, hi: LogIndex, maxBytes: number): Entry[] {
    const from = this.#head + lo - this.first;
    const to = from + (hi - lo);
    assert(from >= this.#head && to <= this.#entries.length, 'R3 what is asked of the cache is in it');
    let end = from;
    for (let bytes = 0; end < to; end++) {
      bytes += entrySize(this.#entries[end] as Entry);
      if (bytes > maxBytes && end > from) break;
    }
    return this.#entries.slice(from, end);
  }

  #dropFirst(): void {
    this.#bytes -= entrySize(this.#entries[this.#head] as Entry);
    this.#entries[this.#head++] = GONE;
    assert(this.#bytes >= 0, 'R3 bytes leave the cache as often as they came');
  }

  #compact(): void {
    if (this.#head < COMPACT_AT || this.#head * 2 < this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#head);
    this.#head = 0;
  }
}
