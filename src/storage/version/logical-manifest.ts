/**
 * The logical manifest: the shape of the tree as a function of the log (S1, S2). Immutable; applying an op
 * gives a new one. It holds nothing about this node's files.
 */

import type { LogIndex, NodeId, TableId, Term } from '../../base/ids.js';
import type { TableFormat } from '../base/settings.js';
import type { TableMeta, TableRef } from '../table/table-meta.js';

/** A memtable that is sealed and not yet flushed. */
export interface PendingSeal {
  /** Log index of the seal entry: the memtable holds what was applied after the previous seal, up to here. */
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
   * No older data of the inputs' keys lies below the output level, so tombstones that GC covers may go. Decided
   * when the plan is applied, from the manifest alone, and still true whenever it is executed: everything at or
   * above the output level that is older than the inputs is among them, and no other plan may write that span.
   */
  readonly bottommost: boolean;
}

export interface LogicalManifest {
  readonly nextTableId: TableId;
  /** Level 0: newest flush first, may overlap. Others: by key, disjoint. LEVELS arrays. */
  readonly levels: readonly (readonly TableMeta[])[];
  /** Oldest first. */
  readonly seals: readonly PendingSeal[];
  /** By index. */
  readonly plans: readonly PendingPlan[];
  /** F of this version: every entry up to here is in tables (index of the last flushed seal; 0 at first). */
  readonly flushed: { readonly index: LogIndex; readonly term: Term };
  /** Index and term of the last op applied, valid or not. */
  readonly last: { readonly index: LogIndex; readonly term: Term };
}

/** What applying an op did. `refused` ops changed nothing but `last`. */
export type OpOutcome =
  | { readonly kind: 'sealed'; readonly seal: PendingSeal }
  | { readonly kind: 'planned'; readonly plan: PendingPlan }
  | {
      readonly kind: 'edited';
      /** The seal or plan that was carried out; undefined for a heal edit. */
      readonly plan: LogIndex | undefined;
      readonly removed: readonly TableMeta[];
      readonly added: readonly TableMeta[];
    }
  | { readonly kind: 'abandoned'; readonly plan: PendingPlan }
  | { readonly kind: 'refused'; readonly why: string };
