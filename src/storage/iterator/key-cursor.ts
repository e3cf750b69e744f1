/**
 * Walks the keys (not the versions) of one source: a memtable, a table, or a level. A source may
 * hold a key of which the reader sees no version; `resolve` tells. Any move may throw StorageError;
 * the cursor must then be positioned again.
 */

import type { VersionedEntry } from '../base/read-view.js';
import { userKeyOfPrefix } from '../base/key.js';

export interface KeyCursor {
  readonly valid: boolean;
  /** Of the key it stands at: never written again, may be kept. Only while `valid`. */
  readonly prefix: Uint8Array;
  /**
   * To the first key whose internal keys are at or above `target`: a prefix, or anything between
   * two keys.
   */
  seek(target: Uint8Array): void;
  /** To the last key below `target`. */
  seekBefore(target: Uint8Array): void;
  /** Only after `seek`, and at most one `resolve` per key. */
  next(): void;
  /** Only after `seekBefore`. */
  prev(): void;
  /**
   * The newest version of this key at or below `revision`, if the source has one that the reader
   * may see.
   */
  resolve(revision: number): VersionedEntry | undefined;
}

/** What a reader gets of a version. */
export class Entry implements VersionedEntry {
  readonly key: Uint8Array;
  readonly revision: number;
  readonly sub: number;
  readonly tombstone: boolean;
  readonly liveDelta: number;
  readonly value: Uint8Array;

  constructor(prefix: Uint8Array, revision: number, sub: number, tombstone: boolean, liveDelta: number, value: Uint8Array) {
    this.key = userKeyOfPrefix(prefix);
    this.revision = revision;
    this.sub = sub;
    this.tombstone = tombstone;
    this.liveDelta = liveDelta;
    this.value = value;
  }
}
