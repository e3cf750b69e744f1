/** Where the live tables of a manifest lie, and which keys they share. Ranges are of user keys: no level splits one. */

import type { TableId } from '../../base/ids.js';
import { comparePrefixes } from '../base/key.js';
import type { LogicalManifest } from './logical-manifest.js';
import type { TableMeta } from '../table/table-meta.js';

export interface Located {
  readonly meta: TableMeta;
  readonly level: number;
  /** In its level; in level 0 a lower one is newer. */
  readonly position: number;
}

/** Of user keys, both ends included, given as any internal key of them. */
export interface KeySpan {
  readonly smallest: Uint8Array;
  readonly largest: Uint8Array;
}

export function locateTables(manifest: LogicalManifest): Map<TableId, Located> {
  const found = new Map<TableId, Located>();
  manifest.levels.forEach((tables, level) => {
    tables.forEach((meta, position) => found.set(meta.id, { meta, level, position }));
  });
  return found;
}

/** Tables that are inputs of pending plans. */
export function busyTables(manifest: LogicalManifest): Set<TableId> {
  const busy = new Set<TableId>();
  for (const plan of manifest.plans) for (const input of plan.inputs) busy.add(input.id);
  return busy;
}

export function overlaps(a: KeySpan, b: KeySpan): boolean {
  return comparePrefixes(a.smallest, b.largest) <= 0 && comparePrefixes(b.smallest, a.largest) <= 0;
}

/** Undefined if there are none. */
export function spanOf(tables: Iterable<KeySpan>): KeySpan | undefined {
  let smallest: Uint8Array | undefined;
  let largest: Uint8Array | undefined;
  for (const table of tables) {
    if (smallest === undefined || comparePrefixes(table.smallest, smallest) < 0) smallest = table.smallest;
    if (largest === undefined || comparePrefixes(table.largest, largest) > 0) largest = table.largest;
  }
  return smallest === undefined || largest === undefined ? undefined : { smallest, largest };
}

/** Index of the only table of a sorted, disjoint level that may hold the key of `target`; -1 if none may. */
export function findInLevel(tables: readonly TableMeta[], target: Uint8Array): number {
  const at = lowerBound(tables, target);
  const table = tables[at];
  return table !== undefined && comparePrefixes(table.smallest, target) <= 0 ? at : -1;
}

/** Index of the first table of a sorted level whose largest user key is at or above that of `target`. */
export function lowerBound(tables: readonly TableMeta[], target: Uint8Array): number {
  let low = 0;
  let high = tables.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (comparePrefixes((tables[middle] as TableMeta).largest, target) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function allTables(manifest: LogicalManifest): TableMeta[] {
  return manifest.levels.flat();
}
