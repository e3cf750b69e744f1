/**
 * H2: why a hint may end, with the evidence. The table left the durable version of this node, and
 * of its bytes there is either no table left, or one whose file here is proven.
 */

import { assert } from '../../base/assert.js';
import { sameTable, type TableMeta } from '../../storage/table/table-meta.js';
import type { VerifyReport } from '../../storage/table/verify-table.js';
import type { Version } from '../../storage/version/version.js';
import type { Hint } from './hint.js';

export type HintEnd =
  /** No table of the durable version has these bytes. */
  | { readonly why: 'gone'; readonly durable: Version }
  /** `heir` has them, and its file was written anew here and read back. */
  | { readonly why: 'rewritten'; readonly durable: Version; readonly heir: TableMeta }
  /** `heir` has them, and its file was read past the caches: `proof`. */
  | { readonly why: 'proven'; readonly durable: Version; readonly heir: TableMeta; readonly proof: VerifyReport };

/** Throws AssertionError unless the hint may end so. */
export function assertMayEnd(hint: Hint, end: HintEnd): void {
  const { tableId } = hint;
  const { durable } = end;
  assert(!durable.has(tableId) && tableId < durable.nextTableId, `H2 the hint of table ${tableId} stays while its table is durable, or not yet there`);
  if (end.why === 'gone') {
    assert(durable.named(hint).length === 0, `H2 the bytes of table ${tableId} live on under another id`);
    return;
  }
  assert(end.heir.id !== tableId && durable.has(end.heir.id), `H2 table ${end.heir.id} took the place of table ${tableId}`);
  assert(sameTable(end.heir, hint), `H3 table ${end.heir.id} has the bytes of table ${tableId}`);
  if (end.why === 'proven') assert(end.proof.faults.length === 0, `H2 table ${end.heir.id} proved good before the hint ends`);
}
