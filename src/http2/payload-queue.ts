/**
 * Payload of one stream that waits for its turn, as the pieces that were given. A frame takes as
 * many bytes as it may, across pieces.
 */

import { EMPTY } from '../base/bytes.js';
import type { Output } from './output.js';

/** Used-up pieces are cut off the list when there are so many. */
const COMPACT_AT = 64;

export class PayloadQueue {
  readonly #pieces: Uint8Array[] = [];
  /** The first piece that is not used up, and how much of it is. */
  #first = 0;
  #used = 0;
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** The prefix is copied; the body is not, and must not change. */
  push(prefix: Uint8Array, body: Uint8Array): void {
    // No slice(): that of a Buffer is a view.
    if (prefix.length > 0) this.#pieces.push(new Uint8Array(prefix));
    if (body.length > 0) this.#pieces.push(body);
    this.#bytes += prefix.length + body.length;
  }

  /** So many bytes, which must be here, go into the output. */
  moveTo(output: Output, bytes: number): void {
    let left = bytes;
    this.#bytes -= bytes;
    while (left > 0) {
      const piece = this.#pieces[this.#first] as Uint8Array;
      const from = this.#used;
      const to = Math.min(piece.length, from + left);
      output.payload(piece, from, to);
      left -= to - from;
      if (to < piece.length) this.#used = to;
      else this.#next();
    }
  }

  clear(): void {
    if (this.#pieces.length > 0) this.#pieces.length = 0;
    this.#first = 0;
    this.#used = 0;
    this.#bytes = 0;
  }

  #next(): void {
    this.#pieces[this.#first] = EMPTY;
    this.#first++;
    this.#used = 0;
    if (this.#first === this.#pieces.length) {
      this.#pieces.length = 0;
      this.#first = 0;
    } else if (this.#first >= COMPACT_AT && this.#first * 2 >= this.#pieces.length) {
      this.#pieces.splice(0, this.#first);
      this.#first = 0;
    }
  }
}
