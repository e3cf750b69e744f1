/**
 * The keys of a run of tables that are sorted and share no key: a level, or one table of level 0.
 * It is one long table, opened piece by piece. No key lies in two tables, but its versions may fill
 * many blocks: newest first, so that walking forward enters a key at its newest version, walking
 * backward at its oldest. Short histories are stepped over, long ones sought past by the index,
 * without reading the blocks between.
 */

import { assert, must } from '../../base/assert.js';
import { compareBytes, EMPTY, KiB } from '../../base/bytes.js';
import { afterKey, MAX_SUB, revisionIn, subIn, withRevision } from '../base/key.js';
import type { VersionSlot } from '../base/version-slot.js';
import { SEQUENCE_BYTES } from '../base/table-entry.js';
import { DataBlockCursor } from '../table/data-block-cursor.js';
import { BlockScratch } from '../table/read-block.js';
import type { TableReader } from '../table/table-reader.js';
import type { KeyCursor } from './key-cursor.js';

/** Steps before a seek is cheaper. */
const STEPS_MAX = 8;
/**
 * Bytes of a payload. A block is closed by the entry that fills it, so that a larger one is a large
 * value and little else: whoever wants only keys keeps no such block.
 */
const LARGE_BLOCK_BYTES = 64 * KiB;

/**
 * What becomes of a large block: it is cached; or read past the cache, for who wants keys alone;
 * or so, and to where another was, for who is done with a version when it asks for the next key.
 */
export type LargeBlocks = 'cached' | 'passed' | 'reused';

/** A table of the run. */
interface RunTable {
  readonly reader: TableReader;
}

export class RunKeyCursor implements KeyCursor {
  /** Sorted by key. The run is [#low, #high) of them. */
  readonly #tables: readonly RunTable[];
  readonly #low: number;
  readonly #high: number;
  readonly #large: LargeBlocks;
  readonly #block = new DataBlockCursor();
  /** What #block has open. */
  #payload: Uint8Array | undefined;
  /** Of it, if that may be overwritten, and where the next such block is read to. */
  #scratch: BlockScratch | undefined;
  #spare: BlockScratch | undefined;
  #table = 0;
  #ordinal = 0;
  #forward = true;
  /** Walking forward: it has gone past the key that it was asked to resolve. */
  #passed = false;

  constructor(tables: readonly RunTable[], low: number, high: number, large: LargeBlocks = 'cached') {
    assert(low < high && high <= tables.length, 'a run has tables');
    this.#tables = tables;
    this.#low = low;
    this.#high = high;
    this.#large = large;
  }

  get valid(): boolean {
    return this.#block.valid;
  }

  get keyBytes(): Uint8Array {
    return this.#block.keyBuffer;
  }

  get keyEnd(): number {
    return this.#block.keyLength - SEQUENCE_BYTES;
  }

  seek(target: Uint8Array): void {
    this.#forward = true;
    this.#passed = false;
    this.#seekTo(target);
  }

  seekBefore(target: Uint8Array): void {
    this.#forward = false;
    this.#seekTo(target);
    if (this.#block.valid) this.#prev();
    else this.#last(this.#high - 1);
  }

  pass(slot: VersionSlot): void {
    if (!this.#forward) this.#passBackward(slot);
    else if (this.#passed) this.#passed = false;
    else this.#passForward(slot);
  }

  resolve(revision: number, slot: VersionSlot): boolean {
    return this.#forward ? this.#resolveDown(revision, slot) : this.#resolveUp(revision, slot);
  }

  /** It stands at the slot's key. */
  #passForward(slot: VersionSlot): void {
    const block = this.#block;
    block.skipPrefix(slot.keyEnd);
    if (block.valid) return;
    const { index } = this.#reader(this.#table);
    const next = this.#ordinal + 1;
    const first = next < index.count ? index.firstKey(next) : EMPTY;
    if (slot.isKey(first, 0, first.length - SEQUENCE_BYTES)) this.#seekTo(afterKey(this.#prefix(slot)));
    else this.#nextBlock();
  }

  #passBackward(slot: VersionSlot): void {
    for (let steps = 0; this.#inKey(slot); steps++) {
      if (steps === STEPS_MAX) this.#seekTo(this.#prefix(slot));
      this.#prev();
    }
  }

  /** From the newest version to older ones. */
  #resolveDown(revision: number, slot: VersionSlot): boolean {
    for (let steps = 0; ; steps++) {
      if (this.#revision() <= revision) return this.#fill(slot);
      if (steps === STEPS_MAX) {
        this.#seekTo(withRevision(this.#prefix(slot), revision, MAX_SUB));
        return this.#stillIn(slot) && this.#fill(slot);
      }
      if (this.#block.nextInPrefix(slot.keyEnd)) continue;
      this.#next();
      if (!this.#stillIn(slot)) return false;
    }
  }

  /** From the oldest version to newer ones. */
  #resolveUp(revision: number, slot: VersionSlot): boolean {
    let found = false;
    for (let steps = 0; this.#inKey(slot) && this.#revision() <= revision; steps++) {
      if (steps === STEPS_MAX) {
        this.#seekTo(withRevision(this.#prefix(slot), revision, MAX_SUB));
        assert(this.#inKey(slot), 'a version that was seen is found again');
        return this.#fill(slot);
      }
      found = this.#fill(slot);
      this.#prev();
    }
    return found;
  }

  /** Walking forward, after a move that may have left the slot's key. */
  #stillIn(slot: VersionSlot): boolean {
    this.#passed = !this.#inKey(slot);
    return !this.#passed;
  }

  #inKey(slot: VersionSlot): boolean {
    const block = this.#block;
    return block.valid && slot.isKey(block.keyBuffer, 0, block.keyLength - SEQUENCE_BYTES);
  }

  #prefix(slot: VersionSlot): Uint8Array {
    return slot.keyBytes.subarray(0, slot.keyEnd);
  }

