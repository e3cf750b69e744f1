/**
 * All entries of several runs in internal key order, for compaction. A run is one table, or tables
 * that follow each other. As long as the leading run stays below the second, it is stepped without
 * asking the others; six bytes of each key as a number decide most of the time. What is read here
 * is not cached: the inputs of a compaction are about to go, and blocks that reads need would make
 * room for them.
 */

import { assert } from '../../base/assert.js';
import { EMPTY } from '../../base/bytes.js';
import { EntrySlot } from '../base/entry-slot.js';
import { revisionIn } from '../base/key.js';
import { compareFrom, HEAD_BYTES, headOf } from '../base/key-head.js';
import { USER_SPACE } from '../base/read-view.js';
import { DataBlockCursor } from '../table/data-block-cursor.js';
import { isSorted } from '../table/key-span.js';
import type { TableReader } from '../table/table-reader.js';

/** Head of a run that is at its end: above every other. */
const ENDED = Infinity;

/** Tables one after the other, forward only. */
class Run {
  readonly #readers: readonly TableReader[];
  #at = 0;
  /** Of the block that `entries` has open. */
  #ordinal = -1;
  readonly entries = new DataBlockCursor();

  constructor(readers: readonly TableReader[]) {
    assert(readers.length > 0 && isSorted(readers.map((reader) => reader.meta)), 'S3 tables of a run follow each other by key');
    this.#readers = readers;
  }

  /** To the first entry, or to the next one; false at the end. */
  next(): boolean {
    const { entries } = this;
    if (entries.valid) {
      entries.next();
      if (entries.valid) return true;
    }
    return this.#nextBlock();
  }

  #nextBlock(): boolean {
    for (let reader = this.#readers[this.#at]; reader !== undefined; reader = this.#readers[++this.#at]) {
      this.#ordinal++;
      if (this.#ordinal < reader.blocks) {
        this.entries.open(reader.blockOnce(this.#ordinal));
        this.entries.seekToFirst();
        return true;
      }
      this.#ordinal = -1;
    }
    return false;
  }
}

export class MergeCursor {
  /** The entry it stands at; its key is overwritten by the next move. */
  readonly slot = new EntrySlot();
  readonly #runs: readonly Run[];
  /** Bytes that all keys begin with, and for each run the head of its key behind them. */
  readonly #common: number;
  readonly #heads: Float64Array;
  /** -1: none. `#second` has the least key of the other runs: it does not move meanwhile. */
  #leader = -1;
  #second = -1;
  #started = false;

  constructor(runs: readonly (readonly TableReader[])[]) {
    this.#runs = runs.map((readers) => new Run(readers));
    this.#common = commonOf(runs.flat());
    this.#heads = new Float64Array(runs.length).fill(ENDED);
  }

  /** To the first entry, or to the next one, in the slot; false at the end. */
  next(): boolean {
    if (!this.#started) this.#start();
    else if (this.#leader !== -1) this.#step();
    if (this.#leader === -1) return false;
    const { slot } = this;
    const { entries } = this.#runs[this.#leader] as Run;
    slot.key = entries.keyBuffer;
    slot.keyEnd = entries.keyLength;
    slot.tombstone = entries.tombstone;
    slot.liveDelta = entries.liveDelta;
    slot.value = entries.payload;
    slot.valueAt = entries.valueAt;
    slot.valueEnd = entries.valueEnd;
    slot.revision = revisionIn(slot.key, slot.keyEnd);
    slot.userSpace = slot.key[0] === USER_SPACE;
    return true;
  }

  #start(): void {
    this.#started = true;
    for (let i = 0; i < this.#runs.length; i++) this.#advance(i);
    this.#elect();
  }

  #step(): void {
    const leader = this.#leader;
    this.#advance(leader);
    if (this.#heads[leader] !== ENDED && (this.#second === -1 || this.#order(leader, this.#second) < 0)) return;
    this.#elect();
  }

  #advance(i: number): void {
    const run = this.#runs[i] as Run;
    const { entries } = run;
    this.#heads[i] = run.next() ? headOf(entries.keyBuffer, this.#common, entries.keyLength) : ENDED;
  }

  /** Negative if run i stands before run j; both have not ended. */
  #order(i: number, j: number): number {
    const difference = (this.#heads[i] as number) - (this.#heads[j] as number);
    if (difference !== 0) return difference;
    const a = (this.#runs[i] as Run).entries;
    const b = (this.#runs[j] as Run).entries;
    const order = compareFrom(a.keyBuffer, a.keyLength, b.keyBuffer, b.keyLength, this.#common + HEAD_BYTES);
    assert(order !== 0, 'S1 no two tables hold the same version of a key');
    return order;
  }

  #elect(): void {
    const heads = this.#heads;
    let leader = -1;
    let second = -1;
    for (let i = 0; i < heads.length; i++) {
      if (heads[i] === ENDED) continue;
      if (leader === -1 || this.#order(i, leader) < 0) {
        second = leader;
        leader = i;
      } else if (second === -1 || this.#order(i, second) < 0) {
        second = i;
      }
    }
    this.#leader = leader;
    this.#second = second;
  }
}

/** How many bytes all keys of these tables begin with. */
function commonOf(readers: readonly TableReader[]): number {
  const first = readers[0]?.meta.smallest ?? EMPTY;
  let common = first.length;
  for (const { meta } of readers) {
    for (const key of [meta.smallest, meta.largest]) {
      let i = 0;
      while (i < common && i < key.length && key[i] === first[i]) i++;
      common = i;
    }
  }
  return common;
}
