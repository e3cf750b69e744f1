/**
 * What a reader sees: the memtables and the version of one moment, and of the active memtable only
 * what had been written by then. Nothing of it changes later.
 *
 * A read of one key:
 *
 * 1. `Tree.view` gives the present memtables and version, and retains the version: the files of its
 *    tables stay until `release` (S5).
 * 2. The memtables are asked, newest first. The first that has a version of the key at or below the
 *    revision asked for, written before the view was taken, ends the read.
 * 3. Then the tables (`TreeVersion.get`): those of level 0 from the newest on, then in each deeper
 *    level the one table whose range holds the key. Newer versions of a key never lie below older
 *    ones, so the first answer is the right one.
 * 4. Within a table (`TableReader`): the filter may say no; the index names the one data block that
 *    may hold the key; the block comes from the cache or the file, and counts only if it has the
 *    digest that the index says (S4).
 * 5. A block that has not is corrected by parity and judged again, or replaced by a copy that was
 *    repaired from a peer. Otherwise the read throws BLOCK_UNREADABLE: the caller has the block
 *    repaired, and reads again.
 *
 * A walk asks the same sources: a cursor for each memtable, each table of level 0 and each deeper
 * level, merged (`MergedWalk`).
 */

import { assert } from '../../base/assert.js';
import { compareBytes } from '../../base/bytes.js';
import { Entry, type KeyCursor } from '../iterator/key-cursor.js';
import { MemtableKeyCursor } from '../iterator/memtable-key-cursor.js';
import { MergedWalk } from '../iterator/merged-walk.js';
import type { LargeBlocks } from '../iterator/run-key-cursor.js';
import { WalkEntries } from '../iterator/walk-entries.js';
import { borrowSeekKey, encodePrefix, encodeSeekKey, prefixOf, spaceEnd } from '../base/key.js';
import type { Memtable } from '../memtable/memtable.js';
import { USER_SPACE, type KeyWalk, type ReadView, type ScanOptions, type Space, type VersionedEntry } from '../base/read-view.js';
import { VersionSlot } from '../base/version-slot.js';
import type { HistorySink } from '../base/history-sink.js';
import { memtableHistory, tablesHistory } from './history.js';
import { memtableCountAt, tableCount, tablesCountAt } from './live-count.js';
import type { Version } from '../version/version.js';
import type { TreeVersion } from './tree-version.js';

/** Immutable; replaced as a whole. */
export interface TreeState {
  /** Newest first; the first is the active one. */
  readonly memtables: readonly Memtable[];
  readonly version: TreeVersion;
}

/**
 * All that a view shows: the tables of the version and, newer than they, the memtables, newest
 * first; of these nothing above `sequence`. While the view is held.
 */
export interface Frozen {
  readonly version: Version;
  readonly memtables: readonly Memtable[];
  readonly sequence: number;
}

/** For what is copied out of it at once. */
const scratch = new VersionSlot();

export class TreeView implements ReadView {
  readonly #state: TreeState;
  readonly #sequence: number;
  readonly #held: TreeVersion | undefined;
  #released = false;

  /**
   * Writes above `sequence` are not seen. `held`: the version that the reader has retained, and
   * `release` releases.
   */
  constructor(state: TreeState, sequence: number, held: TreeVersion | undefined) {
    this.#state = state;
    this.#sequence = sequence;
    this.#held = held;
  }

  get(space: Space, key: Uint8Array, atRevision: number): VersionedEntry | undefined {
    const seekKey = encodeSeekKey(space, key, atRevision);
    const prefix = prefixOf(seekKey);
    return this.#find(prefix, seekKey, atRevision, scratch) ? new Entry(prefix, scratch) : undefined;
  }

  find(space: Space, key: Uint8Array, atRevision: number, into: VersionSlot): boolean {
    const seek = borrowSeekKey(space, key, atRevision);
    return this.#find(seek.prefix, seek.key, atRevision, into);
  }

