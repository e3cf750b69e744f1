/**
 * Bounds the memory of answers that callers have not taken: a caller that asks and never reads
 * holds each answer in this process until its call is over. Only large answers count; beyond the
 * bound those that can be asked again are refused, and small ones still go out.
 */

import { assert } from '../base/assert.js';
import { KiB } from '../base/bytes.js';

const LARGE = 256 * KiB;

export class UnreadAnswers {
  readonly #limit: number;
  #bytes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Says whether an answer of this size may go out. One alone may, whatever its size. */
  admits(bytes: number): boolean {
    return bytes < LARGE || this.#bytes === 0 || this.#bytes + bytes <= this.#limit;
  }

  /** Counts an answer that goes out; returns what is to be given back when its call is over. */
  add(bytes: number): number {
    if (bytes < LARGE) return 0;
    this.#bytes += bytes;
    return bytes;
  }

  giveBack(counted: number): void {
    this.#bytes -= counted;
    assert(this.#bytes >= 0, 'no more is given back than was counted');
  }
}
