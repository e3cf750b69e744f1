/**
 * What the log has decided and not yet carried out: sealed memtables that wait for their flush, and
 * compactions that wait for their edit. Part of a version: a restart goes on with them, and a new
 * leader finds them.
 */

import type { LogIndex, NodeId, Term } from '../../base/ids.js';
import type { TableFormat } from '../base/settings.js';
import type { TableRef } from '../table/table-meta.js';

/** A memtable that is sealed and not yet flushed. */
export interface PendingSeal {
  /**
   * Log index of the seal entry: the memtable holds what was applied after the previous seal, up to
   * here.
   */
  readonly index: LogIndex;
  readonly term: Term;
  readonly proposer: NodeId;
  readonly format: TableFormat;
}

/** A compaction that was decided and whose edit has not been applied. Its inputs are busy. */
export interface PendingPlan {
  /** Log index of the plan entry. */
  readonly index: LogIndex;
  readonly term: Term;
  readonly proposer: NodeId;
  readonly purpose: 'compact' | 'rewrite';
  readonly inputs: readonly TableRef[];
  readonly outputLevel: number;
  readonly gcRevision: number;
  readonly format: TableFormat;
  /**
   * No older data of the inputs' keys lies below the output level, so tombstones that GC covers may
   * go. Decided when the plan is applied, from the version alone, and still true whenever it is
   * executed: everything at or above the output level that is older than the inputs is among them,
   * and no other plan may write that span.
   */
  readonly bottommost: boolean;
}
