/**
 * The log entries that shape the tree. Only the leader proposes them; every replica validates them
 * at apply against the logical manifest alone, and one that does not hold is a no-op everywhere
 * (S3).
 */

import type { LogIndex, NodeId } from '../../base/ids.js';
import type { TableFormat } from '../base/settings.js';
import type { ProducedTable, TableRef } from '../table/table-meta.js';

export type TreeOp =
  /**
   * Every replica seals its memtable at this entry's index; it is also the plan of that memtable's
   * flush.
   */
  | { readonly kind: 'seal'; readonly proposer: NodeId; readonly format: TableFormat }
  | {
      readonly kind: 'plan';
      readonly proposer: NodeId;
      /**
       * `compact` merges and drops what GC allows; `rewrite` changes bytes only (reserved for a
       * scheme change).
       */
      readonly purpose: 'compact' | 'rewrite';
      readonly inputs: readonly TableRef[];
      readonly outputLevel: number;
      /** Versions that are not the newest at or below this revision may go. 0 keeps everything. */
      readonly gcRevision: number;
      readonly format: TableFormat;
    }
  /**
   * Swaps the inputs of a seal or plan (named by the log index of its entry) for what a majority
   * produced.
   */
  | { readonly kind: 'edit'; readonly plan: LogIndex; readonly removed: readonly TableRef[]; readonly added: readonly ProducedTable[] }
  /**
   * Replaces a table by a verbatim copy: the digest that a majority confirmed at its birth stays.
   */
  | { readonly kind: 'heal-edit'; readonly removed: TableRef }
  /** Gives a pending plan up. A seal cannot be abandoned: its data must be flushed. */
  | { readonly kind: 'abandon'; readonly plan: LogIndex };
