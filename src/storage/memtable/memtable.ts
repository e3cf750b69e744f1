/**
 * The newest writes, in key order, each key with its versions from newest to oldest. Only added to:
 * a version that was inserted never changes, and each carries the sequence of its write, so that a
 * view which was taken before a write does not see it, and sees all else for as long as it likes.
 *
 * No write costs an object: keys and versions are words in an arena (`KeyRecords`), found by hash
 * (`HashIndex`) and in order (`KeyOrder`).
 */

import { assert, AssertionError } from '../../base/assert.js';
import { compareBytes } from '../../base/bytes.js';
import { prefixBytesMax, writePrefixOf } from '../base/key.js';
import { USER_SPACE, type TreeWrite } from '../base/read-view.js';
import type { VersionSlot } from '../base/version-slot.js';
import { HashIndex, hashBytes } from './hash-index.js';
import { KeyOrder, type Leaf } from './key-order.js';
import { KeyRecords } from './key-records.js';
import { MemCursor } from './mem-cursor.js';
import { MemRecord } from './mem-record.js';

export type { MemCursor } from './mem-cursor.js';

/** What a key takes in the two indexes, on average. */
const INDEX_BYTES = 40;

/** The prefix of the key that is being written: one write at a time. */
let scratch = new Uint8Array(256);

export class Memtable {
  readonly #records = new KeyRecords();
  readonly #order = new KeyOrder(this.#records);
  readonly #index = new HashIndex(this.#records);
  #keys = 0;
  #versions = 0;
  #lastSequence = 0;
  #sealed = false;

  /** Of memory, for keys, values and bookkeeping. */
  get bytes(): number {
    return this.#records.bytes + this.#keys * INDEX_BYTES;
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
    const { space, key: userKey, liveDelta } = write;
    assert(liveDelta === 0 || (liveDelta >= -1 && liveDelta <= 1 && space === USER_SPACE), 'S2 a write counts for one user key at most');
    const records = this.#records;
    if (scratch.length < prefixBytesMax(userKey)) scratch = new Uint8Array(2 * prefixBytesMax(userKey));
    const length = writePrefixOf(scratch, space, userKey);
    const hash = hashBytes(scratch, length);
    let key = this.#find(scratch, length, hash);
    if (key === 0) {
      key = records.addKey(scratch, length);
      records.addVersion(key, write, sequence);
      this.#order.insert(key);
      this.#index.add(key, hash);
      this.#keys++;
    } else {
      this.#checkNewer(key, write);
      records.addVersion(key, write, sequence);
      if (liveDelta !== 0) this.#order.leafOf(key).liveDelta += liveDelta;
    }
    this.#versions++;
    this.#lastSequence = sequence;
  }

  #checkNewer(key: number, { space, revision, sub }: TreeWrite): void {
    const records = this.#records;
    const before = records.newest(key);
    const revisionBefore = records.revision(before);
    const newer = revision > revisionBefore || (revision === revisionBefore && sub > records.sub(before));
    if (newer || (space !== USER_SPACE && revision === revisionBefore)) return;
    throw new AssertionError(`invariant broken: S2 version ${revision}.${sub} written after ${revisionBefore}.${records.sub(before)}`);
  }

  find(prefix: Uint8Array): MemRecord | undefined {
    const key = this.#find(prefix, prefix.length, hashBytes(prefix, prefix.length));
    return key === 0 ? undefined : new MemRecord(this.#records, key);
  }

  /** Fills in all but the key of the version that such a reader sees; false if there is none. */
  findVisible(prefix: Uint8Array, revision: number, sequence: number, into: VersionSlot): boolean {
    const key = this.#find(prefix, prefix.length, hashBytes(prefix, prefix.length));
    const version = key === 0 ? 0 : this.#records.visible(key, revision, sequence);
    if (version !== 0) this.#records.fill(version, into);
    return version !== 0;
  }

  #find(prefix: Uint8Array, length: number, hash: number): number {
    const found = this.#index.find(prefix, length, hash);
    if (found !== 0 || !this.#index.partial) return found;
    const leaf = this.#order.leafFor(prefix, 0, length);
    const at = leaf.lowerBound(prefix, 0, length);
    return at < leaf.count && this.#records.equals(leaf.key(at), prefix, 0, length) ? leaf.key(at) : 0;
  }

  cursor(): MemCursor {
    return new MemCursor(this.#records, this.#order, this);
  }

  /**
   * Sum of the live deltas of what was written at or before `sequence` to keys in [from, to), given
   * as prefixes.
   */
  liveDeltaSum(from: Uint8Array, to: Uint8Array, sequence: number): number {
    if (compareBytes(from, to) >= 0) return 0;
    const last = this.#order.leafFor(to, 0, to.length);
    const end = last.lowerBound(to, 0, to.length);
    const first = this.#order.leafFor(from, 0, from.length);
    let start = first.lowerBound(from, 0, from.length);
    const whole = sequence >= this.#lastSequence;
    let sum = 0;
    for (let leaf: Leaf | undefined = first; leaf !== undefined; leaf = leaf === last ? undefined : leaf.next) {
      const stop = leaf === last ? end : leaf.count;
      if (whole && start === 0 && stop === leaf.count) sum += leaf.liveDelta;
      else for (let i = start; i < stop; i++) sum += this.#liveDelta(leaf.key(i), whole, sequence);
      start = 0;
    }
    return sum;
  }

  #liveDelta(key: number, whole: boolean, sequence: number): number {
    const records = this.#records;
    if (whole) return records.liveDeltaSum(key);
    let sum = 0;
    for (let version = records.newest(key); version !== 0; version = records.older(version)) {
      if (records.sequence(version) <= sequence) sum += records.liveDelta(version);
    }
    return sum;
  }
}
