/**
 * Ranges whose keys are all deleted: disjoint, sorted, and as few as can be. A range costs the same
 * however many keys it had.
 */

import { assert } from '../../base/assert.js';
import { compareBytes } from '../../base/bytes.js';
import type { ReadView } from '../../storage/base/read-view.js';

/** [from, to); to the end of the space if `to` is undefined. */
export interface KeyRange {
  readonly from: Uint8Array;
  readonly to: Uint8Array | undefined;
}

interface Deleted extends KeyRange {
  /** Keys of the base that were live in it, once somebody has asked. */
  live: number | undefined;
}

/** `end` is undefined at the end of the space. */
function isBefore(key: Uint8Array, end: Uint8Array | undefined): boolean {
  return end === undefined || compareBytes(key, end) < 0;
}

function later(a: Uint8Array | undefined, b: Uint8Array | undefined): Uint8Array | undefined {
  if (a === undefined || b === undefined) return undefined;
  return compareBytes(a, b) < 0 ? b : a;
}

function earlier(a: Uint8Array | undefined, b: Uint8Array | undefined): Uint8Array | undefined {
  if (a === undefined) return b;
  return isBefore(a, b) ? a : b;
}

export class DeletedRanges {
  readonly #base: Pick<ReadView, 'countLive'>;
  readonly #ranges: Deleted[] = [];

  constructor(base: Pick<ReadView, 'countLive'>) {
    this.#base = base;
  }

  get size(): number {
    return this.#ranges.length;
  }

  has(key: Uint8Array): boolean {
    const range = this.#ranges[this.#firstEndingAfter(key)];
    return range !== undefined && compareBytes(range.from, key) <= 0;
  }

  /** Takes the place of those that it meets. */
  add({ from, to }: KeyRange): void {
    assert(isBefore(from, to), 'a range of deleted keys is not empty');
    const first = this.#firstEndingAfter(from);
    let low = from;
    let high = to;
    let at = first;
    for (; at < this.#ranges.length; at++) {
      const range = this.#ranges[at] as Deleted;
      if (!isBefore(range.from, high)) break;
      if (compareBytes(range.from, low) < 0) low = range.from;
      high = later(high, range.to);
    }
    this.#ranges.splice(first, at - first, { from: low, to: high, live: undefined });
  }

  /** How many live keys of the base in [from, to) lie in the ranges. */
  countLive({ from, to }: KeyRange): number {
    let count = 0;
    for (let at = this.#firstEndingAfter(from); at < this.#ranges.length; at++) {
      const range = this.#ranges[at] as Deleted;
      if (!isBefore(range.from, to)) break;
      const begin = compareBytes(range.from, from) < 0 ? from : range.from;
      const end = earlier(range.to, to);
      if (begin === range.from && end === range.to) count += range.live ??= this.#base.countLive(begin, end);
      else count += this.#base.countLive(begin, end);
    }
    return count;
  }

  /** What of [from, to) lies in none of the ranges, in key order. */
  between({ from, to }: KeyRange): KeyRange[] {
    const gaps: KeyRange[] = [];
    let start = from;
    for (let at = this.#firstEndingAfter(from); at < this.#ranges.length; at++) {
      const range = this.#ranges[at] as Deleted;
      if (!isBefore(range.from, to)) break;
      if (compareBytes(start, range.from) < 0) gaps.push({ from: start, to: range.from });
      if (range.to === undefined) return gaps;
      start = range.to;
    }
    if (isBefore(start, to)) gaps.push({ from: start, to });
    return gaps;
  }

  /** Index of the first range that ends behind `key`. */
  #firstEndingAfter(key: Uint8Array): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBefore(key, (this.#ranges[middle] as Deleted).to)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
