/**
 * How long work is cut into slices: a generator yields when `step` says so, and whoever drives it
 * serves ticks and heartbeats in between. One pace goes through all parts of a request, so that
 * many small parts yield too. What a slice costs is bounded, whatever the sizes of keys and values.
 */

import { assert } from '../../base/assert.js';
import { KiB } from '../../base/bytes.js';

/**
 * Keys looked at between two yields: well under a millisecond, also where each of them is written.
 */
export const SLICE_KEYS = 128;
/** A value of so many bytes is as much work as one key more. */
const BYTES_LIKE_A_KEY = 4 * KiB;

export class Pace {
  readonly #slice: number;
  #done = 0;

  constructor(sliceKeys = SLICE_KEYS) {
    assert(sliceKeys > 0, `a slice has keys: ${sliceKeys}`);
    this.#slice = sliceKeys;
  }

  /** Counts one key, with so many bytes of value that were read or copied; true: yield now. */
  step(bytes = 0): boolean {
    this.#done += 1 + Math.floor(bytes / BYTES_LIKE_A_KEY);
    if (this.#done < this.#slice) return false;
    this.#done = 0;
    return true;
  }
}
