/**
 * The keys of one table. Versions of a key lie next to each other, newest first: walking forward it
 * enters a key at its newest version, walking backward at its oldest. Short histories are stepped
 * over, long ones sought past.
 */

import { afterKey, comparePrefixToKey, MAX_SUB, prefixOf, revisionOf, subOf, withRevision } from '../base/key.js';
import type { VersionedEntry } from '../base/read-view.js';
import type { TableCursor } from '../base/table-entry.js';
import { Entry, type KeyCursor } from './key-cursor.js';

/** Steps before a seek is cheaper. */
const STEPS_MAX = 8;
const NONE = new Uint8Array(0);

export class TableKeyCursor implements KeyCursor {
  readonly #cursor: TableCursor;
  #valid = false;
  #prefix: Uint8Array = NONE;
  #forward = true;

  constructor(cursor: TableCursor) {
    this.#cursor = cursor;
  }

  get valid(): boolean {
    return this.#valid;
  }

  get prefix(): Uint8Array {
    return this.#prefix;
  }

  seek(target: Uint8Array): void {
    this.#valid = false;
    this.#forward = true;
    this.#cursor.seek(target);
    this.#enter();
  }

  seekBefore(target: Uint8Array): void {
    this.#valid = false;
    this.#forward = false;
    const cursor = this.#cursor;
    cursor.seek(target);
    if (cursor.valid) cursor.prev();
    else cursor.seekToLast();
    this.#enter();
  }

  next(): void {
    this.#valid = false;
    const cursor = this.#cursor;
    for (let steps = 0; this.#inKey(); steps++) {
      if (steps === STEPS_MAX) cursor.seek(afterKey(this.#prefix));
      else cursor.next();
    }
    this.#enter();
  }

  prev(): void {
    this.#valid = false;
    const cursor = this.#cursor;
    for (let steps = 0; this.#inKey(); steps++) {
      if (steps === STEPS_MAX) cursor.seek(this.#prefix);
      cursor.prev();
    }
    this.#enter();
  }

  resolve(revision: number): VersionedEntry | undefined {
    return this.#forward ? this.#resolveDown(revision) : this.#resolveUp(revision);
  }

  #enter(): void {
    if (!this.#cursor.valid) return;
    this.#prefix = prefixOf(this.#cursor.key).slice();
    this.#valid = true;
  }

  #inKey(): boolean {
    return this.#cursor.valid && comparePrefixToKey(this.#prefix, this.#cursor.key) === 0;
  }

  #entry(): Entry {
    const { key, tombstone, liveDelta, value } = this.#cursor;
    return new Entry(this.#prefix, revisionOf(key), subOf(key), tombstone, liveDelta, value);
  }

  /** From the newest version to older ones. */
  #resolveDown(revision: number): Entry | undefined {
    const cursor = this.#cursor;
    for (let steps = 0; this.#inKey(); steps++) {
      if (revisionOf(cursor.key) <= revision) return this.#entry();
      if (steps === STEPS_MAX) cursor.seek(withRevision(this.#prefix, revision, MAX_SUB));
      else cursor.next();
    }
    return undefined;
  }

  /** From the oldest version to newer ones. */
  #resolveUp(revision: number): Entry | undefined {
    const cursor = this.#cursor;
    let found: Entry | undefined;
    for (let steps = 0; this.#inKey(); steps++) {
      if (revisionOf(cursor.key) > revision) return found;
      if (steps === STEPS_MAX) {
        cursor.seek(withRevision(this.#prefix, revision, MAX_SUB));
        return this.#entry();
      }
      found = this.#entry();
      cursor.prev();
    }
    return found;
  }
}
