/**
 * Whether the log and a version of the tree belong together (S2), and what the one proves of the
 * other.
 */

import { assert } from '../../base/assert.js';
import type { LogIndex, Term } from '../../base/ids.js';
import type { Version } from '../../storage/version/version.js';
import type { DurableLog } from './durable-log.js';

/**
 * What of the log is known to be committed: what was `recorded`, and the entries of a version that
 * it leads to. R3: a version of a peer's may be ahead on another way than the end of this log,
 * which then holds entries that were never committed.
 */
export function commitOf(log: DurableLog, { flushed, last }: Pick<Version, 'flushed' | 'last'>, recorded: LogIndex): LogIndex {
  assert(flushed.index <= log.lastIndex(), `R3 the log goes on from what tables hold: ${flushed.index}, it ends at ${log.lastIndex()}`);
  const led = joins(log, last) ? last.index : flushed.index;
  return Math.max(Math.min(Math.max(recorded, led), log.lastIndex()), flushed.index);
}

/** The log holds this very entry, or begins right after it. */
export function joins(log: DurableLog, at: { readonly index: LogIndex; readonly term: Term }): boolean {
  if (at.index < log.firstIndex() - 1 || at.index > log.lastIndex()) return false;
  return at.index === 0 || log.term(at.index) === at.term;
}
