/**
 * The node's status for people and programs: JSON that has no bigints, and the line that is logged
 * once a minute.
 */

import { formatId } from '../base/ids.js';
import type { NodeStatus } from '../node/store.js';

/** Bigints become decimal strings. */
export function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, (_key, v: unknown) => (typeof v === 'bigint' ? v.toString() : v), indent);
}

export function statusLine(status: NodeStatus): Record<string, unknown> {
  return {
    role: status.role,
    term: status.term,
    leader: formatId(status.leader),
    commit: status.commitIndex,
    applied: status.appliedIndex,
    materialized: status.materializedIndex,
    revision: status.revision,
    tables: status.manifest.tables.length,
    bytes: status.dbBytes,
    hints: status.hints.filter((hint) => hint.state !== 'done').length,
    corrected: status.heal.correctedBlocks,
    repaired: status.heal.repairedBlocks,
    healed: status.heal.healsApplied,
    errors: status.errors,
  };
}
