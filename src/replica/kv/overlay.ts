/**
 * The changes of one log entry before they are published: reads see them on top of a base view,
 * nobody else does. Dropping the overlay undoes everything; `take` gives them in operation order,
 * for the write that publishes them.
 *
 * Reads below the entry's revision go to the base, and the base is never asked above it: a view
 * that lives on while others publish (the leader's read ahead) shows the same throughout. The
 * newest change of a key is a point, or the key lies in a deleted range; a point is always newer
 * than the range around it. So a range that is deleted costs reads nothing, however many keys it
 * had: they are held once, as bytes, for the write.
 */

import { assert } from '../../base/assert.js';
import { EMPTY, KiB, compareBytes } from '../../base/bytes.js';
import type { Revision } from '../../base/ids.js';
import {
  USER_SPACE, type KeyWalk, type ReadView, type ScanOptions, type Space, type TreeWrite, type VersionedEntry,
} from '../../storage/base/read-view.js';
import type { VersionSlot } from '../../storage/base/version-slot.js';
import { EntriesWalk, fillFrom } from '../../storage/iterator/entries-walk.js';
import { DeletedRanges, type KeyRange } from './deleted-ranges.js';
import type { KeyRun } from './key-run.js';
import { OpCounts } from './op-counts.js';
import { LeaseChanges } from './lease-changes.js';

/** Of values that are written at once. */
const FEW_BYTES = 512 * KiB;

/** A key that was changed by itself. */
interface Point {
  readonly write: TreeWrite;
  /** Live deltas since the base, or since the last delete of a range that held the key. */
  readonly net: number;
}

/** The changes of an entry, numbered from 0 in operation order. */
export class Changes implements Iterable<TreeWrite> {
  readonly revision: Revision;
  readonly #items: (TreeWrite | KeyRun)[] = [];
  #size = 0;
  #runs = 0;
  /** Of values. */
  #bytes = 0;

  constructor(revision: Revision) {
    this.revision = revision;
  }

  get size(): number {
    return this.#size;
  }