  #revision(): number {
    return revisionIn(this.#block.keyBuffer, this.#block.keyLength);
  }

  #fill(slot: VersionSlot): true {
    const block = this.#block;
    const sub = subIn(block.keyBuffer, block.keyLength);
    slot.set(this.#revision(), sub, block.tombstone, block.liveDelta, block.payload, block.valueAt, block.valueEnd);
    return true;
  }

  /** To the first entry at or above `target`. */
  #seekTo(target: Uint8Array): void {
    const at = this.#firstEndingAtOrAbove(target);
    this.#block.close();
    if (at === this.#high) return;
    const ordinal = this.#reader(at).index.find(target);
    if (this.#enter(at, ordinal)) this.#block.seek(target);
    else this.#first(at + 1);
  }

  #next(): void {
    this.#block.next();
    if (!this.#block.valid) this.#nextBlock();
  }

  #nextBlock(): void {
    if (this.#enter(this.#table, this.#ordinal + 1)) this.#block.seekToFirst();
    else this.#first(this.#table + 1);
  }

  #prev(): void {
    this.#block.prev();
    if (this.#block.valid) return;
    if (this.#enter(this.#table, this.#ordinal - 1)) this.#block.seekToLast();
    else this.#last(this.#table - 1);
  }

  /** To the first entry of the table at `at`. */
  #first(at: number): void {
    if (at < this.#high && this.#enter(at, 0)) this.#block.seekToFirst();
  }

  /** To the last entry of the table at `at`. */
  #last(at: number): void {
    if (at >= this.#low && this.#enter(at, this.#reader(at).index.count - 1)) this.#block.seekToLast();
  }

  #reader(at: number): TableReader {
    return must(this.#tables[at], 'a table of the run').reader;
  }

  /** False, and the cursor is invalid, if there is no such block. */
  #enter(at: number, ordinal: number): boolean {
    this.#block.close();
    const reader = this.#reader(at);
    if (ordinal < 0 || ordinal >= reader.index.count) return false;
    const same = this.#table === at && this.#ordinal === ordinal ? this.#payload : undefined;
    const payload = same ?? this.#read(reader, ordinal);
    if (payload !== this.#payload) {
      this.#payload = undefined;
      this.#block.open(payload);
      this.#payload = payload;
    }
    this.#table = at;
    this.#ordinal = ordinal;
    return true;
  }

  /**
   * Two are enough to overwrite in turn. Walking backward a version is found by reading on to what
   * is before it: the block it lies in is then the last that was open, and stays as it is.
   */
  #read(reader: TableReader, ordinal: number): Uint8Array {
    if (this.#large === 'cached' || reader.index.payloadBytes(ordinal) <= LARGE_BLOCK_BYTES) return reader.block(ordinal);
    if (this.#large === 'passed') return reader.blockOnce(ordinal);
    const scratch = (this.#spare ??= new BlockScratch());
    const payload = reader.blockOnce(ordinal, scratch);
    this.#spare = this.#scratch;
    this.#scratch = scratch;
    return payload;
  }

  /** First table of the run whose largest key is at or above `target`. */
  #firstEndingAtOrAbove(target: Uint8Array): number {
    let low = this.#low;
    let high = this.#high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareBytes(target, this.#reader(middle).meta.largest) > 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
