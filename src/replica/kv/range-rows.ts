/** The keys of a range that is sorted by something else than the key, while they are sorted. */

import { VersionSlot } from '../../storage/base/version-slot.js';
import type { RecordHead } from './value-record.js';
import type { SortTarget } from '../../api/requests.js';

/** Of a row besides its key and value. */
const ROW_BYTES = 256;

/** A version with what it is sorted by. Its value is not copied; if none is asked for, let go. */
export interface Row {
  readonly slot: VersionSlot;
  /** Version, create or mod revision; where the value begins in the slot's bytes, for `value`. */
  readonly rank: number;
}

export function rowOf(at: VersionSlot, head: RecordHead, by: SortTarget | undefined, keysOnly: boolean): Row {
  const slot = new VersionSlot();
  slot.keyBytes = at.keyBytes.slice(0, at.keyEnd);
  slot.keyEnd = at.keyEnd;
  if (keysOnly) {
    const record = at.valueBytes.slice(at.valueAt, head.valueAt);
    slot.set(at.revision, at.sub, at.tombstone, at.liveDelta, record, 0, record.length);
  } else {
    slot.set(at.revision, at.sub, at.tombstone, at.liveDelta, at.valueBytes, at.valueAt, at.valueEnd);
  }
  return { slot, rank: rankOf(at, head, by) };
}

function rankOf(at: VersionSlot, head: RecordHead, by: SortTarget | undefined): number {
  switch (by) {
    case 'version': return head.version;
    case 'create': return head.createRevision;
    case 'mod': return at.revision;
    case 'value': return head.valueAt;
    default: return 0;
  }
}

/** What a row holds, and keeps from being let go: roughly. */
export function rowBytes({ slot }: Row): number {
  return ROW_BYTES + slot.keyEnd + slot.valueEnd - slot.valueAt;
}

interface RowOrder {
  readonly sortBy: SortTarget | undefined;
  readonly descending: boolean;
}

/** Keys that tie stay in key order, whichever way the rest is sorted. */
export function rowOrder({ sortBy, descending }: RowOrder): (a: Row, b: Row) => number {
  const sign = descending ? -1 : 1;
  return sortBy === 'value' ? (a, b) => sign * compareValues(a, b) : (a, b) => sign * (a.rank - b.rank);
}

function compareValues(a: Row, b: Row): number {
  const aBytes = a.slot.valueBytes;
  const bBytes = b.slot.valueBytes;
  const aEnd = a.slot.valueEnd;
  const bEnd = b.slot.valueEnd;
  let i = a.rank;
  let j = b.rank;
  for (; i < aEnd && j < bEnd; i++, j++) {
    const difference = (aBytes[i] as number) - (bBytes[j] as number);
    if (difference !== 0) return difference;
  }
  return aEnd - i - (bEnd - j);
}
