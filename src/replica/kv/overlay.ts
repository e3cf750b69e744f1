/**
 * The changes of one log entry before they are published: reads see them on top of a base view,
 * nobody else does. Dropping the overlay undoes everything; publishing is one write of `writes`, in
 * operation order.
 *
 * Reads below the entry's revision go to the base, and the base is never asked above it: a view
 * that lives on while others publish (the leader's read ahead) shows the same throughout. The
 * changed keys are one sorted array: point changes are few (an entry is bounded) and the deletes of
 * a range arrive sorted, so that a run is spliced in, not searched in.
 */

import { assert } from '../../base/assert.js';
import { EMPTY, compareBytes } from '../../base/bytes.js';
import type { Revision } from '../../base/ids.js';
import {
  USER_SPACE, type KeyWalk, type ReadView, type ScanOptions, type Space, type TreeWrite, type VersionedEntry,
} from '../../storage/base/read-view.js';
import type { VersionSlot } from '../../storage/base/version-slot.js';
import { EntriesWalk, fillFrom } from '../../storage/iterator/entries-walk.js';

export class Overlay implements ReadView {
  readonly base: ReadView;
  /** Of the entry: one above the store's. */
  readonly revision: Revision;
  readonly writes: TreeWrite[] = [];
  /** It was published: nothing is added any more. */
  #taken = false;
  /** The newest change of each changed key, in key order. */
  #newest: TreeWrite[] = [];

  constructor(base: ReadView, revision: Revision) {
    this.base = base;
    this.revision = revision;
  }

  get changed(): boolean {
    return this.writes.length > 0;
  }

  get(space: Space, key: Uint8Array, atRevision: number): VersionedEntry | undefined {
    if (atRevision >= this.revision && this.#newest.length > 0) {
      const at = this.#lowerBound(key);
      const entry = this.#newest[at];
      if (entry !== undefined && compareBytes(entry.key, key) === 0) return entry;
    }
    return this.base.get(space, key, Math.min(atRevision, this.revision - 1));
  }

