/**
 * What of a log must go before a program of an older version of the cluster can read it: entries
 * that are newer, and files of another format. Entries go with their segments, whole, by
 * truncation, so a segment that is still written to is left first.
 */

import type { LogIndex } from '../../base/ids.js';
import type { EntryTable } from './entry-table.js';
import type { SegmentChain } from './segment-chain.js';

/**
 * Undefined: nothing. Else the index up to which the log is to be truncated, for there to be no
 * entry up to `through` and no file of another format than today's. The segment that is written to
 * is closed if one of them is in it.
 */
export function leftover(chain: SegmentChain, table: EntryTable, through: LogIndex): LogIndex | undefined {
  const { active, lastForeign } = chain;
  const { baseIndex, lastIndex } = table;
  const last = Math.max(Math.min(through, lastIndex), lastForeign === undefined ? 0 : table.lastIn(lastForeign.generation));
  if (last <= baseIndex) return lastForeign === undefined && chain.isUniform ? undefined : baseIndex + 1;
  const { generation } = table.place(last);
  if (generation === active.generation) active.closing = true;
  return table.lastIn(generation);
}
