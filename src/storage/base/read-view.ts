/**
 * A consistent, pinned view of the tree: memtables and one version. What a view shows never
 * changes, whatever is flushed, compacted or healed meanwhile; its tables are not deleted until it
 * is released (S5).
 */

import type { VersionSlot } from './version-slot.js';

/** User keys, ordered by (key, revision descending, sub descending). */
export const USER_SPACE = 1;
/**
 * Leases, auth, alarms, membership, compact revision, apply-once ids: newest only, sequenced by log
 * index.
 */
export const SYSTEM_SPACE = 0;
export type Space = typeof USER_SPACE | typeof SYSTEM_SPACE;

/**
 * One version of a key. `key` and `value` are views that stay valid as long as the reader holds
 * them.
 */
export interface VersionedEntry {
  readonly key: Uint8Array;
  /** User space: the revision. System space: the log index. */
  readonly revision: number;
  readonly sub: number;
  readonly tombstone: boolean;
  /** +1 created, 0 overwrote, -1 deleted. */
  readonly liveDelta: number;
  readonly value: Uint8Array;
}

/** What apply writes: one entry's changes, published at once. */
export interface TreeWrite extends VersionedEntry {
  readonly space: Space;
}

export interface ScanOptions {
  /** Inclusive. */
  readonly from: Uint8Array;
  /** Exclusive; undefined: to the end of the space. */
  readonly to: Uint8Array | undefined;
  /** Versions above this revision are invisible. */
  readonly atRevision: number;
  /** Highest key first. */
  readonly reverse?: boolean;
  /**
   * Nobody asks for values: those that are large are not kept in memory on the way, and a walk's
   * next move may overwrite what the last one showed of them. Default false.
   */
  readonly keysOnly?: boolean;
  /** Also give tombstones (as the newest version of their key). Default false. */
  readonly tombstones?: boolean;
}

/**
 * Walks the keys of a range, in the order asked for, and finds the newest visible version of each.
 * A walk that threw goes on where it was when it is moved again: nothing is left out.
 */
export interface KeyWalk {
  /** What the walk stands at; only after `next` gave true, and until the next move. */
  readonly slot: VersionSlot;
  /**
   * False: the key has no version to show, only the slot's key counts. A move passes one key, so
   * that who walks over many dead ones can stop in between.
   */
  readonly visible: boolean;
  /** To the next key; false at the end. Throws StorageError BLOCK_UNREADABLE. */
  next(): boolean;
}

/**
 * All reads are synchronous (page cache, 1 to 2 us a block). All throw StorageError
 * BLOCK_UNREADABLE when a block is beyond parity and no repaired copy is at hand: repair it
 * (asynchronous), then read again.
 */
export interface ReadView {
  /**
   * The newest version of `key` at or below `atRevision`, tombstones included; undefined if there
   * is none.
   */
  get(space: Space, key: Uint8Array, atRevision: number): VersionedEntry | undefined;
  /** As {@link get}, without an object: false if there is none. The slot's key is not filled. */
  find(space: Space, key: Uint8Array, atRevision: number, into: VersionSlot): boolean;
  /** As {@link scan}, without an object for each version. */
  walk(space: Space, options: ScanOptions): KeyWalk;
  /** The newest version of each key in the range, lazily; stop iterating whenever you like. */
  scan(space: Space, options: ScanOptions): IterableIterator<VersionedEntry>;
  /**
   * Number of live user keys in the range at the newest revision: sums of live deltas, walks only
   * border blocks.
   */
  countLive(from: Uint8Array, to: Uint8Array | undefined): number;
  /**
   * The same at an older revision, one that is not compacted, in parts that add up to the number:
   * each is some hundred keys' work at most.
   */
  countLiveAt(from: Uint8Array, to: Uint8Array | undefined, atRevision: number): IterableIterator<number>;
  release(): void;
}

/** What the state machine needs of the tree. */
export interface ReadableTree {
  /** Pins the present state. Cheap; one per request. */
  view(): ReadView;
  /** The unpinned present, for use within one synchronous stretch only: no release needed. */
  readonly current: ReadView;
  /** Publishes at once: no view shows half of it. */
  write(writes: readonly TreeWrite[]): void;
  /**
   * Takes one of many writes, of which no view shows any before {@link publish}, also if other
   * views are taken in between. Until then nothing else is written, and nothing sealed.
   */
  stage(write: TreeWrite): void;
  /** All that was staged is visible, at once. */
  publish(): void;
}
