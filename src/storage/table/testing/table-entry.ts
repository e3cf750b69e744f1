/** An entry of a table by itself, for tests; and the slot that names it. */

import { EntrySlot } from '../../base/entry-slot.js';

export interface TableEntry {
  readonly internalKey: Uint8Array;
  readonly tombstone: boolean;
  readonly liveDelta: number;
  readonly value: Uint8Array;
  readonly revision: number;
  readonly userSpace: boolean;
}

export function slotOf(entry: TableEntry): EntrySlot {
  const { internalKey: key, value, tombstone, liveDelta, revision, userSpace } = entry;
  const fields = { key, keyEnd: key.length, value, valueAt: 0, valueEnd: value.length, tombstone, liveDelta, revision, userSpace };
  return Object.assign(new EntrySlot(), fields);
}
