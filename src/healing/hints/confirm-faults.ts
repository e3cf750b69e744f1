/** H1: from what two readings found wrong with a file to one hint. */

import type { TableMeta } from '../../storage/table/table-meta.js';
import type { TableFault } from '../../storage/table/verify-table.js';
import type { HintKind } from '../status/hint-status.js';
import { severity } from './hint.js';

/** Where confirmed faults go. */
export interface ConfirmedFaults {
  /** A fault is confirmed. */
  confirmed(meta: TableMeta, kind: HintKind, offsets: readonly number[] | undefined, pastCache: boolean): void;
}

/** One hint for all that a verification found: the worst kind, and where. */
export function confirmFaults(
  sinks: ConfirmedFaults, meta: TableMeta, faults: readonly TableFault[], pastCache: boolean,
): void {
  let kind: HintKind = 'parity';
  for (const fault of faults) if (severity(fault.kind) > severity(kind)) kind = fault.kind;
  const whole = faults.some((fault) => fault.kind === 'missing');
  sinks.confirmed(meta, kind, whole ? undefined : faults.map((fault) => fault.offset), pastCache);
}
