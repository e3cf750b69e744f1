/** Ranges of user keys that tables hold. No level splits a user key, so tables are compared by these alone. */

import { comparePrefixes } from '../base/key.js';

/** Of user keys, both ends included, given as any internal key of them. */
export interface KeySpan {
  readonly smallest: Uint8Array;
  readonly largest: Uint8Array;
}

export function overlaps(a: KeySpan, b: KeySpan): boolean {
  return comparePrefixes(a.smallest, b.largest) <= 0 && comparePrefixes(b.smallest, a.largest) <= 0;
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