  /** All of them, if they are at most so many, and small: they may be written at once. */
  few(max: number): readonly TreeWrite[] | undefined {
    if (this.#size > max || this.#bytes > FEW_BYTES) return undefined;
    return this.#runs === 0 ? (this.#items as readonly TreeWrite[]) : [...this];
  }

  add(write: TreeWrite): void {
    assert(write.sub === this.#size, `S2 changes are numbered in their order: ${write.sub}, not ${this.#size}`);
    this.#items.push(write);
    this.#size++;
    this.#bytes += write.value.length;
  }

  /** Live keys in key order, all deleted; nothing is added to the run any more. */
  addDeleted(keys: KeyRun): void {
    this.#items.push(keys);
    this.#size += keys.size;
    this.#runs++;
  }

  *[Symbol.iterator](): Generator<TreeWrite, void> {
    let sub = 0;
    for (const item of this.#items) {
      if ('sub' in item) {
        yield item;
        sub++;
        continue;
      }
      for (const key of item) yield tombstone(key, this.revision, sub++);
    }
    assert(sub === this.#size, `S2 ${this.#size} changes were counted, ${sub} given`);
  }
}

/** The delete of a live key. */
export function tombstone(key: Uint8Array, revision: Revision, sub: number): TreeWrite {
  return { space: USER_SPACE, key, revision, sub, tombstone: true, liveDelta: -1, value: EMPTY };
}

export class Overlay implements ReadView {
  readonly base: ReadView;
  /** Of the entry: one above the store's. */
  readonly revision: Revision;
  /** What was asked of it. */
  readonly ops = new OpCounts();
  /** What the entry changes about leases. */
  readonly leases = new LeaseChanges();
  readonly #changes: Changes;
  /** It was published: nothing is added any more. */
  #taken = false;
  /** In key order. */
  readonly #points: Point[] = [];
  readonly #deleted: DeletedRanges;

  constructor(base: ReadView, revision: Revision) {
    this.base = base;
    this.revision = revision;
    this.#changes = new Changes(revision);
    this.#deleted = new DeletedRanges(base);
  }

  get changed(): boolean {
    return this.#changes.size > 0;
  }

  /** A key in a deleted range has no version. */
  get(space: Space, key: Uint8Array, atRevision: number): VersionedEntry | undefined {
    if (atRevision >= this.revision) {
      if (this.#points.length > 0) {
        const point = this.#points[this.#lowerBound(key)];
        if (point !== undefined && compareBytes(point.write.key, key) === 0) return point.write;
      }
      if (this.#deleted.has(key)) return undefined;
    }
    return this.base.get(space, key, Math.min(atRevision, this.revision - 1));
  }

  /** Keys in deleted ranges are passed over unread, and not given as tombstones either. */
  scan(space: Space, options: ScanOptions): IterableIterator<VersionedEntry> {
    if (options.atRevision < this.revision) return this.base.scan(space, options);
    const below = { ...options, atRevision: this.revision - 1 };
    const under = this.#deleted.size === 0 ? this.base.scan(space, below) : this.#scanBetween(space, below);
    const from = this.#lowerBound(options.from);
    const to = this.#upperEnd(options.to);
    return from >= to ? under : this.#merge(under, from, to, options);
  }

  countLive(from: Uint8Array, to: Uint8Array | undefined): number {
    let count = this.base.countLive(from, to) - this.#deleted.countLive({ from, to });
    const end = this.#upperEnd(to);
    for (let i = this.#lowerBound(from); i < end; i++) count += (this.#points[i] as Point).net;
    return count;
  }

  find(space: Space, key: Uint8Array, atRevision: number, into: VersionSlot): boolean {
    if (atRevision < this.revision || !this.changed) {
      return this.base.find(space, key, Math.min(atRevision, this.revision - 1), into);
    }
    const entry = this.get(space, key, atRevision);
    if (entry !== undefined) fillFrom(entry, into);
    return entry !== undefined;
  }

  walk(space: Space, options: ScanOptions): KeyWalk {
    if (options.atRevision < this.revision) return this.base.walk(space, options);
    if (!this.changed) return this.base.walk(space, { ...options, atRevision: this.revision - 1 });
    return new EntriesWalk(space, this.scan(space, options));
  }

  countLiveAt(from: Uint8Array, to: Uint8Array | undefined, atRevision: number): IterableIterator<number> {
    assert(atRevision < this.revision, 'an older revision is counted without the changes of this one');
    return this.base.countLiveAt(from, to, atRevision);
  }

  /** All changes, for the write that publishes them: asked for once. */
  take(): Changes {
    assert(!this.#taken, 'S2 the changes of a revision are published once');
    this.#taken = true;
    return this.#changes;
  }

  /** The base is pinned and released by whoever made the overlay. */
  release(): void {}

  put(key: Uint8Array, record: Uint8Array, liveDelta: number): void {
    assert(liveDelta === 0 || liveDelta === 1, 'S2 a put makes a key or overwrites one');
    this.#point({
      space: USER_SPACE, key, revision: this.revision, sub: this.#changes.size, tombstone: false, liveDelta, value: record,
    });
  }

  /** A live key. */
  deleteKey(key: Uint8Array): void {
    this.#point(tombstone(key, this.revision, this.#changes.size));
  }

  /** `keys` are the live ones of the range, in key order; none is added to them any more. */
  deleteRange(range: KeyRange, keys: KeyRun): void {
    assert(!this.#taken, 'S2 nothing is deleted once the revision is published');
    if (keys.size > 0) this.#changes.addDeleted(keys);
    this.#deleted.add(range);
    const from = this.#lowerBound(range.from);
    const end = this.#upperEnd(range.to);
    if (from < end) this.#points.splice(from, end - from);
  }

  /** Live keys of the base, in key order; nothing is read through the overlay afterwards. */
  deleteAtLast(keys: KeyRun): void {
    assert(!this.#taken && !this.changed, 'S2 they are all that the entry changes');
    if (keys.size > 0) this.#changes.addDeleted(keys);
  }

  #point(write: TreeWrite): void {
    assert(!this.#taken, 'S2 nothing is put once the revision is published');
    this.#changes.add(write);
    const at = this.#lowerBound(write.key);
    const there = this.#points[at];
    if (there !== undefined && compareBytes(there.write.key, write.key) === 0) {
      this.#points[at] = { write, net: there.net + write.liveDelta };
    } else {
      this.#points.splice(at, 0, { write, net: write.liveDelta });
    }
  }

  #lowerBound(key: Uint8Array): number {
    let low = 0;
    let high = this.#points.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareBytes((this.#points[middle] as Point).write.key, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #upperEnd(to: Uint8Array | undefined): number {
    return to === undefined ? this.#points.length : this.#lowerBound(to);
  }

  *#scanBetween(space: Space, options: ScanOptions): Generator<VersionedEntry, undefined> {
    const gaps = this.#deleted.between(options);
    if (options.reverse === true) gaps.reverse();
    for (const gap of gaps) yield* this.base.scan(space, { ...options, ...gap });
    return undefined;
  }

  /** Points are never changed while a scan may read them: scans end before the next change. */
  *#merge(
    base: IterableIterator<VersionedEntry>,
    from: number,
    to: number,
    options: ScanOptions,
  ): Generator<VersionedEntry, undefined> {
    const direction = options.reverse === true ? -1 : 1;
    let at = direction === 1 ? from : to - 1;
    const end = direction === 1 ? to : from - 1;
    let under = base.next();
    while (under.done !== true || at !== end) {
      const mine = at === end ? undefined : (this.#points[at] as Point).write;
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
