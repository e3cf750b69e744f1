/**
 * All entries of several runs in internal key order, for compaction. A run is one table, or tables
 * that follow each other. As long as the leading run stays below the second, it is stepped without
 * asking the others.
 */

import { assert } from '../../base/assert.js';
import { compareBytes } from '../../base/bytes.js';
import type { TableCursor } from '../base/table-entry.js';
import { isSorted } from '../table/key-span.js';
import type { TableReader } from '../table/table-reader.js';

/** Tables one after the other, forward only. */
class Run {
  readonly #readers: readonly TableReader[];
  #at = -1;
  cursor: TableCursor | undefined;

  constructor(readers: readonly TableReader[]) {
    assert(readers.length > 0 && isSorted(readers.map((reader) => reader.meta)), 'S3 tables of a run follow each other by key');
    this.#readers = readers;
    this.#nextTable();
  }

  next(): void {
    const { cursor } = this;
    cursor?.next();
    if (cursor !== undefined && !cursor.valid) this.#nextTable();
  }

  #nextTable(): void {
    do {
      this.#at++;
      this.cursor = this.#readers[this.#at]?.cursor();
      this.cursor?.seekToFirst();
    } while (this.cursor !== undefined && !this.cursor.valid);
  }
}

export class MergeCursor {
  readonly #runs: Run[];
  #leader: Run | undefined;
  /** The least key of the other runs: its cursor does not move while the leader is below it. */
  #bound: Uint8Array | undefined;

  constructor(runs: readonly (readonly TableReader[])[]) {
    this.#runs = runs.map((readers) => new Run(readers));
    this.#elect();
  }

  /** Stands at the least entry; undefined at the end. Valid until `next`. */
  get entry(): TableCursor | undefined {
    return this.#leader?.cursor;
  }

  next(): void {
    const leader = this.#leader;
    if (leader === undefined) return;
    leader.next();
    const key = leader.cursor?.key;
    if (key !== undefined && (this.#bound === undefined || compareBytes(key, this.#bound) < 0)) return;
    this.#elect();
  }

  #elect(): void {
    let leader: Run | undefined;
    let first: Uint8Array | undefined;
    let second: Uint8Array | undefined;
    for (const run of this.#runs) {
      const key = run.cursor?.key;
      if (key === undefined) continue;
      const order = first === undefined ? -1 : compareBytes(key, first);
      assert(order !== 0, 'S1 no two tables hold the same version of a key');
      if (order < 0) {
        second = first;
        first = key;
        leader = run;
      } else if (second === undefined || compareBytes(key, second) < 0) {
        second = key;
      }
    }
    this.#leader = leader;
    this.#bound = second;
  }
}
