/**
 * Walks the keys (not the versions) of one source: a memtable, or tables that follow each other. A
 * source may hold a key of which the reader sees no version; `resolve` tells. Any move may throw
 * StorageError; the cursor must then be positioned again.
 *
 * After `seek` it is moved forward only, after `seekBefore` backward only. The key that a reader
 * asks for is the slot's, which the reader has copied: the cursor itself need not remember it.
 */

import { userKeyOfPrefix } from '../base/key.js';
import type { VersionedEntry } from '../base/read-view.js';
import type { VersionSlot } from '../base/version-slot.js';

export interface KeyCursor {
  readonly valid: boolean;
  /** The prefix of the key it stands at is [0, keyEnd) of it, until its next move. */
  readonly keyBytes: Uint8Array;
  readonly keyEnd: number;
  /**
   * To the first key whose internal keys are at or above `target`: a prefix, or anything between
   * two keys.
   */
  seek(target: Uint8Array): void;
  /** To the last key below `target`. */
  seekBefore(target: Uint8Array): void;
  /**
   * Past the slot's key, in the direction of the last seek. It stood there, and may have gone past
   * it when it was asked to resolve it.
   */
  pass(slot: VersionSlot): void;
  /**
   * Fills the slot with the newest version of its key at or below `revision`, if the source has one
   * that the reader may see; false if not. Only where the cursor stands at the slot's key; it may
   * stand behind that afterwards.
   */
  resolve(revision: number, slot: VersionSlot): boolean;
}

/** What a reader gets of a version. */
export class Entry implements VersionedEntry {
  readonly key: Uint8Array;
  readonly revision: number;
  readonly sub: number;
  readonly tombstone: boolean;
  readonly liveDelta: number;
  readonly value: Uint8Array;

  /** Of a key's prefix, which is kept, and of the version in a slot. */
  constructor(prefix: Uint8Array, slot: VersionSlot) {
    this.key = userKeyOfPrefix(prefix);
    this.revision = slot.revision;
    this.sub = slot.sub;
    this.tombstone = slot.tombstone;
    this.liveDelta = slot.liveDelta;
    this.value = slot.valueBytes.subarray(slot.valueAt, slot.valueEnd);
  }
}
