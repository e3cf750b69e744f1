/**
 * Walks the keys of a memtable, both ways. Keys may be inserted meanwhile: the cursor finds its
 * place again.
 */

import type { KeyOrder, Leaf } from './key-order.js';
import type { KeyRecords } from './key-records.js';
import { MemRecord } from './mem-record.js';

/** Grows whenever a key is added, and only then. */
export interface KeyCount {
  readonly keys: number;
}

export class MemCursor {
  readonly #records: KeyRecords;
  readonly #order: KeyOrder;
  readonly #count: KeyCount;
  #leaf: Leaf | undefined;
  #at = 0;
  /** As many keys as there were when the place was found. */
  #keys = 0;
  #key = 0;
  #record: MemRecord | undefined;

  constructor(records: KeyRecords, order: KeyOrder, count: KeyCount) {
    this.#records = records;
    this.#order = order;
    this.#count = count;
  }

  /** Undefined: beyond either end. */
  get record(): MemRecord | undefined {
    if (this.#record === undefined && this.#key !== 0) this.#record = new MemRecord(this.#records, this.#key);
    return this.#record;
  }

  /** Where the key is in {@link records}; 0 beyond either end. */
  get key(): number {
    return this.#key;
  }

  get records(): KeyRecords {
    return this.#records;
  }

  /** To the first key at or above `target`. */
  seek(target: Uint8Array): void {
    this.#place(target, 0, target.length);
    this.#stand();
  }

  /** To the last key below `target`. */
  seekBefore(target: Uint8Array): void {
    this.#place(target, 0, target.length);
    this.#stepBack();
  }

  next(): void {
    if (this.#key === 0) return;
    this.#replace();
    this.#at++;
    this.#stand();
  }

  prev(): void {
    if (this.#key === 0) return;
    this.#replace();
    this.#stepBack();
  }

  /** The position may be behind the last key of a leaf: then it is the first one of the next. */
  #stand(): void {
    let leaf = this.#leaf;
    if (leaf !== undefined && this.#at >= leaf.count) {
      leaf = leaf.next;
      this.#at = 0;
      this.#leaf = leaf;
    }
    this.#goTo(leaf === undefined || leaf.count === 0 ? 0 : leaf.key(this.#at));
  }

  #stepBack(): void {
    if (this.#at > 0) {
      this.#at--;
    } else {
      this.#leaf = this.#leaf?.previous;
      this.#at = (this.#leaf?.count ?? 0) - 1;
    }
    this.#goTo(this.#leaf === undefined || this.#at < 0 ? 0 : this.#leaf.key(this.#at));
  }

  #goTo(key: number): void {
    this.#key = key;
    this.#record = undefined;
  }

  #replace(): void {
    if (this.#keys === this.#count.keys) return;
    const records = this.#records;
    this.#place(records.prefixBytes(this.#key), records.prefixStart(this.#key), records.prefixLength(this.#key));
  }

  /** Where the first key at or above these bytes is, or would be. */
  #place(target: Uint8Array, start: number, length: number): void {
    this.#keys = this.#count.keys;
    this.#leaf = this.#order.leafFor(target, start, length);
    this.#at = this.#leaf.lowerBound(target, start, length);
  }
}