  scan(space: Space, options: ScanOptions): IterableIterator<VersionedEntry> {
    if (options.atRevision < this.revision) return this.base.scan(space, options);
    const under = this.base.scan(space, { ...options, atRevision: this.revision - 1 });
    if (this.#newest.length === 0) return under;
    const from = this.#lowerBound(options.from);
    const to = options.to === undefined ? this.#newest.length : this.#lowerBound(options.to);
    return from >= to ? under : this.#merge(under, this.#newest, from, to, options);
  }

  countLive(from: Uint8Array, to: Uint8Array | undefined): number {
    let count = this.base.countLive(from, to);
    for (const write of this.writes) {
      if (compareBytes(write.key, from) < 0 || (to !== undefined && compareBytes(write.key, to) >= 0)) continue;
      count += write.liveDelta;
    }
    return count;
  }

  find(space: Space, key: Uint8Array, atRevision: number, into: VersionSlot): boolean {
    if (atRevision < this.revision || this.#newest.length === 0) {
      return this.base.find(space, key, Math.min(atRevision, this.revision - 1), into);
    }
    const entry = this.get(space, key, atRevision);
    if (entry !== undefined) fillFrom(entry, into);
    return entry !== undefined;
  }

  walk(space: Space, options: ScanOptions): KeyWalk {
    if (options.atRevision < this.revision) return this.base.walk(space, options);
    if (this.#newest.length === 0) return this.base.walk(space, { ...options, atRevision: this.revision - 1 });
    return new EntriesWalk(space, this.scan(space, options));
  }

  countLiveAt(from: Uint8Array, to: Uint8Array | undefined, atRevision: number): IterableIterator<number> {
    assert(atRevision < this.revision, 'an older revision is counted without the changes of this one');
    return this.base.countLiveAt(from, to, atRevision);
  }

  /** All changes, for the one write that publishes them: asked for once. */
  take(): readonly TreeWrite[] {
    assert(!this.#taken, 'S2 the changes of a revision are published once');
    this.#taken = true;
    return this.writes;
  }

  /** The base is pinned and released by whoever made the overlay. */
  release(): void {}

  put(key: Uint8Array, record: Uint8Array, liveDelta: number): void {
    assert(!this.#taken, 'S2 nothing is put once the revision is published');
    assert(liveDelta === 0 || liveDelta === 1, 'S2 a put makes a key or overwrites one');
    const write: TreeWrite = {
      space: USER_SPACE, key, revision: this.revision, sub: this.writes.length, tombstone: false, liveDelta, value: record,
    };
    this.writes.push(write);
    this.#place(write);
  }

  /** The next change would be this one; it takes effect with {@link deleteRun}. */
  tombstone(key: Uint8Array, ordinal: number): TreeWrite {
    return {
      space: USER_SPACE, key, revision: this.revision, sub: this.writes.length + ordinal, tombstone: true, liveDelta: -1,
      value: EMPTY,
    };
  }

  /** Tombstones of live keys, in key order, with ordinals from 0. */
  deleteRun(run: readonly TreeWrite[]): void {
    const first = run[0];
    if (first === undefined) return;
    assert(first.sub === this.writes.length, `S2 the run was made for place ${first.sub}, not ${this.writes.length}`);
    assert(!this.#taken && run.at(-1)?.sub === first.sub + run.length - 1, `S2 ${run.length} deletes are numbered from ${first.sub} on`);
    if (run.length === 1) {
      this.writes.push(first);
      this.#place(first);
      return;
    }
    for (const write of run) this.writes.push(write);
    const last = run[run.length - 1] as TreeWrite;
    const from = this.#lowerBound(first.key);
    let to = this.#lowerBound(last.key);
    const atTo = this.#newest[to];
    if (atTo !== undefined && compareBytes(atTo.key, last.key) === 0) to += 1;
    const between = mergeRuns(this.#newest.slice(from, to), run);
    this.#newest = this.#newest.slice(0, from).concat(between, this.#newest.slice(to));
  }

  #place(write: TreeWrite): void {
    const at = this.#lowerBound(write.key);
    const there = this.#newest[at];
    const replaces = there !== undefined && compareBytes(there.key, write.key) === 0;
    this.#newest.splice(at, replaces ? 1 : 0, write);
  }

  #lowerBound(key: Uint8Array): number {
    let low = 0;
    let high = this.#newest.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareBytes((this.#newest[middle] as TreeWrite).key, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /**
   * `own` is never changed in place while a scan may read it by index: scans end before the next
   * change.
   */
  *#merge(
    base: IterableIterator<VersionedEntry>,
    own: readonly TreeWrite[],
    from: number,
    to: number,
    options: ScanOptions,
  ): Generator<VersionedEntry, undefined> {
    const direction = options.reverse === true ? -1 : 1;
    let at = direction === 1 ? from : to - 1;
    const end = direction === 1 ? to : from - 1;
    let under = base.next();
    while (under.done !== true || at !== end) {
      const mine = at === end ? undefined : (own[at] as TreeWrite);
      const order = under.done === true || mine === undefined ? 0 : compareBytes(mine.key, under.value.key) * direction;
      if (mine === undefined || (under.done !== true && order > 0)) {
        if (under.done === true) return undefined;
        yield under.value;
        under = base.next();
        continue;
      }
      if (under.done !== true && order === 0) under = base.next();
      at += direction;
      if (!mine.tombstone || options.tombstones === true) yield mine;
    }
    return undefined;
  }
}

/** Two sorted runs; where both have a key the second is newer. */
function mergeRuns(older: readonly TreeWrite[], newer: readonly TreeWrite[]): readonly TreeWrite[] {
  if (older.length === 0) return newer;
  const out: TreeWrite[] = [];
  let at = 0;
  for (const write of newer) {
    while (at < older.length && compareBytes((older[at] as TreeWrite).key, write.key) < 0) out.push(older[at++] as TreeWrite);
    const there = older[at];
    if (there !== undefined && compareBytes(there.key, write.key) === 0) at += 1;
    out.push(write);
  }
  while (at < older.length) out.push(older[at++] as TreeWrite);
  return out;
}
