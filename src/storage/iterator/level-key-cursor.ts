/**
 * The keys of a level below 0: its tables are sorted and share no key, so it is one long table,
 * opened piece by piece.
 */

import { assert, must } from '../../base/assert.js';
import { comparePrefixToKey } from '../base/key.js';
import type { VersionedEntry } from '../base/read-view.js';
import { isSorted } from '../table/key-span.js';
import type { TableReader } from '../table/table-reader.js';
import type { KeyCursor } from './key-cursor.js';
import { TableKeyCursor } from './table-key-cursor.js';

export class LevelKeyCursor implements KeyCursor {
  readonly #readers: readonly TableReader[];
  #at = -1;
  #cursor: TableKeyCursor | undefined;

  constructor(readers: readonly TableReader[]) {
    assert(isSorted(readers.map((reader) => reader.meta)), 'S3 tables of a level are sorted and share no key');
    this.#readers = readers;
  }

  get valid(): boolean {
    return this.#cursor?.valid ?? false;
  }

  get prefix(): Uint8Array {
    return must(this.#cursor, 'a valid cursor has a key').prefix;
  }

  seek(target: Uint8Array): void {
    this.#open(this.#firstEndingAtOrAbove(target));
    this.#cursor?.seek(target);
    this.#skipForward();
  }

  seekBefore(target: Uint8Array): void {
    const at = this.#firstEndingAtOrAbove(target);
    this.#open(at < this.#readers.length ? at : this.#readers.length - 1);
    this.#cursor?.seekBefore(target);
    this.#skipBackward(target);
  }

  next(): void {
    must(this.#cursor, 'next() from a valid position').next();
    this.#skipForward();
  }

  prev(): void {
    const cursor = must(this.#cursor, 'prev() from a valid position');
    const { prefix } = cursor;
    cursor.prev();
    this.#skipBackward(prefix);
  }

  resolve(revision: number): VersionedEntry | undefined {
    return must(this.#cursor, 'a valid cursor has a key').resolve(revision);
  }

  #open(at: number): void {
    const reader = this.#readers[at];
    this.#at = at;
    this.#cursor = reader === undefined ? undefined : new TableKeyCursor(reader.cursor());
  }

  #skipForward(): void {
    while (this.#cursor !== undefined && !this.#cursor.valid) {
      this.#open(this.#at + 1);
      const reader = this.#readers[this.#at];
      if (reader !== undefined) this.#cursor.seek(reader.meta.smallest);
    }
  }

  #skipBackward(target: Uint8Array): void {
    while (this.#cursor !== undefined && !this.#cursor.valid) {
      assert(this.#at >= 0, 'a cursor stands in a table');
      this.#open(this.#at - 1);
      this.#cursor?.seekBefore(target);
    }
  }

  /** First table whose largest key is at or above `target`. */
  #firstEndingAtOrAbove(target: Uint8Array): number {
    let low = 0;
    let high = this.#readers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (comparePrefixToKey(target, (this.#readers[middle] as TableReader).meta.largest) > 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
