/**
 * The newest visible version of each key over all sources, lazily, in key order or against it.
 * Sources come newest first, and of any key a newer source holds only newer versions than an older
 * one: so the first source that has a visible version of a key has the right one, and the others
 * are not asked.
 *
 * After a block could not be read, the scan goes on where it was if it is asked again (the block
 * may be repaired).
 */

import { compareBytes } from '../../base/bytes.js';
import { afterKey } from '../base/key.js';
import type { VersionedEntry } from '../base/read-view.js';
import type { KeyCursor } from './key-cursor.js';

interface MergedScanOptions {
  /** Newest first. */
  readonly sources: readonly KeyCursor[];
  /** Prefixes, or anything between two keys. */
  readonly from: Uint8Array;
  readonly to: Uint8Array;
  readonly atRevision: number;
  readonly reverse: boolean;
  readonly tombstones: boolean;
}

export class MergedScan implements IterableIterator<VersionedEntry> {
  readonly #sources: readonly KeyCursor[];
  readonly #options: MergedScanOptions;
  /** Prefix of the key that was taken last. */
  #last: Uint8Array | undefined;
  #positioned = false;
  #done = false;

  constructor(options: MergedScanOptions) {
    this.#options = options;
    this.#sources = options.sources;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<VersionedEntry, undefined> {
    while (!this.#done) {
      this.#position();
      const first = this.#options.reverse ? this.#highest() : this.#lowest();
      if (first < 0) return this.#end();
      const { prefix } = this.#sources[first] as KeyCursor;
      const entry = this.#take(first, prefix);
      this.#last = prefix;
      this.#positioned = true;
      if (entry !== undefined && (!entry.tombstone || this.#options.tombstones)) return { done: false, value: entry };
    }
    return this.#end();
  }

  return(): IteratorResult<VersionedEntry, undefined> {
    return this.#end();
  }

  #end(): IteratorResult<VersionedEntry, undefined> {
    this.#done = true;
    return { done: true, value: undefined };
  }

  /** Leaves `#positioned` false while anything may throw: the cursors are then of no use. */
  #position(): void {
    if (!this.#positioned) {
      const { reverse, from, to } = this.#options;
      const last = this.#last;
      const target = reverse ? (last ?? to) : last === undefined ? from : afterKey(last);
      for (const source of this.#sources) {
        if (reverse) source.seekBefore(target);
        else source.seek(target);
      }
    }
    this.#positioned = false;
  }

  /** The newest of the sources that stand at the lowest key below `to`; -1 at the end. */
  #lowest(): number {
    const sources = this.#sources;
    let best = -1;
    let bound = this.#options.to;
    for (let i = 0; i < sources.length; i++) {
      const source = sources[i] as KeyCursor;
      if (!source.valid || compareBytes(source.prefix, bound) >= 0) continue;
      best = i;
      bound = source.prefix;
    }
    return best;
  }

  /** The newest of the sources that stand at the highest key at or above `from`; -1 at the end. */
  #highest(): number {
    const sources = this.#sources;
    let best = -1;
    let bound = this.#options.from;
    for (let i = 0; i < sources.length; i++) {
      const source = sources[i] as KeyCursor;
      if (!source.valid) continue;
      const order = compareBytes(source.prefix, bound);
      if (best < 0 ? order < 0 : order <= 0) continue;
      best = i;
      bound = source.prefix;
    }
    return best;
  }

  /** The visible version of the key, and all sources past it. */
  #take(first: number, prefix: Uint8Array): VersionedEntry | undefined {
    const { atRevision, reverse } = this.#options;
    let entry: VersionedEntry | undefined;
    for (let i = first; i < this.#sources.length; i++) {
      const source = this.#sources[i] as KeyCursor;
      if (i !== first && (!source.valid || compareBytes(source.prefix, prefix) !== 0)) continue;
      if (entry === undefined) entry = source.resolve(atRevision);
      if (reverse) source.prev();
      else source.next();
    }
    return entry;
  }
}
