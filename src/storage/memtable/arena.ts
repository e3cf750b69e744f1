/**
 * Copies of small byte strings, packed into chunks: a memtable owns its bytes whatever becomes of
 * the buffers its writes came in, at the price of a copy and a view instead of an allocation each.
 */

import { assert } from '../../base/assert.js';

const CHUNK_BYTES = 256 * 1024;
/** Longer ones get a buffer of their own. */
const PACKED_BYTES_MAX = 16 * 1024;

export class Arena {
  #chunk = new Uint8Array(0);
  #used = 0;

  copy(bytes: Uint8Array): Uint8Array {
    const n = bytes.length;
    if (n > PACKED_BYTES_MAX) return bytes.slice();
    const at = this.#room(n);
    assert(at + n <= this.#chunk.length, 'a copy lies within its chunk');
    this.#chunk.set(bytes, at);
    return this.#chunk.subarray(at, at + n);
  }

  #room(n: number): number {
    if (this.#used + n > this.#chunk.length) {
      this.#chunk = new Uint8Array(CHUNK_BYTES);
      this.#used = 0;
    }
    const at = this.#used;
    this.#used = at + n;
    return at;
  }
}
