/** The cursor of a table: steps from entry to entry, and over block borders by the index. */

import { revisionIn, subIn } from '../base/key.js';
import { SEQUENCE_BYTES, type TableCursor } from '../base/table-entry.js';
import type { VersionSlot } from '../base/version-slot.js';
import { DataBlockCursor } from './data-block-cursor.js';
import type { IndexBlock } from './index-block.js';

/** What a cursor needs of its table. */
interface BlockSource {
  readonly index: IndexBlock;
  block(ordinal: number): Uint8Array;
}

export class BlockWalker implements TableCursor {
  readonly #source: BlockSource;
  readonly #entries = new DataBlockCursor();
  #ordinal = -1;
  /** What #entries has open. */
  #payload: Uint8Array | undefined;

  constructor(source: BlockSource) {
    this.#source = source;
  }

  get valid(): boolean {
    return this.#entries.valid;
  }

  get key(): Uint8Array {
    return this.#entries.key;
  }

  get value(): Uint8Array {
    return this.#entries.value;
  }

  get tombstone(): boolean {
    return this.#entries.tombstone;
  }

  get liveDelta(): number {
    return this.#entries.liveDelta;
  }

  /** False, and the cursor is invalid, if there is no such block. */
  #enter(ordinal: number): boolean {
    this.#entries.close();
    if (ordinal < 0 || ordinal >= this.#source.index.count) return false;
    const payload = this.#source.block(ordinal);
    if (payload !== this.#payload) {
      this.#entries.open(payload);
      this.#payload = payload;
    }
    this.#ordinal = ordinal;
    return true;
  }

  seek(target: Uint8Array): void {
    if (this.#enter(this.#source.index.find(target))) this.#entries.seek(target);
  }

  seekToFirst(): void {
    if (this.#enter(0)) this.#entries.seekToFirst();
  }

  seekToLast(): void {
    if (this.#enter(this.#source.index.count - 1)) this.#entries.seekToLast();
  }

  next(): void {
    if (!this.valid) return;
    this.#entries.next();
    if (!this.#entries.valid && this.#enter(this.#ordinal + 1)) this.#entries.seekToFirst();
  }

  prev(): void {
    if (!this.valid) return;
    this.#entries.prev();
    if (!this.#entries.valid && this.#enter(this.#ordinal - 1)) this.#entries.seekToLast();
  }

  /** Fills the slot from the entry it stands at, if that is a version of the prefix's key. */
  fillIfOf(prefix: Uint8Array, into: VersionSlot): boolean {
    const entries = this.#entries;
    const { keyBuffer, keyLength } = entries;
    const length = prefix.length;
    if (keyLength - SEQUENCE_BYTES !== length) return false;
    for (let i = length - 1; i >= 0; i--) if (keyBuffer[i] !== prefix[i]) return false;
    const revision = revisionIn(keyBuffer, keyLength);
    const sub = subIn(keyBuffer, keyLength);
    into.set(revision, sub, entries.tombstone, entries.liveDelta, entries.payload, entries.valueAt, entries.valueEnd);
    return true;
  }

  /**
   * Live deltas of the entries of one block with from <= key < to (undefined: no bound) and of
   * revisions up to `atRevision`. The cursor ends invalid.
   */
  sumWithin(ordinal: number, from: Uint8Array | undefined, to: Uint8Array | undefined, atRevision = Infinity): number {
    let sum = 0;
    const entries = this.#entries;
    if (!this.#enter(ordinal)) return 0;
    if (from) entries.seek(from);
    else entries.seekToFirst();
    while (entries.valid && (to === undefined || entries.compareKey(to) < 0)) {
      if (atRevision === Infinity || revisionIn(entries.keyBuffer, entries.keyLength) <= atRevision) sum += entries.liveDelta;
      entries.next();
    }
    entries.close();
    return sum;
  }
}
