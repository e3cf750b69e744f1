/** The values of a run: each write has one of its own, by number. */

import { encodeValue } from './value.js';

export class Values {
  /** Length by number; number 0 is used by nobody. */
  readonly #lengths: number[] = [0];

  /** A new value of `length` bytes. */
  next(length: number): number {
    return this.#lengths.push(length) - 1;
  }

  get newest(): number {
    return this.#lengths.length - 1;
  }

  /** A number that was never given out gives bytes that no key holds. */
  bytesOf(value: number): Uint8Array {
    return encodeValue(value, this.#lengths[value] ?? 0);
  }
}
