/**
 * Memory for requests that come whole. The bytes belong to whoever gets them, for as long as they
 * like; a few small requests share one piece of memory, because an ArrayBuffer of its own costs
 * several times what its copy does.
 */

import { EMPTY, KiB } from '../base/bytes.js';

/** Up to here a loop is faster than a view and a call. */
const LOOPED = 24;
/** Up to here V8 keeps a typed array's bytes in the object itself. */
const IN_OBJECT = 64;
const SHARED = 16 * KiB;
const SHARED_EACH = 2 * KiB;
const ALIGNMENT = 8;

export class MessageBytes {
  #shared = new ArrayBuffer(SHARED);
  #used = 0;

  /** A copy of `size` bytes of `bytes`, from `from` on. */
  copy(bytes: Uint8Array, from: number, size: number): Uint8Array {
    if (size === 0) return EMPTY;
    const copy = size > IN_OBJECT && size <= SHARED_EACH ? this.#share(size) : new Uint8Array(size);
    if (size > LOOPED) copy.set(new Uint8Array(bytes.buffer, bytes.byteOffset + from, size));
    else for (let i = 0; i < size; i++) copy[i] = bytes[from + i] as number;
    return copy;
  }

  #share(size: number): Uint8Array {
    if (this.#used + size > SHARED) {
      this.#shared = new ArrayBuffer(SHARED);
      this.#used = 0;
    }
    const at = this.#used;
    this.#used = (at + size + ALIGNMENT - 1) & -ALIGNMENT;
    return new Uint8Array(this.#shared, at, size);
  }
}
