/**
 * Bounds the memory of answers that callers have not taken: a caller that asks and never reads
 * holds each answer in this process until its call is over. All count. Beyond the bound large ones
 * that can be asked again are refused, and small ones still go out; beyond twice the bound nothing
 * more is carried out, since many small answers hold as much as a few large ones. A connection has
 * a bound of its own, beyond which none of its calls is carried out, so that no caller takes the
 * room of the others.
 */

import { assert } from '../base/assert.js';
import { KiB } from '../base/bytes.js';

const LARGE = 16 * KiB;

export class UnreadAnswers {
  readonly #limit: number;
  readonly #limitOfOne: number;
  #bytes = 0;
  /** Of large ones. */
  #large = 0;

  constructor(limit: number, limitOfOne: number) {
    this.#limit = limit;
    this.#limitOfOne = limitOfOne;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Nothing more is carried out for now, whatever its answer would be, for a connection that has
   * left so much untaken.
   */
  isTooMuch(ofConnection: number): boolean {
    return this.#bytes > 2 * this.#limit || ofConnection > this.#limitOfOne;
  }

  /**
   * Says whether an answer of this size may go out on a connection that has left so much untaken.
   * One alone may, whatever its size.
   */
  admits(bytes: number, ofConnection: number): boolean {
    if (ofConnection > 0 && ofConnection + bytes > this.#limitOfOne) return false;
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
