/**
 * How many keys of a range were live at a revision: the sum of the live deltas of all versions up
 * to it. At the newest revision that is a sum over blocks and leaves; at an older one blocks whose
 * revisions all lie on one side of it still count as a whole, and only the others are walked, keys
 * and flags alone. Collecting garbage folds the deltas of what it drops into the version that it
 * keeps, never above the compacted revision: so the sum is right for every revision that may be
 * read.
 */

import { assert } from '../../base/assert.js';
import { compareBytes } from '../../base/bytes.js';
import { MemtableKeyCursor } from '../iterator/memtable-key-cursor.js';
import type { Memtable } from '../memtable/memtable.js';
import { BlockWalker } from '../table/table-cursor.js';
import type { OpenTable, TreeVersion } from './tree-version.js';

/** Keys of a memtable, or blocks that are not read, in one part. */
const PART_KEYS = 512;
const PART_BLOCKS = 4096;

/** Of a memtable, in parts. Bounds are prefixes, or anything between two keys. */
export function* memtableCountAt(
  memtable: Memtable, sequence: number, from: Uint8Array, to: Uint8Array, atRevision: number,
): Generator<number, void> {
  const cursor = new MemtableKeyCursor(memtable, sequence);
  let sum = 0;
  let keys = 0;
  for (cursor.seek(from); cursor.valid && compareBytes(cursor.keyBytes.subarray(0, cursor.keyEnd), to) < 0; cursor.next()) {
    sum += cursor.liveDeltaAt(atRevision);
    if (++keys % PART_KEYS !== 0) continue;
    yield sum;
    sum = 0;
  }
  yield sum;
}

/** Of all tables, in parts. */
export function* tablesCountAt(version: TreeVersion, from: Uint8Array, to: Uint8Array, atRevision: number): Generator<number, void> {
  for (const tables of version.levels) {
    for (const table of tables) if (table.meets(from, to)) yield* tableCountAt(table, from, to, atRevision);
  }
}

/** At the newest revision. A table that lies wholly inside is not read. */
export function tableCount(table: OpenTable, from: Uint8Array, to: Uint8Array): number {
  if (!table.meets(from, to)) return 0;
  return within(table, from, to) ? table.meta.liveDelta : table.reader.liveDeltaSum(from, to);
}

function within(table: OpenTable, from: Uint8Array, to: Uint8Array): boolean {
  const { smallest, largest } = table.meta;
  return compareBytes(from, smallest) <= 0 && compareBytes(largest, to) < 0;
}

function* tableCountAt(table: OpenTable, from: Uint8Array, to: Uint8Array, atRevision: number): Generator<number, void> {
  const { minRevision, maxRevision } = table.meta;
  assert(minRevision <= maxRevision, 'bounds of revisions');
  if (minRevision > atRevision) return;
  if (maxRevision <= atRevision) {
    yield tableCount(table, from, to);
    return;
  }
  const { reader } = table;
  const walker = new BlockWalker(reader);
  const first = reader.index.find(from);
  let sum = 0;
  for (let i = first; i < reader.index.count; i++) {
    const { index } = reader;
    const last = compareBytes(index.lastKey(i), to) >= 0;
    const border = last || i === first;
    if (border || (index.minRevision(i) <= atRevision && index.maxRevision(i) > atRevision)) {
      if (index.minRevision(i) <= atRevision) sum += walker.sumWithin(i, from, to, atRevision);
      yield sum;
      sum = 0;
    } else {
      if (index.maxRevision(i) <= atRevision) sum += index.liveDelta(i, i + 1);
      if (i % PART_BLOCKS === 0) {
        yield sum;
        sum = 0;
      }
    }
    if (last) break;
  }
  yield sum;
}
