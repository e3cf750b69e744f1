/** What the judge found wrong: enough for a person to begin with. */

import type { NodeId } from '../../../base/ids.js';
import { describeRecord } from '../history/describe.js';
import type { OpRecord } from '../history/history.js';

export interface Fault {
  /** The same words for the same kind of fault. */
  readonly check: string;
  /** Operations, keys, revisions. */
  readonly message: string;
  readonly atUs: number;
  readonly node: NodeId;
}

/** `record` shows the fault. */
export function faultOf(check: string, record: OpRecord, why: string, others: readonly OpRecord[] = []): Fault {
  const rest = others.map((other) => `\n  ${describeRecord(other)}`).join('');
  const atUs = record.retUs === Infinity ? record.callUs : record.retUs;
  return { check, message: `${why}\n  ${describeRecord(record)}${rest}`, atUs, node: record.node };
}
