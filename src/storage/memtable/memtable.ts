/**
 * The newest writes, in key order, each key with its versions from newest to oldest. Only added to:
 * a version that was inserted never changes, and each carries the sequence of its write, so that a
 * view which was taken before a write does not see it, and sees all else for as long as it likes.
 *
 * Two levels: an array of leaves, each a sorted array of records. A memtable is bounded (some ten
 * thousand keys), so moving a few hundred pointers at a split costs less than the nodes of a deeper
 * tree would.
 */

import { assert } from '../../base/assert.js';
import { compareBytes, equalBytes } from '../../base/bytes.js';
import { encodePrefix } from '../base/key.js';
import { USER_SPACE, type TreeWrite } from '../base/read-view.js';
import { Arena } from './arena.js';
import { PrefixIndex } from './prefix-index.js';

/** Counted per version besides its key and value. */
const VERSION_OVERHEAD_BYTES = 64;
const LEAF_RECORDS_MAX = 128;

export interface MemVersion {
  readonly sequence: number;
  readonly revision: number;
  readonly sub: number;
  readonly tombstone: boolean;
  readonly liveDelta: number;
  readonly value: Uint8Array;
  readonly older: MemVersion | undefined;
}

/** One key. */
interface MemRecord {
  /** As in an internal key, before the revision. */
  readonly prefix: Uint8Array;
  newest: MemVersion;
}

interface Placed extends MemRecord {
  leaf: Leaf;
}

interface Leaf {
  /** Prefixes of the records: searched instead of them, one step less to each key. */
  readonly keys: Uint8Array[];
  readonly records: Placed[];
  /** Sum of the live deltas of all versions in it. */
  liveDelta: number;
}

/** The newest version at or below `revision` that was written at or before `sequence`. */
export function visibleVersion(record: MemRecord, revision: number, sequence: number): MemVersion | undefined {
  let version: MemVersion | undefined = record.newest;
  while (version !== undefined && (version.revision > revision || version.sequence > sequence)) version = version.older;
  return version;
}

/** First position in `keys` that is at or above `target`. */
function lowerBoundIn(keys: readonly Uint8Array[], target: Uint8Array): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBytes(keys[middle] as Uint8Array, target) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

export class Memtable {
  readonly #arena = new Arena();
  readonly #leaves: Leaf[] = [];
  /** First key of each leaf. */
  readonly #firsts: Uint8Array[] = [];
  readonly #index = new PrefixIndex<Placed>();
  #bytes = 0;
  #keys = 0;
  #versions = 0;
  #lastSequence = 0;
  #sealed = false;

  /** Of keys, values and bookkeeping, roughly. */
  get bytes(): number {
    return this.#bytes;
  }

  get empty(): boolean {
    return this.#versions === 0;
  }

  get versions(): number {
    return this.#versions;
  }

  /**
   * Grows whenever a key is added, and only then: a cursor that remembers it knows whether its
   * position holds.
   */
  get keys(): number {
    return this.#keys;
  }

  /** Of the newest write. */
  get lastSequence(): number {
    return this.#lastSequence;
  }

  get sealed(): boolean {
    return this.#sealed;
  }

