/**
 * One entry on its way into a table, named by offsets where it lies: in a block that is merged or
 * in a memtable. Whoever writes a table brings one slot and fills it for each entry, so that an
 * entry costs no object and no view. What takes it copies the bytes before the slot is filled anew.
 */

import { EMPTY } from '../../base/bytes.js';

export class EntrySlot {
  /** The internal key is [0, keyEnd) of it. */
  key: Uint8Array = EMPTY;
  keyEnd = 0;
  tombstone = false;
  /** -1, 0 or +1. */
  liveDelta = 0;
  /** The value is [valueAt, valueEnd) of it. */
  value: Uint8Array = EMPTY;
  valueAt = 0;
  valueEnd = 0;
  /** Counts towards the revision bounds if `userSpace`. */
  revision = 0;
  userSpace = false;
}
