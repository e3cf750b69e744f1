/**
 * The log: what storage has, continued by what is not durable yet.
 *
 * R3: it has no gaps, and nothing at or below `committed` ever changes. Always
 * applied <= applying <= committed <= lastIndex.
 */

import { assert, must } from '../base/assert.js';
import { codeOf } from '../base/errors.js';
import type { LogIndex, Term } from '../base/ids.js';
import { broken } from './errors.js';
import { entrySize, type Entry, type LogStorage, type Snapshot } from './types.js';
import { NO_ENTRIES, Unstable } from './unstable.js';

export class RaftLog {
  readonly #storage: LogStorage;
  readonly #unstable: Unstable;
  readonly #maxApplyingSize: number;
  /** At most the last index; never goes back. */
  #committed: LogIndex;
  /** The last entry given to the application; at most `committed`. */
  #applying: LogIndex;
  /** The last entry reported as applied; at most `applying`; never goes back. */
  #applied: LogIndex;
  /** Bytes given to the application and not yet reported as applied; never below 0. */
  #applyingSize = 0;
  /** The next entry has to wait: it does not fit into `maxApplyingSize` until some are applied. */
  #applyingPaused = false;
  /** Storage could not read the next entry to apply; it is asked again with the next tick. */
  #unread = false;
  /** The last list of {@link entriesFrom}: followers with the same `next` share it. */
  #sharedFrom: LogIndex = 0;
  #shared: readonly Entry[] = NO_ENTRIES;

  constructor(storage: LogStorage, maxApplyingSize: number) {
    const first = storage.firstIndex();
    const last = storage.lastIndex();
    assert(first >= 1 && last >= first - 1, `R3 storage has entries ${first} to ${last}`);
    this.#storage = storage;
    this.#unstable = new Unstable(last + 1);
    this.#maxApplyingSize = maxApplyingSize;
    this.#committed = first - 1;
    this.#applying = first - 1;
    this.#applied = first - 1;
  }

  /** R3: applied <= applying <= committed <= lastIndex. */
  #assertOrder(): void {
    const { lastIndex } = this;
    if (this.#applied <= this.#applying && this.#applying <= this.#committed && this.#committed <= lastIndex) return;
    broken(`R3 applied ${this.#applied} <= applying ${this.#applying} <= committed ${this.#committed} <= last ${lastIndex}`);
  }

  get committed(): LogIndex {
    return this.#committed;
  }

  get applied(): LogIndex {
    return this.#applied;
  }

  get firstIndex(): LogIndex {
    const { snapshot } = this.#unstable;
    return snapshot === undefined ? this.#storage.firstIndex() : snapshot.metadata.index + 1;
  }

  get lastIndex(): LogIndex {
    return this.#unstable.lastIndex;
  }

  get lastTerm(): Term {
    return must(this.term(this.lastIndex), 'R3 the last entry has a term');
  }

  /**
   * The term at `index`, also of the entry before the first; undefined if it is compacted away or
   * not there yet.
   */
  term(index: LogIndex): Term | undefined {
    const unstable = this.#unstable;
    if (index >= unstable.offset) return unstable.get(index)?.term;
    if (unstable.snapshot !== undefined) {
      return unstable.snapshot.metadata.index === index ? unstable.snapshot.metadata.term : undefined;
    }
    return index + 1 < this.#storage.firstIndex() ? undefined : this.#storage.term(index);
  }

  matches(index: LogIndex, term: Term): boolean {
    return this.term(index) === term;
  }

  /**
   * Whether a log that ends at (index, term) has all that this one may have committed (Raft paper,
   * 5.4.1).
   */
  isUpToDate(index: LogIndex, term: Term): boolean {
    const own = this.lastTerm;
    return term > own || (term === own && index >= this.lastIndex);
  }

  // --- Writing ---

