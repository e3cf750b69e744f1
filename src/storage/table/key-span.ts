/**
 * Ranges of user keys that tables hold. No level splits a user key, so tables are compared by these
 * alone.
 */

import { comparePrefixes } from '../base/key.js';

/** Of user keys, both ends included, given as any internal key of them. */
export interface KeySpan {
  readonly smallest: Uint8Array;
  readonly largest: Uint8Array;
}

export function overlaps(a: KeySpan, b: KeySpan): boolean {
  return comparePrefixes(a.smallest, b.largest) <= 0 && comparePrefixes(b.smallest, a.largest) <= 0;
}

/**
 * Do they follow each other by key, no two of them sharing a user key? So it is in every level
 * below 0.
 */
export function isSorted(tables: readonly KeySpan[]): boolean {
  for (let i = 1; i < tables.length; i++) {
    if (comparePrefixes((tables[i - 1] as KeySpan).largest, (tables[i] as KeySpan).smallest) >= 0) return false;
  }
  return true;
}

/** Undefined if there are none. */
export function spanOf(tables: Iterable<KeySpan>): KeySpan | undefined {
  let smallest: Uint8Array | undefined;
  let largest: Uint8Array | undefined;
  for (const table of tables) {
    if (smallest === undefined || comparePrefixes(table.smallest, smallest) < 0) smallest = table.smallest;
    if (largest === undefined || comparePrefixes(table.largest, largest) > 0) largest = table.largest;
  }
  return smallest === undefined || largest === undefined ? undefined : { smallest, largest };
}
