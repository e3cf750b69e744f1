/**
 * Bounds the memory of answers that callers have not taken: a caller that asks and never reads
 * holds each answer in this process until its call is over. All count. Beyond the bound large ones
 * that can be asked again are refused, and small ones still go out; beyond twice the bound nothing
 * more is carried out, since many small answers hold as much as a few large ones.
 */

import { assert } from '../base/assert.js';
import { KiB } from '../base/bytes.js';

const LARGE = 256 * KiB;

export class UnreadAnswers {
  readonly #limit: number;
  #bytes = 0;
  /** Of large ones. */
  #large = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** No call may be carried out, whatever its answer would be. */
  get full(): boolean {
    return this.#bytes > 2 * this.#limit;
  }

  /** Says whether an answer of this size may go out. One alone may, whatever its size. */
  admits(bytes: number): boolean {
    return bytes < LARGE || this.#large === 0 || this.#large + bytes <= this.#limit;
  }

  /** Counts an answer that goes out, until its call is over. */
  add(bytes: number): void {
    this.#bytes += bytes;
    if (bytes >= LARGE) this.#large += bytes;
  }

  giveBack(counted: number): void {
    this.#bytes -= counted;
    if (counted >= LARGE) this.#large -= counted;
    assert(this.#bytes >= 0 && this.#large >= 0, 'no more is given back than was counted');
  }
}
