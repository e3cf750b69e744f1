/**
 * The node's status for people and programs: JSON that has no bigints, and the line that is logged
 * once a minute.
 */

import { formatId } from '../base/ids.js';
import type { NodeStatus } from '../node/store.js';

/** Elements of a list that are written between two yields. */
const SLICE_ELEMENTS = 128;

/**
 * The text that {@link toJson} gives, in pieces: a node may have thousands of tables and hints, and
 * each piece holds at most some of them.
 */
export function* jsonPieces(value: unknown): Generator<string, void> {
  if (Array.isArray(value) && value.length > SLICE_ELEMENTS) {
    for (let at = 0; at < value.length; at += SLICE_ELEMENTS) {
      yield `${at === 0 ? '[' : ','}${toJson(value.slice(at, at + SLICE_ELEMENTS)).slice(1, -1)}`;
    }
    yield ']';
    return;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return yield toJson(value);
  let before = '{';
  for (const [name, part] of Object.entries(value)) {
    if (part === undefined) continue;
    yield `${before}${JSON.stringify(name)}:`;
    yield* jsonPieces(part);
    before = ',';
  }
  yield before === '{' ? '{}' : '}';
}

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
