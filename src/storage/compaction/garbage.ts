/**
 * What a compaction would drop, told from the metadata of tables alone: versions at or below the
 * GC revision of which a later one is there. Where nothing lies below, all of a key's history is at
 * hand: one version is left of each live key, and the live deltas count those.
 *
 * Garbage drives compactions from a quarter of a table's entries on (`leveled.ts`): so a Compact
 * frees space without another command, down to that bound, and every such compaction leaves fewer
 * entries than there were, so that they come to an end.
 */

import { spaceOf } from '../base/key.js';
import { USER_SPACE } from '../base/read-view.js';
import type { KeySpan } from '../table/key-span.js';
import type { TableMeta } from '../table/table-meta.js';
import { meetsLevel } from '../version/span-search.js';
import type { Version } from '../version/version.js';

/** Tables are compacted to drop what may go when that is at least this share of their entries. */
const GARBAGE_DUE = 1 / 4;
/**
 * System keys have no live delta; there are fewer, besides those whose number the caller gives
 * (`systemKeys`: of leases and of keys that have one).
 */
const SYSTEM_ENTRIES = 16;

/**
 * Entries that surely go if these tables are compacted into one level below which nothing lies:
 * none may hold anything above the GC revision. Tombstones at the GC revision stay (`mvcc-gc.ts`):
 * where some may be, none is counted.
 */
function garbageIn(tables: readonly TableMeta[], gcRevision: number, systemKeys: number): number {
  const stay = tables.some((table) => table.maxRevision === gcRevision);
  let entries = 0;
  let live = 0;
  let tombstones = 0;
  let system = 0;
  for (const table of tables) {
    entries += table.entries;
    live += table.liveDelta;
    tombstones += table.tombstones;
    if (spaceOf(table.smallest) !== USER_SPACE) system = SYSTEM_ENTRIES + systemKeys;
  }
  if (stay) return Math.max(0, entries - live - tombstones - system);
  return Math.min(entries, Math.max(tombstones, entries - live - system));
}

/** So much of them may go that it is worth a compaction. */
export function isGarbageDue(tables: readonly TableMeta[], gcRevision: number, systemKeys = 0): boolean {
  let entries = 0;
  for (const table of tables) {
    if (table.maxRevision > gcRevision) return false;
    entries += table.entries;
  }
  return garbageIn(tables, gcRevision, systemKeys) >= entries * GARBAGE_DUE;
}

/** Nothing that shares keys with `span` lies below `level`. */
export function isBottom(manifest: Version, level: number, span: KeySpan): boolean {
  return !manifest.levels.slice(level + 1).some((below) => meetsLevel(below, span));
}

/** About how many bytes go by themselves: at most what does. */
export function garbageBytes(manifest: Version, gcRevision: number, systemKeys = 0): number {
  let bytes = 0;
  for (let level = 1; level < manifest.levels.length; level++) {
    for (const table of manifest.level(level)) {
      if (!isGarbageDue([table], gcRevision, systemKeys) || !isBottom(manifest, level, table)) continue;
      bytes += table.bytes * (garbageIn([table], gcRevision, systemKeys) / Math.max(1, table.entries));
    }
  }
  return Math.floor(bytes);
}
