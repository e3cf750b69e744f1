/**
 * What a memtable says of keys and versions, as words in its arena.
 *
 *   key      newest version | leaf | sum of live deltas | prefix length | prefix
 *   version  older version or 0 | sequence, low and high | revision, low and high | sub |
 *            value length << 3 | live delta + 1 << 1 | tombstone | value
 *
 * All but the first three words of a key never change. A key whose newest version is 0 does not
 * come out of here: it is made with its first version.
 */

import { assert } from '../../base/assert.js';
import type { TreeWrite } from '../base/read-view.js';
import type { VersionSlot } from '../base/version-slot.js';
import { Arena, byteOf, wordOf } from './arena.js';

const TWO_32 = 0x1_0000_0000;

const NEWEST = 0;
const LEAF = 1;
const LIVE_DELTA = 2;
const PREFIX_LENGTH = 3;
const KEY_WORDS = 4;

const OLDER = 0;
const SEQUENCE_LOW = 1;
const SEQUENCE_HIGH = 2;
const REVISION_LOW = 3;
const REVISION_HIGH = 4;
const SUB = 5;
const VALUE = 6;
const VERSION_WORDS = 7;

const VALUE_BYTES_MAX = 2 ** 29 - 1;
/** Longer values are copied by the runtime, shorter ones faster by hand. */
const COPY_BY_HAND_MAX = 48;

export class KeyRecords {
  readonly #arena = new Arena();

  /** Of the arena. */
  get bytes(): number {
    return this.#arena.bytes;
  }