  /**
   * Appends at the end. A leader only ever does this (Leader Append-Only, Raft paper, figure 3).
   */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    if (first.index !== this.lastIndex + 1) broken(`R3 log is contiguous: ${first.index} after ${this.lastIndex}`);
    this.#unstable.truncateAndAppend(entries, 0);
    this.#assertOrder();
  }

  /**
   * What a follower does with an append (Raft paper, figure 2): refused (false) unless the log has
   * (prevIndex, prevTerm). Only from the first entry that differs on is the log cut: an append that
   * was delayed or repeated must not remove the entries after it.
   */
  tryAppend(prevIndex: LogIndex, prevTerm: Term, entries: readonly Entry[], leaderCommit: LogIndex): boolean {
    if (!this.matches(prevIndex, prevTerm)) return false;
    const first = entries[0];
    if (first !== undefined && first.index !== prevIndex + 1) {
      broken(`R3 log is contiguous: ${first.index} after ${prevIndex}`);
    }
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i] as Entry;
      if (this.matches(entry.index, entry.term)) continue;
      if (entry.index <= this.#committed) broken(`R3 entry ${entry.index} is committed and must not change`);
      this.#shared = NO_ENTRIES;
      this.#unstable.truncateAndAppend(entries, i);
      this.#assertOrder();
      break;
    }
    // Beyond the last entry of the message the log may still differ from the leader's.
    this.commitTo(Math.min(leaderCommit, prevIndex + entries.length));
    return true;
  }

  /**
   * The highest index at or below `index` whose term is at most `term`, where a log of that term
   * could still agree with this one. Lets a leader skip a whole term per probe instead of an entry
   * (Raft paper, end of 5.3).
   */
  lastIndexWithTermAtMost(index: LogIndex, term: Term): LogIndex {
    let at = index;
    while (at > 0) {
      const own = this.term(at);
      if (own === undefined || own <= term) return at;
      at--;
    }
    return 0;
  }

  commitTo(index: LogIndex): void {
    if (index <= this.#committed) return;
    if (index > this.lastIndex) broken(`R3 commit ${index} is within the log, which ends at ${this.lastIndex}`);
    this.#committed = index;
    this.#assertOrder();
  }

  /** Replaces the log by a snapshot. */
  restore(snapshot: Snapshot): void {
    const { index } = snapshot.metadata;
    assert(index > this.#committed, `R3 a snapshot at ${index} does not take back commit ${this.#committed}`);
    this.#shared = NO_ENTRIES;
    this.#unstable.restore(snapshot);
    this.#committed = index;
    this.#assertOrder();
    assert(this.lastIndex === index, `R3 a log that was replaced by a snapshot ends at ${index}, not at ${this.lastIndex}`);
  }

  // --- Reading ---

  /**
   * Entries from `from` to the end, as many as fit into `maxSize`, but at least one. Do not change
   * the list.
   */
  entriesFrom(from: LogIndex, maxSize: number): readonly Entry[] {
    const last = this.lastIndex;
    if (from > last) return NO_ENTRIES;
    const shared = this.#shared;
    if (this.#sharedFrom === from && shared.length > 0 && shared[shared.length - 1]?.index === last) return shared;
    const entries = this.slice(from, last + 1, maxSize);
    this.#sharedFrom = from;
    this.#shared = entries;
    return entries;
  }

  /** Entries in [lo, hi), as many as fit into `maxSize`, but at least one if there is one. */
  slice(lo: LogIndex, hi: LogIndex, maxSize: number): readonly Entry[] {
    if (lo >= hi) return NO_ENTRIES;
    if (lo < this.firstIndex || hi > this.lastIndex + 1) broken(`R3 entries ${lo} to ${hi} are in the log`);
    const { offset } = this.#unstable;
    if (lo >= offset) return limitSize(this.#unstable.slice(lo, hi), maxSize);
    const cut = Math.min(hi, offset);
    const stable = this.#storage.entries(lo, cut, maxSize);
    if (stable[0]?.index !== lo) broken(`R3 storage returns the entries from ${lo}, not from ${stable[0]?.index}`);
    if (stable.length > cut - lo) broken(`R3 storage returns the ${cut - lo} entries from ${lo} at most, not ${stable.length}`);
    if (hi <= offset || stable.length < cut - lo) return stable;
    const joined = [...stable];
    let size = 0;
    if (maxSize !== Infinity) for (const entry of stable) size += entrySize(entry);
    for (let index = offset; index < hi; index++) {
      const entry = this.#unstable.get(index) as Entry;
      size += entrySize(entry);
      if (size > maxSize) break;
      joined.push(entry);
    }
    return joined;
  }

  /** The newest snapshot there is. Throws what the storage throws. */
  snapshot(): Snapshot {
    return this.#unstable.snapshot ?? this.#storage.snapshot();
  }

  // --- Persisting: what is to be written, and what was written ---

  get hasUnstableEntries(): boolean {
    return !this.#unstable.isEmpty;
  }

  get hasNextUnstable(): boolean {
    return this.#unstable.hasNextEntries;
  }

  get hasPendingSnapshot(): boolean {
    return this.#unstable.snapshot !== undefined;
  }

  nextUnstableEntries(): readonly Entry[] {
    return this.#unstable.nextEntries();
  }

  nextUnstableSnapshot(): Snapshot | undefined {
    return this.#unstable.nextSnapshot();
  }

  acceptUnstable(): void {
    this.#unstable.accept();
  }

  /**
   * R2 the other end of `nextUnstableEntries`: what is reported as written can be read from
   * storage.
   */
  stableTo(index: LogIndex, term: Term): void {
    if (this.#unstable.stableTo(index, term) && !this.isStored(index)) {
      broken(`R2 entry ${index} was written, but storage ends at ${this.#storage.lastIndex()}`);
    }
  }

  /** R2 the other end of `nextUnstableSnapshot`. */
  stableSnapshotTo(index: LogIndex): void {
    if (this.#unstable.stableSnapshotTo(index) && !this.isStored(index)) {
      broken(`R2 a snapshot at ${index} was installed, but storage ends at ${this.#storage.lastIndex()}`);
    }
  }

  /** Whether storage reaches as far as `index`. */
  isStored(index: LogIndex): boolean {
    return index <= this.#storage.lastIndex();
  }

  // --- Applying ---

  /**
   * The last entry that may be applied. `allowUnstable`: also those that are still being written.
   */
  #maxAppliable(allowUnstable: boolean): LogIndex {
    return allowUnstable ? this.#committed : Math.min(this.#committed, this.#unstable.offset - 1);
  }

  hasNextCommitted(allowUnstable: boolean): boolean {
    if (this.#applyingPaused || this.#unread || this.hasPendingSnapshot) return false;
    return this.#applying < this.#maxAppliable(allowUnstable);
  }

  /** What may be applied next. None while a snapshot waits to be installed: it comes first. */
  nextCommitted(allowUnstable: boolean): readonly Entry[] {
    if (!this.hasNextCommitted(allowUnstable)) return NO_ENTRIES;
    try {
      return this.slice(this.#applying + 1, this.#maxAppliable(allowUnstable) + 1, this.#maxApplyingSize - this.#applyingSize);
    } catch (error) {
      if (codeOf(error) !== 'UNREADABLE') throw error;
      this.#unread = true;
      return NO_ENTRIES;
    }
  }

  /** What storage could not read may be asked for again. */
  tryAgain(): void {
    this.#unread = false;
  }

  /** These entries were given to the application. */
  acceptApplying(entries: readonly Entry[], allowUnstable: boolean): void {
    const first = entries[0];
    const last = entries[entries.length - 1];
    if (first === undefined || last === undefined) return;
    const after = this.#applying;
    if (first.index !== after + 1) broken(`R3 entries are applied in order: ${first.index} after ${after}`);
    if (last.index > this.#committed) broken(`R3 only what is committed is applied: ${last.index} > ${this.#committed}`);
    this.#applying = last.index;
    this.#applyingSize += sizeOf(entries);
    this.#assertOrder();
    // A list that ends early was cut by the size limit: the next entry does not fit until some are
    // applied.
    this.#applyingPaused =
      this.#applyingSize >= this.#maxApplyingSize || last.index < this.#maxAppliable(allowUnstable);
  }

  /** The application has applied through `index`, entries of `size` bytes more than before. */
  appliedTo(index: LogIndex, size: number): void {
    if (index > this.#committed) broken(`R3 only committed entries are applied: ${index} > ${this.#committed}`);
    if (index < this.#applied) broken(`R3 applied does not go back from ${this.#applied} to ${index}`);
    this.#applied = index;
    this.#applying = Math.max(this.#applying, index);
    this.#applyingSize = Math.max(0, this.#applyingSize - size);
    this.#applyingPaused = this.#applyingSize >= this.#maxApplyingSize;
    this.#assertOrder();
  }
}

export function sizeOf(entries: readonly Entry[]): number {
  let size = 0;
  for (const entry of entries) size += entrySize(entry);
  return size;
}

export function payloadOf(entries: readonly Entry[]): number {
  let size = 0;
  for (const entry of entries) size += entry.data.length;
  return size;
}

function limitSize(entries: Entry[], maxSize: number): Entry[] {
  if (maxSize === Infinity) return entries;
  let size = 0;
  for (let i = 0; i < entries.length; i++) {
    size += entrySize(entries[i] as Entry);
    if (i > 0 && size > maxSize) {
      entries.length = i;
      break;
    }
  }
  return entries;
}