  /** Nothing is written any more: what it holds is what its flush writes. */
  seal(): void {
    assert(!this.#sealed, 'S1 a memtable is sealed once');
    this.#sealed = true;
  }

  /**
   * In the user space each version of a key must be newer than the one before it. Key and value are
   * copied.
   */
  insert(write: TreeWrite, sequence: number): void {
    assert(!this.#sealed, 'S1 nothing is written to a sealed memtable');
    assert(sequence >= this.#lastSequence, 'S1 writes come in order');
    const prefix = encodePrefix(write.space, write.key);
    const record = this.#find(prefix);
    const older = record?.newest;
    const { revision, sub, tombstone, liveDelta } = write;
    assert(liveDelta >= -1 && liveDelta <= 1 && (liveDelta === 0 || write.space === USER_SPACE), 'S2 a write counts for one user key at most');
    if (older !== undefined) {
      const newer = revision > older.revision || (revision === older.revision && sub > older.sub);
      const again = write.space !== USER_SPACE && revision === older.revision;
      assert(newer || again, `S2 version ${revision}.${sub} written after ${older.revision}.${older.sub}`);
    }
    const value = this.#arena.copy(write.value);
    const version: MemVersion = { sequence, revision, sub, tombstone, liveDelta, value, older };
    if (record === undefined) {
      this.#addRecord(prefix, version);
    } else {
      record.newest = version;
      record.leaf.liveDelta += liveDelta;
    }
    this.#bytes += prefix.length + value.length + VERSION_OVERHEAD_BYTES;
    this.#versions++;
    this.#lastSequence = sequence;
  }

  find(prefix: Uint8Array): MemRecord | undefined {
    return this.#find(prefix);
  }

  #find(prefix: Uint8Array): Placed | undefined {
    const found = this.#index.find(prefix);
    if (found !== undefined || !this.#index.partial) return found;
    const leaf = this.#leaves[this.#leafFor(prefix)];
    const record = leaf?.records[lowerBoundIn(leaf.keys, prefix)];
    return record !== undefined && equalBytes(record.prefix, prefix) ? record : undefined;
  }

  cursor(): MemCursor {
    return new MemCursor(this.#leaves, this);
  }

  /**
   * Sum of the live deltas of what was written at or before `sequence` to keys in [from, to), given
   * as prefixes.
   */
  liveDeltaSum(from: Uint8Array, to: Uint8Array, sequence: number): number {
    if (compareBytes(from, to) >= 0) return 0;
    const whole = sequence >= this.#lastSequence;
    let sum = 0;
    for (let i = this.#leafFor(from); i < this.#leaves.length; i++) {
      const leaf = this.#leaves[i] as Leaf;
      const { keys, records } = leaf;
      if (compareBytes(this.#firsts[i] as Uint8Array, to) >= 0) break;
      const start = lowerBoundIn(keys, from);
      const end = lowerBoundIn(keys, to);
      if (whole && start === 0 && end === records.length) {
        sum += leaf.liveDelta;
        continue;
      }
      for (let r = start; r < end; r++) {
        for (let v: MemVersion | undefined = (records[r] as MemRecord).newest; v !== undefined; v = v.older) {
          if (v.sequence <= sequence) sum += v.liveDelta;
        }
      }
    }
    return sum;
  }

  /** Index of the last leaf that begins at or below `prefix`; 0 if there is none. */
  #leafFor(prefix: Uint8Array): number {
    const at = lowerBoundIn(this.#firsts, prefix);
    const first = this.#firsts[at];
    if (first !== undefined && equalBytes(first, prefix)) return at;
    return at === 0 ? 0 : at - 1;
  }

  #addRecord(prefix: Uint8Array, newest: MemVersion): void {
    if (this.#leaves.length === 0) {
      this.#leaves.push({ keys: [], records: [], liveDelta: 0 });
      this.#firsts.push(prefix);
    }
    const leafIndex = this.#leafFor(prefix);
    const leaf = this.#leaves[leafIndex] as Leaf;
    const record: Placed = { prefix, newest, leaf };
    const at = lowerBoundIn(leaf.keys, prefix);
    if (at === leaf.records.length) {
      leaf.keys.push(prefix);
      leaf.records.push(record);
    } else {
      leaf.keys.splice(at, 0, prefix);
      leaf.records.splice(at, 0, record);
      if (at === 0) this.#firsts[leafIndex] = prefix;
    }
    leaf.liveDelta += newest.liveDelta;
    this.#index.add(record);
    this.#keys++;
    if (leaf.records.length > LEAF_RECORDS_MAX) this.#split(leaf, leafIndex, at);
  }

  /** Ascending inserts leave full leaves behind; others leave halves. */
  #split(leaf: Leaf, leafIndex: number, insertedAt: number): void {
    const { records } = leaf;
    const atEnd = insertedAt === records.length - 1 && leafIndex === this.#leaves.length - 1;
    const from = atEnd ? records.length - 1 : records.length >>> 1;
    const right: Leaf = { keys: leaf.keys.splice(from), records: records.splice(from), liveDelta: 0 };
    for (const record of right.records) {
      record.leaf = right;
      for (let v: MemVersion | undefined = record.newest; v !== undefined; v = v.older) right.liveDelta += v.liveDelta;
    }
    leaf.liveDelta -= right.liveDelta;
    assert(records.length > 0 && right.records.length > 0, 'a split leaves no leaf empty');
    assert(leaf.keys.length === records.length && right.keys.length === right.records.length, 'a leaf has the key of each of its records');
    this.#leaves.splice(leafIndex + 1, 0, right);
    this.#firsts.splice(leafIndex + 1, 0, right.keys[0] as Uint8Array);
  }
}

/**
 * Walks the keys of a memtable, both ways. Keys may be inserted meanwhile: the cursor finds its
 * place again.
 */
export class MemCursor {
  readonly #leaves: readonly Leaf[];
  readonly #memtable: Memtable;
  #leaf = 0;
  #at = 0;
  #keys = 0;
  #record: MemRecord | undefined;

  constructor(leaves: readonly Leaf[], memtable: Memtable) {
    this.#leaves = leaves;
    this.#memtable = memtable;
  }

  /** Undefined: beyond either end. */
  get record(): MemRecord | undefined {
    return this.#record;
  }

  /** To the first key at or above `target`. */
  seek(target: Uint8Array): void {
    this.#place(target);
    this.#record = this.#leaves[this.#leaf]?.records[this.#at];
  }

  /** To the last key below `target`. */
  seekBefore(target: Uint8Array): void {
    this.#place(target);
    this.#stepBack();
  }

  next(): void {
    const record = this.#record;
    if (record === undefined) return;
    if (this.#keys !== this.#memtable.keys) this.#place(record.prefix);
    const leaf = this.#leaves[this.#leaf] as Leaf;
    this.#at++;
    if (this.#at >= leaf.records.length) {
      this.#leaf++;
      this.#at = 0;
    }
    this.#record = this.#leaves[this.#leaf]?.records[this.#at];
  }

  prev(): void {
    const record = this.#record;
    if (record === undefined) return;
    if (this.#keys !== this.#memtable.keys) this.#place(record.prefix);
    this.#stepBack();
  }

  #stepBack(): void {
    if (this.#at > 0) {
      this.#at--;
    } else if (this.#leaf > 0) {
      this.#leaf--;
      this.#at = (this.#leaves[this.#leaf] as Leaf).records.length - 1;
    } else {
      this.#record = undefined;
      return;
    }
    this.#record = this.#leaves[this.#leaf]?.records[this.#at];
  }

  /** Where the first key at or above `target` is, or would be. */
  #place(target: Uint8Array): void {
    this.#keys = this.#memtable.keys;
    let low = 0;
    let high = this.#leaves.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { keys } = this.#leaves[middle] as Leaf;
      if (compareBytes(keys[keys.length - 1] as Uint8Array, target) < 0) low = middle + 1;
      else high = middle;
    }
    this.#leaf = low;
    const leaf = this.#leaves[low];
    this.#at = leaf === undefined ? 0 : lowerBoundIn(leaf.keys, target);
  }
}
