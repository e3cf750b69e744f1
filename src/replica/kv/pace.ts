/**
 * How long work is cut into slices: a generator yields when `step` says so, and whoever drives it
 * serves ticks and heartbeats in between. One pace goes through all parts of a request, so that
 * many small parts yield too.
 */

import { assert } from '../../base/assert.js';

/** Keys looked at between two yields: well under a millisecond. */
export const SLICE_KEYS = 512;

export class Pace {
  readonly #slice: number;
  #done = 0;

  constructor(sliceKeys = SLICE_KEYS) {
    assert(sliceKeys > 0, `a slice has keys: ${sliceKeys}`);
    this.#slice = sliceKeys;
  }

  /** Counts one key; true: yield now. */
  step(): boolean {
    if (++this.#done < this.#slice) return false;
    this.#done = 0;
    return true;
  }
}
