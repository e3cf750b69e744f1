/**
 * What differs between the levels of two versions. An edit of the tree leaves nearly all tables
 * where they were, as the same objects: what a version costs is to be linear in what an edit
 * changed, and not in all tables.
 */

import { assert } from '../../base/assert.js';
import type { TableId } from '../../base/ids.js';
import type { TableMeta } from '../table/table-meta.js';

/** [from, beforeEnd) of the one list became [from, afterEnd) of the other; around it they agree. */
interface ChangedSpan {
  readonly from: number;
  readonly beforeEnd: number;
  readonly afterEnd: number;
}

export function changedSpan(before: readonly unknown[], after: readonly unknown[]): ChangedSpan {
  let beforeEnd = before.length;
  let afterEnd = after.length;
  if (before === after) return { from: beforeEnd, beforeEnd, afterEnd };
  const most = Math.min(beforeEnd, afterEnd);
  let from = 0;
  while (from < most && before[from] === after[from]) from++;
  while (beforeEnd > from && afterEnd > from && before[beforeEnd - 1] === after[afterEnd - 1]) {
    beforeEnd--;
    afterEnd--;
  }
  return { from, beforeEnd, afterEnd };
}

type Levels = readonly (readonly TableMeta[])[];

interface LevelChanges {
  /** Tables that are in no level any more. */
  readonly removed: readonly TableMeta[];
  /** Tables that were in none before. */
  readonly added: readonly TableMeta[];
  /** As they are now: tables that lie elsewhere. */
  readonly moved: readonly TableMeta[];
}

export function levelChanges(before: Levels, after: Levels): LevelChanges {
  assert(before.length === after.length, 'S2 all versions have as many levels');
  const gone = new Map<TableId, TableMeta>();
  const come = new Map<TableId, TableMeta>();
  for (let level = 0; level < before.length; level++) {
    const old = before[level] as readonly TableMeta[];
    const now = after[level] as readonly TableMeta[];
    const { from, beforeEnd, afterEnd } = changedSpan(old, now);
    for (let i = from; i < beforeEnd; i++) gone.set((old[i] as TableMeta).id, old[i] as TableMeta);
    for (let i = from; i < afterEnd; i++) come.set((now[i] as TableMeta).id, now[i] as TableMeta);
  }
  const removed = [...gone.values()].filter(({ id }) => !come.has(id));
  const added: TableMeta[] = [];
  const moved: TableMeta[] = [];
  for (const meta of come.values()) (gone.has(meta.id) ? moved : added).push(meta);
  return { removed, added, moved };
}
