/**
 * The entries of a memtable as a flush writes them: in key order, of each key the newest version
 * first. All history stays: what GC may drop is a plan's business. Of system keys only the newest
 * version counts. No entry costs an object.
 *
 * A flush takes all that a sealed memtable holds; a backup takes what a view sees of one that may
 * be written to meanwhile.
 */

import { EMPTY } from '../../base/bytes.js';
import { EntrySlot } from '../base/entry-slot.js';
import { writeSuffix } from '../base/key.js';
import { USER_SPACE } from '../base/read-view.js';
import { SEQUENCE_BYTES } from '../base/table-entry.js';
import { VersionSlot } from '../base/version-slot.js';
import type { KeyRecords } from '../memtable/key-records.js';
import type { MemCursor } from '../memtable/mem-cursor.js';
import type { Memtable } from '../memtable/memtable.js';

export class MemtableEntries {
  readonly slot = new EntrySlot();
  readonly #cursor: MemCursor;
  readonly #records: KeyRecords;
  readonly #version = new VersionSlot();
  #prefixBytes = 0;
  /** The next version of the key whose prefix is in the slot; 0: the next key's newest. */
  #next = 0;
  readonly #sequence: number;

  /** Writes above `sequence` are left out. */
  constructor(memtable: Memtable, sequence = Number.MAX_SAFE_INTEGER) {
    this.#sequence = sequence;
    this.#cursor = memtable.cursor();
    this.#cursor.seek(EMPTY);
    this.#records = this.#cursor.records;
  }

  /** Fills the slot; false at the end. */
  next(): boolean {
    const records = this.#records;
    while (this.#next === 0) {
      const { key } = this.#cursor;
      if (key === 0) return false;
      this.#next = records.visible(key, Number.MAX_SAFE_INTEGER, this.#sequence);
      if (this.#next === 0) this.#cursor.next();
      else this.#enter(key);
    }
    const { slot } = this;
    const version = this.#version;
    records.fill(this.#next, version);
    writeSuffix(slot.key, this.#prefixBytes, version.revision, version.sub);
    slot.tombstone = version.tombstone;
    slot.liveDelta = version.liveDelta;
    slot.value = version.valueBytes;
    slot.valueAt = version.valueAt;
    slot.valueEnd = version.valueEnd;
    slot.revision = version.revision;
    this.#next = slot.userSpace ? records.older(this.#next) : 0;
    if (this.#next === 0) this.#cursor.next();
    return true;
  }

  /** Puts the key's prefix into the slot. */
  #enter(key: number): void {
    const { slot } = this;
    const length = this.#records.prefixLength(key);
    this.#prefixBytes = length;
    slot.keyEnd = length + SEQUENCE_BYTES;
    if (slot.keyEnd > slot.key.length) slot.key = new Uint8Array(Math.max(256, 2 * slot.keyEnd));
    this.#records.copyPrefix(key, slot.key);
    slot.userSpace = slot.key[0] === USER_SPACE;
  }
}
