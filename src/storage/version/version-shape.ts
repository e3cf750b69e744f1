/**
 * What holds for every version that a log can lead to. What comes from a disk or a peer is judged
 * by all of it before it becomes a version, so that applying an op may take it for granted and
 * assert that it still holds afterwards.
 */

import { SLICE_BYTES } from '../../base/drive.js';
import type { TableId } from '../../base/ids.js';
import { comparePrefixes } from '../base/key.js';
import { LEVELS } from '../base/settings.js';
import { minTableBytes } from '../table/footer.js';
import { isSorted, type KeySpan } from '../table/key-span.js';
import type { VersionFields } from './version.js';

/** What is wrong with it, looked for in slices; undefined: nothing. */
export function* shapeProblem(version: VersionFields): Generator<void, string | undefined> {
  return positionProblem(version) ?? (yield* levelsProblem(version)) ?? pendingProblem(version);
}

function positionProblem({ flushed, last, nextTableId }: VersionFields): string | undefined {
  if (flushed.index > last.index || flushed.term > last.term) return `flushed up to ${flushed.index}, applied up to ${last.index}`;
  return nextTableId >= 1 ? undefined : `next table id ${nextTableId}`;
}

function* levelsProblem({ levels, nextTableId }: VersionFields): Generator<void, string | undefined> {
  if (levels.length !== LEVELS) return `${levels.length} levels`;
  const ids = new Set<TableId>();
  let compared = 0;
  for (const [level, tables] of levels.entries()) {
    let before: KeySpan | undefined;
    for (const table of tables) {
      const { id, smallest, largest, bytes, scheme } = table;
      if (id < 1 || id >= nextTableId || ids.has(id)) return `table id ${id} was not given out, or twice`;
      if (comparePrefixes(smallest, largest) > 0) return `table ${id} ends before it begins`;
      if (bytes < minTableBytes(scheme)) return `table ${id} of ${bytes} bytes`;
      ids.add(id);
      if (level > 0 && before !== undefined && !isSorted([before, table])) return `tables of level ${level} overlap or are not sorted`;
      before = table;
      compared += smallest.length + largest.length;
      if (compared < SLICE_BYTES) continue;
      compared = 0;
      yield;
    }
  }
  return undefined;
}

function pendingProblem({ levels, seals, plans, flushed, last }: VersionFields): string | undefined {
  let before = flushed.index;
  for (const { index } of seals) {
    if (index <= before || index > last.index) return `seal ${index} after ${before}, applied up to ${last.index}`;
    before = index;
  }
  const live = new Map(levels.flat().map((table) => [table.id, table]));
  before = 0;
  for (const { index, inputs, outputLevel } of plans) {
    if (index <= before || index > last.index) return `plan ${index} after ${before}, applied up to ${last.index}`;
    if (outputLevel >= LEVELS) return `plan ${index} writes level ${outputLevel}`;
    for (const { id, digest } of inputs) {
      if (live.get(id)?.fileDigest !== digest) return `input ${id} of plan ${index} is not live, or of two plans`;
      live.delete(id);
    }
    before = index;
  }
  return undefined;
}
