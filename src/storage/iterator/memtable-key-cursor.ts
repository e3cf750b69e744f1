/** The keys of a memtable as a reader sees them whose view was taken at write `sequence`. */

import { EMPTY } from '../../base/bytes.js';
import { must } from '../../base/assert.js';
import { visibleVersion, type MemCursor, type Memtable, type MemVersion } from '../memtable/memtable.js';
import type { VersionSlot } from '../base/version-slot.js';
import type { KeyCursor } from './key-cursor.js';

export class MemtableKeyCursor implements KeyCursor {
  readonly #cursor: MemCursor;
  readonly #sequence: number;
  #forward = true;

  constructor(memtable: Memtable, sequence: number) {
    this.#cursor = memtable.cursor();
    this.#sequence = sequence;
  }

  get valid(): boolean {
    return this.#cursor.record !== undefined;
  }

  get keyBytes(): Uint8Array {
    return this.#cursor.record?.prefix ?? EMPTY;
  }

  get keyEnd(): number {
    return this.#cursor.record?.prefix.length ?? 0;
  }

  seek(target: Uint8Array): void {
    this.#forward = true;
    this.#cursor.seek(target);
  }

  seekBefore(target: Uint8Array): void {
    this.#forward = false;
    this.#cursor.seekBefore(target);
  }

  pass(slot: VersionSlot): void {
    const { record } = this.#cursor;
    if (record === undefined || !slot.isKey(record.prefix, 0, record.prefix.length)) return;
    if (this.#forward) this.#cursor.next();
    else this.#cursor.prev();
  }

  resolve(revision: number, slot: VersionSlot): boolean {
    const record = must(this.#cursor.record, 'a valid cursor has a key');
    return fillVisible(visibleVersion(record, revision, this.#sequence), slot);
  }

  /** Sum of the live deltas of the key's versions at or below `revision`. */
  liveDeltaAt(revision: number): number {
    let sum = 0;
    const record = must(this.#cursor.record, 'a valid cursor has a key');
    let v = visibleVersion(record, revision, this.#sequence);
    for (; v !== undefined; v = v.older) sum += v.liveDelta;
    return sum;
  }

  /** To the next key; only after `seek`. */
  next(): void {
    this.#cursor.next();
  }
}

/** The newest version of the key in the memtable that such a reader sees. */
export function findInMemtable(memtable: Memtable, prefix: Uint8Array, revision: number, sequence: number, into: VersionSlot): boolean {
  const record = memtable.find(prefix);
  return record !== undefined && fillVisible(visibleVersion(record, revision, sequence), into);
}

function fillVisible(version: MemVersion | undefined, slot: VersionSlot): boolean {
  if (version === undefined) return false;
  const { value } = version;
  slot.set(version.revision, version.sub, version.tombstone, version.liveDelta, value, 0, value.length);
  return true;
}
