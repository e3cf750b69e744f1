/**
 * The heal picker: a pure function of the version, its pending plans and the queue. It decides, the
 * scheduler acts. H4: a busy, waiting or claimed table is passed over and the next one is looked
 * at. What is worst comes first, then what failed least, then what came first.
 */

import { assert } from '../../base/assert.js';
import type { TableId } from '../../base/ids.js';
import type { Version } from '../../storage/version/version.js';
import type { TableMeta } from '../../storage/table/table-meta.js';
import { worst, type QueuedHeal } from './heal-queue.js';

interface HealChoice {
  /** No longer in the version: nothing is left to heal. */
  readonly drop: readonly TableId[];
  /** Proposals whose outcome never came: they count as failed. */
  readonly lost: readonly TableId[];
  readonly heal: TableMeta | undefined;
}

export function healPick(version: Version, queue: Iterable<QueuedHeal>, now: number): HealChoice {
  const drop: TableId[] = [];
  const lost: TableId[] = [];
  let first: QueuedHeal | undefined;
  for (const heal of queue) {
    if (!version.has(heal.tableId)) {
      // An id that was not given out yet belongs to a version that this node has still to apply.
      if (heal.tableId < version.nextTableId) drop.push(heal.tableId);
      continue;
    }
    if (heal.state === 'claimed' || heal.due > now) continue;
    if (heal.state === 'proposed') lost.push(heal.tableId);
    else if (!version.isBusy(heal.tableId) && (first === undefined || isBefore(heal, first))) first = heal;
  }
  const heal = first === undefined ? undefined : version.table(first.tableId);
  assert((heal === undefined) === (first === undefined), 'H4 a table that can be healed is chosen if there is one');
  return { drop, lost, heal };
}

function isBefore(a: QueuedHeal, b: QueuedHeal): boolean {
  return (worst(b) - worst(a) || a.attempts - b.attempts || a.arrival - b.arrival) < 0;
}
