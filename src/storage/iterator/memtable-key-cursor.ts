/**
 * The keys of a memtable as a reader sees them whose view was taken at write `sequence`. Nothing is
 * made per key: the key that it stands at is copied into the cursor's own buffer.
 */

import { assert } from '../../base/assert.js';
import type { MemCursor, Memtable } from '../memtable/memtable.js';
import type { VersionSlot } from '../base/version-slot.js';
import type { KeyCursor } from './key-cursor.js';

export class MemtableKeyCursor implements KeyCursor {
  keyBytes = new Uint8Array(64);
  keyEnd = 0;
  readonly #cursor: MemCursor;
  readonly #sequence: number;
  #forward = true;

  constructor(memtable: Memtable, sequence: number) {
    this.#cursor = memtable.cursor();
    this.#sequence = sequence;
  }

  get valid(): boolean {
    return this.#cursor.key !== 0;
  }

  seek(target: Uint8Array): void {
    this.#forward = true;
    this.#cursor.seek(target);
    this.#takeKey();
  }

  seekBefore(target: Uint8Array): void {
    this.#forward = false;
    this.#cursor.seekBefore(target);
    this.#takeKey();
  }

  /** It stands at the slot's key: to resolve that does not move it. */
  pass(): void {
    if (this.#forward) this.#cursor.next();
    else this.#cursor.prev();
    this.#takeKey();
  }

  resolve(revision: number, slot: VersionSlot): boolean {
    const version = this.#visible(revision);
    if (version !== 0) this.#cursor.records.fill(version, slot);
    return version !== 0;
  }

  /** Sum of the live deltas of the key's versions at or below `revision`. */
  liveDeltaAt(revision: number): number {
    const { records } = this.#cursor;
    let sum = 0;
    for (let version = this.#visible(revision); version !== 0; version = records.older(version)) sum += records.liveDelta(version);
    return sum;
  }

  /** To the next key; only after `seek`. */
  next(): void {
    this.#cursor.next();
    this.#takeKey();
  }

  #visible(revision: number): number {
    const { key, records } = this.#cursor;
    assert(key !== 0, 'a valid cursor has a key');
    return records.visible(key, revision, this.#sequence);
  }

  #takeKey(): void {
    const { key, records } = this.#cursor;
    this.keyEnd = key === 0 ? 0 : records.prefixLength(key);
    if (key === 0) return;
    if (this.keyEnd > this.keyBytes.length) this.keyBytes = new Uint8Array(2 * this.keyEnd);
    records.copyPrefix(key, this.keyBytes);
  }
}
