/**
 * One version of a key where it lies: in a block or in a memtable, named by offsets, nothing copied
 * and nothing allocated. Whoever looks for a version fills the slot that the reader brings; the
 * bytes that it names are never written again, but for the key of a walk, and the value of a walk
 * over keys alone: these its next move overwrites.
 */

import { EMPTY } from '../../base/bytes.js';

export class VersionSlot {
  /** The key's prefix (space, escaped key, terminator) is [0, keyEnd) of it. */
  keyBytes: Uint8Array = EMPTY;
  keyEnd = 0;
  revision = 0;
  sub = 0;
  tombstone = false;
  /** +1 created, 0 overwrote, -1 deleted. */
  liveDelta = 0;
  /** The value is [valueAt, valueEnd) of it. */
  valueBytes: Uint8Array = EMPTY;
  valueAt = 0;
  valueEnd = 0;

  /** All but the key. */
  set(revision: number, sub: number, tombstone: boolean, liveDelta: number, value: Uint8Array, valueAt: number, valueEnd: number): void {
    this.revision = revision;
    this.sub = sub;
    this.tombstone = tombstone;
    this.liveDelta = liveDelta;
    this.valueBytes = value;
    this.valueAt = valueAt;
    this.valueEnd = valueEnd;
  }

  /** Takes a copy of the prefix [at, end) of `bytes`. The buffer is the slot's own from then on. */
  copyKey(bytes: Uint8Array, at: number, end: number): void {
    const length = end - at;
    if (length > this.keyBytes.length) this.keyBytes = new Uint8Array(Math.max(64, 2 * length));
    const key = this.keyBytes;
    if (length > LOOP_BYTES_MAX) key.set(bytes.subarray(at, end));
    else for (let i = 0, from = at; i < length; i++, from++) key[i] = bytes[from] as number;
    this.keyEnd = length;
  }

  /** Is the prefix [at, end) of `bytes` this key's? */
  isKey(bytes: Uint8Array, at: number, end: number): boolean {
    const key = this.keyBytes;
    const length = this.keyEnd;
    if (end - at !== length) return false;
    // Neighbours in key order differ near their ends.
    for (let i = length - 1, from = end - 1; i >= 0; i--, from--) if (key[i] !== bytes[from]) return false;
    return true;
  }
}

/** Longer copies are the runtime's, shorter ones a loop: making a view costs more than they do. */
const LOOP_BYTES_MAX = 64;
