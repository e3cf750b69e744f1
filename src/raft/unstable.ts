/**
 * The end of the log that is not known to be durable, and the snapshot that waits to be installed.
 *
 * `offset` is the index of the first unstable entry, so everything below it is stable (R3: no gap
 * between the two), and the log always ends at `offset + entries - 1`. Entries from `offset` to
 * `offsetInProgress` were handed out for writing.
 */

import type { LogIndex, Term } from '../base/ids.js';
import { assert } from '../base/assert.js';
import { broken } from './errors.js';
import type { Entry, Snapshot } from './types.js';

export const NO_ENTRIES: readonly Entry[] = [];

/** The snapshot that takes the place of the log, until storage has installed it. */
type PendingSnapshot =
  | { readonly s: 'none' }
  /** Came from the leader; the next `Ready` contains it. */
  | { readonly s: 'waiting'; readonly snapshot: Snapshot }
  /** A `Ready` contained it. */
  | { readonly s: 'installing'; readonly snapshot: Snapshot };

export class Unstable {
  #entries: Entry[] = [];
  /** At least 1. */
  #offset: LogIndex;
  /** offset <= offsetInProgress <= lastIndex + 1. */
  #offsetInProgress: LogIndex;
  #pending: PendingSnapshot = { s: 'none' };

  constructor(offset: LogIndex) {
    assert(offset >= 1, `R3 the first entry of a log is entry 1, not ${offset}`);
    this.#offset = offset;
    this.#offsetInProgress = offset;
  }

  /**
   * R3: the entries that are being written are unstable ones, and all of those come after a pending
   * snapshot.
   */
  #assertOrder(): void {
    const end = this.#offset + this.#entries.length;
    if (this.#offsetInProgress < this.#offset || this.#offsetInProgress > end) {
      broken(`R3 unstable entries [${this.#offset}, ${end}) are written through ${this.#offsetInProgress - 1}`);
    }
    const pending = this.snapshot;
    if (pending !== undefined && this.#offset <= pending.metadata.index) {
      broken(`R3 entry ${this.#offset} does not come after the pending snapshot at ${pending.metadata.index}`);
    }
  }

  get offset(): LogIndex {
    return this.#offset;
  }

  get snapshot(): Snapshot | undefined {
    return this.#pending.s === 'none' ? undefined : this.#pending.snapshot;
  }

  get lastIndex(): LogIndex {
    return this.#offset + this.#entries.length - 1;
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  get(index: LogIndex): Entry | undefined {
    return this.#entries[index - this.#offset];
  }

  /** The entries in [lo, hi), which must be here. */
  slice(lo: LogIndex, hi: LogIndex): Entry[] {
    if (lo < this.#offset || hi > this.lastIndex + 1) broken(`R3 entries ${lo} to ${hi} are unstable, from ${this.#offset}`);
    return this.#entries.slice(lo - this.#offset, hi - this.#offset);
  }

  get hasNextEntries(): boolean {
    return this.#offsetInProgress < this.#offset + this.#entries.length;
  }

  /** What has not been handed out for writing yet. */
  nextEntries(): readonly Entry[] {
    if (!this.hasNextEntries) return NO_ENTRIES;
    return this.#entries.slice(this.#offsetInProgress - this.#offset);
  }

  nextSnapshot(): Snapshot | undefined {
    return this.#pending.s === 'waiting' ? this.#pending.snapshot : undefined;
  }

  /** All there is has been handed out. */
  accept(): void {
    this.#offsetInProgress = this.#offset + this.#entries.length;
    if (this.#pending.s === 'waiting') this.#pending = { s: 'installing', snapshot: this.#pending.snapshot };
  }

  /**
   * Entries through (index, term) are durable. Ignored if the log holds another entry there by now:
   * a write that was overtaken by a truncation says nothing about what replaced it. Returns whether
   * anything became stable.
   */
  stableTo(index: LogIndex, term: Term): boolean {
    const entry = this.get(index);
    if (entry === undefined || entry.term !== term) return false;
    if (index >= this.#offsetInProgress) broken(`R2 entry ${index} was never handed out for writing`);
    const count = index + 1 - this.#offset;
    if (count === this.#entries.length) this.#entries = [];
    else this.#entries.splice(0, count);
    this.#offset = index + 1;
    this.#assertOrder();
    return true;
  }

  /**
   * The snapshot at `index` is installed. Returns false if it is not the one that is pending (any
   * more).
   */
  stableSnapshotTo(index: LogIndex): boolean {
    if (this.snapshot?.metadata.index !== index) return false;
    assert(this.#pending.s === 'installing', `R2 the snapshot at ${index} was never handed out for installing`);
    this.#pending = { s: 'none' };
    return true;
  }

  restore(snapshot: Snapshot): void {
    this.#entries = [];
    this.#offset = snapshot.metadata.index + 1;
    this.#offsetInProgress = this.#offset;
    this.#pending = { s: 'waiting', snapshot };
  }

  /**
   * Appends `entries` from position `from` of the list on. What the log has at and after their
   * index is removed.
   */
  truncateAndAppend(entries: readonly Entry[], from: number): void {
    const first = (entries[from] as Entry).index;
    if (first > this.lastIndex + 1) broken(`R3 log is contiguous: ${first} after ${this.lastIndex}`);
    if (first <= this.#offset) {
      // The stable log is cut too: what is written next overwrites it.
      this.#entries = [];
      this.#offset = first;
      this.#offsetInProgress = first;
    } else if (first <= this.lastIndex) {
      this.#entries.length = first - this.#offset;
      this.#offsetInProgress = Math.min(this.#offsetInProgress, first);
    }
    this.#assertOrder();
    const end = this.#entries;
    let expected = first;
    for (let i = from; i < entries.length; i++) {
      const entry = entries[i] as Entry;
      if (entry.index !== expected) broken(`R3 log is contiguous: ${entry.index} instead of ${expected}`);
      end.push(entry);
      expected++;
    }
  }
}