  addKey(prefix: Uint8Array, length: number): number {
    const key = this.#arena.allocate(KEY_WORDS * 4 + length);
    this.#arena.words(key)[wordOf(key) + PREFIX_LENGTH] = length;
    copyInto(this.#arena.bytesAt(key), byteOf(key) + KEY_WORDS * 4, prefix, length);
    return key;
  }

  /** In front of the versions that `key` has. */
  addVersion(key: number, write: TreeWrite, sequence: number): void {
    const { revision, sub, tombstone, liveDelta, value } = write;
    assert(value.length <= VALUE_BYTES_MAX, 'a value of a memtable has less than 512 MiB');
    const version = this.#arena.allocate(VERSION_WORDS * 4 + value.length);
    const words = this.#arena.words(version);
    const at = wordOf(version);
    const keyWords = this.#arena.words(key);
    const keyAt = wordOf(key);
    words[at + OLDER] = keyWords[keyAt + NEWEST] as number;
    words[at + SEQUENCE_LOW] = sequence >>> 0;
    words[at + SEQUENCE_HIGH] = sequence / TWO_32;
    words[at + REVISION_LOW] = revision >>> 0;
    words[at + REVISION_HIGH] = revision / TWO_32;
    words[at + SUB] = sub;
    words[at + VALUE] = (value.length << 3) | ((liveDelta + 1) << 1) | (tombstone ? 1 : 0);
    copyInto(this.#arena.bytesAt(version), (at + VERSION_WORDS) << 2, value, value.length);
    keyWords[keyAt + LIVE_DELTA] = (keyWords[keyAt + LIVE_DELTA] as number) + liveDelta;
    keyWords[keyAt + NEWEST] = version;
  }

  // Keys.

  /** 0: none yet. */
  newest(key: number): number {
    return this.#arena.words(key)[wordOf(key) + NEWEST] as number;
  }

  leaf(key: number): number {
    return this.#arena.words(key)[wordOf(key) + LEAF] as number;
  }

  setLeaf(key: number, leaf: number): void {
    this.#arena.words(key)[wordOf(key) + LEAF] = leaf;
  }

  /** Of all its versions. */
  liveDeltaSum(key: number): number {
    return (this.#arena.words(key)[wordOf(key) + LIVE_DELTA] as number) | 0;
  }

  prefixLength(key: number): number {
    return this.#arena.words(key)[wordOf(key) + PREFIX_LENGTH] as number;
  }

  /** The bytes among which the prefix begins at {@link prefixStart}. */
  prefixBytes(key: number): Uint8Array {
    return this.#arena.bytesAt(key);
  }

  prefixStart(key: number): number {
    return byteOf(key) + KEY_WORDS * 4;
  }

  /** A view. */
  prefix(key: number): Uint8Array {
    const start = this.prefixStart(key);
    return this.prefixBytes(key).subarray(start, start + this.prefixLength(key));
  }

  /** Copies the prefix to the beginning of `into`, which is long enough. */
  copyPrefix(key: number, into: Uint8Array): void {
    const from = this.prefixBytes(key);
    const length = this.prefixLength(key);
    const start = this.prefixStart(key);
    if (length > COPY_BY_HAND_MAX) into.set(from.subarray(start, start + length));
    else for (let i = 0; i < length; i++) into[i] = from[start + i] as number;
  }

  /** Is the prefix of `key` the `length` bytes from `start` on? */
  equals(key: number, bytes: Uint8Array, start: number, length: number): boolean {
    if (this.prefixLength(key) !== length) return false;
    const own = this.prefixBytes(key);
    const from = this.prefixStart(key);
    // Different keys mostly begin alike.
    for (let i = length - 1; i >= 0; i--) if (own[from + i] !== bytes[start + i]) return false;
    return true;
  }

  // Versions.

  /** 0: there is none. */
  older(version: number): number {
    return this.#arena.words(version)[wordOf(version) + OLDER] as number;
  }

  /**
   * The newest version of `key` at or below `revision` that was written at or before `sequence`; 0:
   * there is none.
   */
  visible(key: number, revision: number, sequence: number): number {
    let version = this.newest(key);
    while (version !== 0 && (this.revision(version) > revision || this.sequence(version) > sequence)) version = this.older(version);
    return version;
  }

  /** All but the key. */
  fill(version: number, slot: VersionSlot): void {
    const at = wordOf(version);
    const word = this.#arena.words(version)[at + VALUE] as number;
    const start = (at + VERSION_WORDS) << 2;
    const liveDelta = ((word >>> 1) & 3) - 1;
    const bytes = this.#arena.bytesAt(version);
    slot.set(this.revision(version), this.sub(version), (word & 1) === 1, liveDelta, bytes, start, start + (word >>> 3));
  }

  sequence(version: number): number {
    const words = this.#arena.words(version);
    const at = wordOf(version);
    return (words[at + SEQUENCE_HIGH] as number) * TWO_32 + (words[at + SEQUENCE_LOW] as number);
  }

  revision(version: number): number {
    const words = this.#arena.words(version);
    const at = wordOf(version);
    return (words[at + REVISION_HIGH] as number) * TWO_32 + (words[at + REVISION_LOW] as number);
  }

  sub(version: number): number {
    return this.#arena.words(version)[wordOf(version) + SUB] as number;
  }

  tombstone(version: number): boolean {
    return ((this.#arena.words(version)[wordOf(version) + VALUE] as number) & 1) === 1;
  }

  liveDelta(version: number): number {
    return (((this.#arena.words(version)[wordOf(version) + VALUE] as number) >>> 1) & 3) - 1;
  }

  /** A view. */
  value(version: number): Uint8Array {
    const at = wordOf(version);
    const length = (this.#arena.words(version)[at + VALUE] as number) >>> 3;
    const start = (at + VERSION_WORDS) << 2;
    return this.#arena.bytesAt(version).subarray(start, start + length);
  }
}

function copyInto(into: Uint8Array, at: number, from: Uint8Array, length: number): void {
  if (length > COPY_BY_HAND_MAX) {
    into.set(length === from.length ? from : from.subarray(0, length), at);
    return;
  }
  for (let i = 0; i < length; i++) into[at + i] = from[i] as number;
}
