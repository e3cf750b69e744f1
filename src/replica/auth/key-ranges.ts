/**
 * A set of keys made of ranges, in etcd's words: a range without an end is one key, and one that
 * ends with a zero byte goes to the end of the space. Disjoint, sorted, merged: whether a range
 * lies within costs a binary search, however many made it up.
 */

import { compareBytes } from '../../base/bytes.js';

export interface KeyRange {
  readonly key: Uint8Array;
  /** Empty: the key alone. One zero byte: no end. */
  readonly rangeEnd: Uint8Array;
}

interface Interval {
  readonly from: Uint8Array;
  /** Undefined: no end. */
  readonly to: Uint8Array | undefined;
}

/** The key right after `key`. */
function next(key: Uint8Array): Uint8Array {
  const after = new Uint8Array(key.length + 1);
  after.set(key);
  return after;
}

export function isOpenEnded(rangeEnd: Uint8Array): boolean {
  return rangeEnd.length === 1 && rangeEnd[0] === 0;
}

/**
 * A range with an end that is not behind its key holds nothing; whoever asks for it must be allowed
 * its key at least.
 */
function intervalOf({ key, rangeEnd }: KeyRange): Interval {
  if (isOpenEnded(rangeEnd)) return { from: key, to: undefined };
  return { from: key, to: compareBytes(key, rangeEnd) < 0 ? rangeEnd : next(key) };
}

function endsBefore(a: Interval, point: Uint8Array): boolean {
  return a.to !== undefined && compareBytes(a.to, point) < 0;
}

export class KeyRanges {
  readonly #intervals: readonly Interval[];

  constructor(ranges: readonly KeyRange[]) {
    const sorted = ranges.map(intervalOf).sort((a, b) => compareBytes(a.from, b.from));
    const merged: Interval[] = [];
    for (const each of sorted) {
      const last = merged.at(-1);
      if (last === undefined || endsBefore(last, each.from)) merged.push(each);
      else if (last.to !== undefined && (each.to === undefined || compareBytes(each.to, last.to) > 0)) {
        merged[merged.length - 1] = { from: last.from, to: each.to };
      }
    }
    this.#intervals = merged;
  }

  /** All keys of the range are in the set. */
  covers(range: KeyRange): boolean {
    const { from, to } = intervalOf(range);
    const found = this.#before(from);
    if (found === undefined) return false;
    if (found.to === undefined) return true;
    return to !== undefined && compareBytes(to, found.to) <= 0;
  }

  /**
   * All keys from this one to before the end that is given are in the set, which has none there;
   * undefined: not even this one is.
   */
  endAfter(key: Uint8Array): Uint8Array | 'none' | undefined {
    const found = this.#before(key);
    if (found === undefined) return undefined;
    if (found.to === undefined) return 'none';
    return compareBytes(key, found.to) < 0 ? found.to : undefined;
  }

  /** The last interval that begins at or before the key. */
  #before(from: Uint8Array): Interval | undefined {
    let low = 0;
    let high = this.#intervals.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareBytes((this.#intervals[middle] as Interval).from, from) <= 0) low = middle + 1;
      else high = middle;
    }
    return this.#intervals[low - 1];
  }
}