  #find(prefix: Uint8Array, seekKey: Uint8Array, atRevision: number, into: VersionSlot): boolean {
    assert(!this.#released, 'S5 a released view is not read');
    const { memtables, version } = this.#state;
    for (let i = 0; i < memtables.length; i++) {
      if ((memtables[i] as Memtable).findVisible(prefix, atRevision, this.#sequence, into)) return true;
    }
    return version.find(prefix, seekKey, into);
  }

  scan(space: Space, options: ScanOptions): IterableIterator<VersionedEntry> {
    return new WalkEntries(this.#walk(space, options, options.keysOnly === true ? 'passed' : 'cached'));
  }

  walk(space: Space, options: ScanOptions): KeyWalk {
    return this.#walk(space, options, options.keysOnly === true ? 'reused' : 'cached');
  }

  #walk(space: Space, options: ScanOptions, large: LargeBlocks): KeyWalk {
    assert(!this.#released, 'S5 a released view is not read');
    const from = encodePrefix(space, options.from);
    const to = options.to === undefined ? spaceEnd(space) : encodePrefix(space, options.to);
    const { atRevision, reverse = false, tombstones = false } = options;
    const sources = compareBytes(from, to) < 0 ? this.#sources(from, to, large) : [];
    return new MergedWalk({ sources, from, to, atRevision, reverse, tombstones });
  }

  /** Newest first. */
  #sources(from: Uint8Array, to: Uint8Array, large: LargeBlocks): KeyCursor[] {
    const { memtables, version } = this.#state;
    const sources: KeyCursor[] = [];
    for (const memtable of memtables) if (!memtable.empty) sources.push(new MemtableKeyCursor(memtable, this.#sequence));
    version.addCursors(from, to, sources, large);
    return sources;
  }

  countLive(from: Uint8Array, to: Uint8Array | undefined): number {
    assert(!this.#released, 'S5 a released view is not read');
    const start = encodePrefix(USER_SPACE, from);
    const end = to === undefined ? spaceEnd(USER_SPACE) : encodePrefix(USER_SPACE, to);
    if (compareBytes(start, end) >= 0) return 0;
    const { memtables, version } = this.#state;
    let sum = 0;
    for (const memtable of memtables) sum += memtable.liveDeltaSum(start, end, this.#sequence);
    for (const tables of version.levels) for (const table of tables) sum += tableCount(table, start, end);
    return sum;
  }

  *countLiveAt(from: Uint8Array, to: Uint8Array | undefined, atRevision: number): Generator<number, void> {
    assert(!this.#released, 'S5 a released view is not read');
    const start = encodePrefix(USER_SPACE, from);
    const end = to === undefined ? spaceEnd(USER_SPACE) : encodePrefix(USER_SPACE, to);
    if (compareBytes(start, end) >= 0) return;
    const { memtables, version } = this.#state;
    for (const memtable of memtables) yield* memtableCountAt(memtable, this.#sequence, start, end, atRevision);
    yield* tablesCountAt(version, start, end, atRevision);
  }

  /**
   * All versions of a range of user keys within the bounds of `sink`, in no order; undefined: to
   * the end of the space. See `history.ts`.
   */
  *history(from: Uint8Array, to: Uint8Array | undefined, sink: HistorySink): Generator<void, void> {
    assert(!this.#released, 'S5 a released view is not read');
    const start = encodePrefix(USER_SPACE, from);
    const end = to === undefined ? spaceEnd(USER_SPACE) : encodePrefix(USER_SPACE, to);
    if (compareBytes(start, end) >= 0) return;
    const { memtables, version } = this.#state;
    for (const memtable of memtables) yield* memtableHistory(memtable, this.#sequence, start, end, sink);
    yield* tablesHistory(version, start, end, sink);
  }

  /** What it shows, for who copies all of it: see {@link Frozen}. */
  frozen(): Frozen {
    assert(!this.#released && this.#held !== undefined, 'S5 what is copied is pinned');
    return { version: this.#held.manifest, memtables: this.#state.memtables, sequence: this.#sequence };
  }

  release(): void {
    assert(!this.#released && this.#held !== undefined, 'S5 a pinned view is released once');
    this.#released = true;
    this.#held.release();
  }
}
