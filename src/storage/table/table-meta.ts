/**
 * What the manifest knows of a table. The digests live here, with the referrer, and never only in
 * the file: a stale, swapped or misplaced file cannot vouch for itself (S4).
 */

import type { Digest128, LogIndex, NodeId, TableId, Term } from '../../base/ids.js';
import type { EccScheme } from '../../ecc/scheme.js';

/**
 * Which plan first wrote these bytes. Immutable, part of the file, and unique: committed entries
 * never change, so (sequence, ordinal) names one output of one plan for ever.
 */
export interface Birth {
  readonly term: Term;
  readonly proposer: NodeId;
  /** Log index of the seal or plan entry. */
  readonly sequence: LogIndex;
  /** Which output of that plan, from 0. */
  readonly ordinal: number;
}

/** A table by its bytes, whatever its id. Every TableMeta is one. */
export interface TableName {
  readonly birth: Birth;
  /** Of all bytes of the file. */
  readonly fileDigest: Digest128;
}

/** A table as its producer describes it: no id yet, ids are given out when the edit is applied. */
export interface ProducedTable extends TableName {
  /** Size of the whole file. */
  readonly bytes: number;
  /** Of the footer, which holds the digests of index, filter and properties. */
  readonly rootDigest: Digest128;
  /** First and last internal key. */
  readonly smallest: Uint8Array;
  readonly largest: Uint8Array;
  readonly entries: number;
  readonly tombstones: number;
  /**
   * Lowest and highest revision of the user space, 0 if there is none: a scan since a revision
   * skips by them.
   */
  readonly minRevision: number;
  readonly maxRevision: number;
  /** Sum of the live deltas of the user space. */
  readonly liveDelta: number;
  readonly scheme: EccScheme;
}

export interface TableMeta extends ProducedTable {
  readonly id: TableId;
}

/** A table as a plan or an edit refers to it. */
export interface TableRef {
  readonly id: TableId;
  readonly digest: Digest128;
}

/** `<term>.<proposer>.<sequence>.<ordinal>`, the proposer in hex. */
export function formatBirth(birth: Birth): string {
  return `${birth.term}.${birth.proposer.toString(16)}.${birth.sequence}.${birth.ordinal}`;
}

export function sameBirth(a: Birth, b: Birth): boolean {
  return a.sequence === b.sequence && a.ordinal === b.ordinal && a.term === b.term && a.proposer === b.proposer;
}

/** Are these the same bytes? */
export function sameTable(a: TableName, b: TableName): boolean {
  return a.fileDigest === b.fileDigest && sameBirth(a.birth, b.birth);
}

/** `tables/<id>.sst`, relative to the data directory. */
export function tablePath(id: TableId): string {
  return `tables/${id}.sst`;
}

/** Where a plan's output waits for its edit: `tables/plan-<sequence>-<ordinal>.tmp`. */
export function outputPath(sequence: LogIndex, ordinal: number): string {
  return `tables/plan-${sequence}-${ordinal}.tmp`;
}
