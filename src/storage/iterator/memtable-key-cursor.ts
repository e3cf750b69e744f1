/** The keys of a memtable as a reader sees them whose view was taken at write `sequence`. */

import { must } from '../../base/assert.js';
import { visibleVersion, type MemCursor, type Memtable } from '../memtable/memtable.js';
import type { VersionedEntry } from '../base/read-view.js';
import { Entry, type KeyCursor } from './key-cursor.js';

export class MemtableKeyCursor implements KeyCursor {
  readonly #cursor: MemCursor;
  readonly #sequence: number;

  constructor(memtable: Memtable, sequence: number) {
    this.#cursor = memtable.cursor();
    this.#sequence = sequence;
  }

  get valid(): boolean {
    return this.#cursor.record !== undefined;
  }

  get prefix(): Uint8Array {
    return must(this.#cursor.record, 'a valid cursor has a key').prefix;
  }

  seek(target: Uint8Array): void {
    this.#cursor.seek(target);
  }

  seekBefore(target: Uint8Array): void {
    this.#cursor.seekBefore(target);
  }

  next(): void {
    this.#cursor.next();
  }

  prev(): void {
    this.#cursor.prev();
  }

  resolve(revision: number): VersionedEntry | undefined {
    const record = must(this.#cursor.record, 'a valid cursor has a key');
    const v = visibleVersion(record, revision, this.#sequence);
    return v === undefined ? undefined : new Entry(record.prefix, v.revision, v.sub, v.tombstone, v.liveDelta, v.value);
  }
}
