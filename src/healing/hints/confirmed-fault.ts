/**
 * H1: a fault that was confirmed, and by what. The confirmation is part of the data, so that the
 * store of hints can hold every hint that enters against it.
 */

import { assert } from '../../base/assert.js';
import type { NodeId } from '../../base/ids.js';
import type { TableMeta } from '../../storage/table/table-meta.js';
import type { TableFault, VerifyReport } from '../../storage/table/verify-table.js';
import type { HintKind } from '../status/hint-status.js';
import { bounded, severity, type Hint } from './hint.js';

/** So many faults that were gone at the second read, at one block, are a fault too. */
export const TRANSIENTS_UNTIL_HINT = 3;

export type Confirmation =
  /**
   * A second reading found it again, past the caches; or not past them, where that cannot be had,
   * and marked so.
   */
  | { readonly by: 'second-read'; readonly pastCache: boolean }
  /** Gone at the second reading, but so many times at one block. */
  | { readonly by: 'transients'; readonly times: number; readonly pastCache: boolean }
  /**
   * A reader found no table in the file, and there is none to be made of what is left: it has to be
   * restored whole.
   */
  | { readonly by: 'no-file' };

export interface ConfirmedFault {
  readonly kind: HintKind;
  /** Of the faulty regions; undefined: all. */
  readonly offsets: readonly number[] | undefined;
  readonly confirmation: Confirmation;
}

/** What a first reading and a second one, of the same file, both found. */
export function foundTwice(first: VerifyReport, second: VerifyReport): readonly TableFault[] {
  const offsets = new Set(first.faults.map((fault) => fault.offset));
  const found = second.faults.filter((fault) => offsets.has(fault.offset));
  assert(first.faults.length > 0 || found.length === 0, 'H1 what only one reading found is not confirmed');
  return found;
}

/** One fault for all that a second reading found: the worst kind, and where. */
export function worstOf(faults: readonly TableFault[], { pastCache }: VerifyReport): ConfirmedFault {
  assert(faults.length > 0, 'H1 nothing found is no fault');
  let kind: HintKind = 'parity';
  for (const fault of faults) if (severity(fault.kind) > severity(kind)) kind = fault.kind;
  const whole = faults.some((fault) => fault.kind === 'missing');
  assert(whole === (kind === 'missing'), `H1 nothing is worse than a missing file, not even ${kind}`);
  const confirmation = { by: 'second-read', pastCache } as const;
  return { kind, offsets: whole ? undefined : faults.map((fault) => fault.offset), confirmation };
}

/** H1: whether the fault may become a hint. */
export function isConfirmed(confirmation: Confirmation): boolean {
  return confirmation.by !== 'transients' || confirmation.times >= TRANSIENTS_UNTIL_HINT;
}

/** Did the confirming read pass the caches? A missing file has no cache to hide behind. */
function passedCaches(confirmation: Confirmation): boolean {
  return confirmation.by === 'no-file' || confirmation.pastCache;
}

/** What `node` says of its own file of the table. */
export function hintOf(meta: TableMeta, node: NodeId, { kind, offsets, confirmation }: ConfirmedFault): Hint {
  const { id: tableId, birth, fileDigest } = meta;
  assert(kind !== 'missing' || offsets === undefined, `H1 what is missing of table ${tableId} is all of it`);
  assert(offsets === undefined || offsets.length > 0, `H1 a hint of table ${tableId} says where`);
  // Bytes after a table's end are a fault at its end.
  assert(offsets?.every((offset) => offset <= meta.bytes) ?? true, `H1 the faults of table ${tableId} lie in its file`);
  return { tableId, birth, fileDigest, kind, offsets: bounded(offsets), node, pastCache: passedCaches(confirmation) };
}
