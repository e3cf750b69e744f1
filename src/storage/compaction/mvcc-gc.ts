/**
 * Which MVCC versions a compaction keeps: above the GC revision all; at or below it the newest of
 * each key, and not even that if it is a tombstone below the GC revision with nothing older below.
 * At the GC revision itself a tombstone stays: a watch may begin there, and must see the delete.
 * The live deltas of what goes are added to what stays, so that the sums over any range at the
 * newest revision are what they were. Of system keys only the newest stays.
 */

import { assert } from '../../base/assert.js';
import { EntrySlot } from '../base/entry-slot.js';
import { sameKey } from '../base/key.js';
import type { OutputFiles } from './output-files.js';

interface GcRules {
  readonly gcRevision: number;
  /** No older data of these keys lies below. */
  readonly bottommost: boolean;
}

type Output = Pick<OutputFiles, 'add'>;

export class MvccGc {
  readonly #rules: GcRules;
  /**
   * The newest version at or below the GC revision of the present key, if it has one: with a key of
   * its own, because what is merged moves on. Blocks stay as they are, and so does its value.
   */
  readonly #base = new EntrySlot();
  #hasBase = false;
  #ended = false;

  constructor(rules: GcRules) {
    this.#rules = rules;
  }

  /** In internal key order: of each key the newest version first. */
  add(entry: EntrySlot, out: Output): void {
    assert(!this.#ended, 'S2 nothing comes after the end');
    if (this.#hasBase) {
      const base = this.#base;
      if (sameKey(base.key, base.keyEnd, entry.key, entry.keyEnd)) {
        base.liveDelta += entry.liveDelta;
        return;
      }
      this.#settle(out);
    }
    if (entry.userSpace && entry.revision > this.#rules.gcRevision) {
      out.add(entry);
      return;
    }
    this.#keep(entry);
  }

  end(out: Output): void {
    assert(!this.#ended, 'S2 a compaction ends once');
    this.#ended = true;
    if (this.#hasBase) this.#settle(out);
  }

  #keep(entry: EntrySlot): void {
    const base = this.#base;
    const { keyEnd } = entry;
    if (keyEnd > base.key.length) base.key = new Uint8Array(Math.max(256, 2 * keyEnd));
    for (let i = 0; i < keyEnd; i++) base.key[i] = entry.key[i] as number;
    base.keyEnd = keyEnd;
    base.tombstone = entry.tombstone;
    base.liveDelta = entry.liveDelta;
    base.value = entry.value;
    base.valueAt = entry.valueAt;
    base.valueEnd = entry.valueEnd;
    base.revision = entry.revision;
    base.userSpace = entry.userSpace;
    this.#hasBase = true;
  }

  #settle(out: Output): void {
    this.#hasBase = false;
    // With all of a deleted key's history at hand its deltas cancel out.
    const base = this.#base;
    const told = base.userSpace && base.revision === this.#rules.gcRevision;
    const gone = base.tombstone && !told && this.#rules.bottommost && base.liveDelta === 0;
    if (!gone) out.add(base);
  }
}
