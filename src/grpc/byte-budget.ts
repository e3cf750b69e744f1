/**
 * Bytes that many calls share: whoever takes some gives as many back, on every way out.
 */

import { assert } from '../base/assert.js';

export class ByteBudget {
  readonly #limit: number;
  #taken = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get taken(): number {
    return this.#taken;
  }

  /** False, and nothing was taken, if that would be more than there is. */
  take(bytes: number): boolean {
    if (this.#taken + bytes > this.#limit) return false;
    this.#taken += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#taken -= bytes;
    assert(this.#taken >= 0, 'no more is given back than was taken');
  }
}
