/**
 * The heal picker: a pure function of the version, its pending plans and the queue. It decides, the scheduler acts.
 * H4: a busy, waiting or claimed table is passed over and the next one is looked at. What is worst comes first, then
 * what failed least, then what came first.
 */

import type { TableId } from '../../base/ids.js';
import type { Version } from '../../storage/version/version.js';
import type { TableMeta } from '../../storage/table/table-meta.js';
import { worst, type QueuedHeal } from './heal-queue.js';

export interface HealChoice {
  /** No longer in the version: nothing is left to heal. */
  readonly drop: readonly TableId[];
  /** Proposals whose outcome never came: they count as failed. */
  readonly lost: readonly TableId[];
  readonly heal: TableMeta | undefined;
  /** When the next entry becomes due by itself; undefined if nothing waits for a time. */
  readonly wakeAt: number | undefined;
}

export function healPick(manifest: Version, queue: readonly QueuedHeal[], now: number): HealChoice {
  const drop: TableId[] = [];
  const lost: TableId[] = [];
  const ready: QueuedHeal[] = [];
  let wakeAt: number | undefined;
  for (const heal of queue) {
    if (!manifest.has(heal.tableId)) {
      // An id that was not given out yet belongs to a version that this node has still to apply.
      if (heal.tableId < manifest.nextTableId) drop.push(heal.tableId);
      continue;
    }
    if (heal.state === 'claimed') continue;
    if (heal.due > now) {
      wakeAt = wakeAt === undefined ? heal.due : Math.min(wakeAt, heal.due);
    } else if (heal.state === 'proposed') {
      lost.push(heal.tableId);
    } else if (!manifest.isBusy(heal.tableId)) {
      ready.push(heal);
    }
  }
  ready.sort((a, b) => worst(b) - worst(a) || a.attempts - b.attempts || a.arrival - b.arrival);
  return { drop, lost, heal: ready[0] === undefined ? undefined : manifest.table(ready[0].tableId), wakeAt };
}
