/**
 * Which MVCC versions a compaction keeps: above the GC revision all; at or below it the newest of
 * each key, and not even that if it is a tombstone with nothing older below. The live deltas of
 * what goes are added to what stays, so that the sums over any range at the newest revision are
 * what they were. Of system keys only the newest stays.
 */

import { assert } from '../../base/assert.js';
import { comparePrefixes, revisionOf, spaceOf } from '../base/key.js';
import { USER_SPACE } from '../base/read-view.js';
import type { TableCursor } from '../base/table-entry.js';

interface GcRules {
  readonly gcRevision: number;
  /** No older data of these keys lies below. */
  readonly bottommost: boolean;
}

export type Emit = (internalKey: Uint8Array, tombstone: boolean, liveDelta: number, value: Uint8Array) => void;

export class MvccGc {
  readonly #rules: GcRules;
  readonly #emit: Emit;
  /**
   * The newest version at or below the GC revision of the present key: a copy, because the cursor
   * moves on.
   */
  #base: Uint8Array | undefined;
  #tombstone = false;
  #liveDelta = 0;
  #value: Uint8Array = new Uint8Array(0);
  #ended = false;

  constructor(rules: GcRules, emit: Emit) {
    this.#rules = rules;
    this.#emit = emit;
  }

  /** In internal key order: of each key the newest version first. */
  add(entry: TableCursor): void {
    assert(!this.#ended, 'S2 nothing comes after the end');
    const { key } = entry;
    if (this.#base !== undefined) {
      if (comparePrefixes(this.#base, key) === 0) {
        this.#liveDelta += entry.liveDelta;
        return;
      }
      this.#settle(this.#base);
    }
    if (spaceOf(key) === USER_SPACE && revisionOf(key) > this.#rules.gcRevision) {
      this.#emit(key, entry.tombstone, entry.liveDelta, entry.value);
      return;
    }
    this.#base = key.slice();
    this.#tombstone = entry.tombstone;
    this.#liveDelta = entry.liveDelta;
    this.#value = entry.value;
  }

  end(): void {
    assert(!this.#ended, 'S2 a compaction ends once');
    this.#ended = true;
    if (this.#base !== undefined) this.#settle(this.#base);
  }

  #settle(base: Uint8Array): void {
    this.#base = undefined;
    // With all of a deleted key's history at hand its deltas cancel out.
    const gone = this.#tombstone && this.#rules.bottommost && this.#liveDelta === 0;
    if (!gone) this.#emit(base, this.#tombstone, this.#liveDelta, this.#value);
  }
}
