/**
 * The digest of a whole file: XXH128 over the XXH128s of its pieces of 64 KiB, in order. Two
 * levels, so that a writer can put a footer at the head after all the rest was hashed and written.
 */

import { assert } from '../../base/assert.js';
import { utf8 } from '../../base/bytes.js';
import { digest128 } from '../../base/digest.js';
import { SLICE_BYTES } from '../../base/drive.js';
import type { Digest128 } from '../../base/ids.js';

const PIECE_BYTES = 64 * 1024;
const FIRST_BYTES = 4 * 1024;

/**
 * The buffer of the last digest, for the next one: growing one takes as long as hashing a small
 * file.
 */
let spare: Uint8Array | undefined;

export class FileDigest {
  readonly #pieces: Digest128[] = [];
  /** Grows to a whole piece. */
  #piece: Uint8Array;
  #filled = 0;
  #length = 0;
  #done = false;
  /** Kept for {@link patchHead}. */
  #head: Uint8Array | undefined;

  constructor() {
    this.#piece = spare ?? new Uint8Array(FIRST_BYTES);
    spare = undefined;
  }

  /** Bytes so far. */
  get length(): number {
    return this.#length;
  }

  update(bytes: Uint8Array): this {
    assert(!this.#done, 'nothing comes after the last byte');
    let at = 0;
    while (at < bytes.length) {
      const n = Math.min(PIECE_BYTES - this.#filled, bytes.length - at);
      this.#room(this.#filled + n);
      this.#piece.set(bytes.subarray(at, at + n), this.#filled);
      this.#filled += n;
      at += n;
      if (this.#filled === PIECE_BYTES) this.#close();
    }
    this.#length += bytes.length;
    return this;
  }

  /** The same, in slices. */
  *updateInSlices(bytes: Uint8Array): Generator<void, void> {
    for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
      this.update(bytes.subarray(at, at + SLICE_BYTES));
      if (at + SLICE_BYTES < bytes.length) yield;
    }
  }

  #room(bytes: number): void {
    if (bytes <= this.#piece.length) return;
    const grown = new Uint8Array(Math.min(PIECE_BYTES, Math.max(bytes, 2 * this.#piece.length)));
    grown.set(this.#piece.subarray(0, this.#filled));
    this.#piece = grown;
  }

  #close(): void {
    const piece = this.#piece.subarray(0, this.#filled);
    this.#head ??= piece.slice();
    this.#pieces.push(digest128(piece));
    this.#filled = 0;
  }

  /** Replaces the first bytes of the file. */
  patchHead(bytes: Uint8Array): this {
    const head = this.#head ?? this.#piece.subarray(0, this.#filled);
    assert(bytes.length <= head.length, 'the head fits into the first piece');
    head.set(bytes);
    if (this.#head) this.#pieces[0] = digest128(head);
    return this;
  }

  /** Once, after the last byte. */
  digest(): Digest128 {
    assert(!this.#done, 'a digest is asked for once');
    this.#done = true;
    if (this.#filled > 0) this.#pieces.push(digest128(this.#piece.subarray(0, this.#filled)));
    spare = this.#piece;
    return digest128(utf8(this.#pieces.join('')));
  }
}
