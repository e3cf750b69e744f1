/**
 * The order of changes by their places, in slices and without an object: short stretches are
 * sorted by insertion, then merged two by two between two arrays, which are used again.
 */

import { assert } from '../../base/assert.js';
import type { Pace } from '../kv/pace.js';
import type { ChangeBuffer } from './change-buffer.js';

/** Changes that insertion sorts as soon as a merge would. */
const STRETCH = 8;

export class PlaceOrder {
  #sorted = new Uint32Array(0);
  #other = new Uint32Array(0);

  /** Which change is the n-th. */
  at(n: number): number {
    return this.#sorted[n] as number;
  }

  *sort(changes: ChangeBuffer, pace: Pace): Generator<void, void> {
    const { length } = changes;
    if (length > this.#sorted.length) {
      this.#sorted = new Uint32Array(2 * length);
      this.#other = new Uint32Array(2 * length);
    }
    for (let from = 0; from < length; from += STRETCH) {
      this.#insert(changes, from, Math.min(from + STRETCH, length));
      if (pace.step()) yield;
    }
    for (let width = STRETCH; width < length; width *= 2) {
      for (let from = 0; from < length; from += 2 * width) {
        yield* this.#merge(changes, from, Math.min(from + width, length), Math.min(from + 2 * width, length), pace);
      }
      const sorted = this.#other;
      this.#other = this.#sorted;
      this.#sorted = sorted;
    }
  }

  #insert(changes: ChangeBuffer, from: number, end: number): void {
    const sorted = this.#sorted;
    for (let i = from; i < end; i++) {
      let at = i;
      for (; at > from && changes.compare(sorted[at - 1] as number, i) > 0; at--) sorted[at] = sorted[at - 1] as number;
      sorted[at] = i;
    }
  }

  /** Of [from, middle) and [middle, end), into the other array. */
  *#merge(changes: ChangeBuffer, from: number, middle: number, end: number, pace: Pace): Generator<void, void> {
    const sorted = this.#sorted;
    const out = this.#other;
    let left = from;
    let right = middle;
    for (let at = from; at < end; at++) {
      const takesLeft = right >= end || (left < middle && changes.compare(sorted[left] as number, sorted[right] as number) <= 0);
      out[at] = sorted[takesLeft ? left++ : right++] as number;
      if (pace.step()) yield;
    }
    assert(left === middle && right === end, 'a merge takes all of both');
  }
}
