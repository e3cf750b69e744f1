/**
 * All versions of a range of user keys within bounds of revisions, in no order: what a watch missed
 * is read this way. Tables and blocks whose revisions all lie outside are skipped unread. What
 * garbage collection left out lies below the compact revision: from there on history is whole.
 *
 * It yields after at most a block, or some hundred versions of a memtable. If it throws, nothing of
 * what it gave may be taken for all.
 */

import { assert } from '../../base/assert.js';
import { compareBytes } from '../../base/bytes.js';
import type { HistorySink } from '../base/history-sink.js';
import { compareFrom } from '../base/key-head.js';
import { revisionIn, subIn } from '../base/key.js';
import { SEQUENCE_BYTES } from '../base/table-entry.js';
import { VersionSlot } from '../base/version-slot.js';
import type { Memtable } from '../memtable/memtable.js';
import { DataBlockCursor } from '../table/data-block-cursor.js';
import { BlockScratch } from '../table/read-block.js';
import type { OpenTable, TreeVersion } from './tree-version.js';

/** Versions of a memtable, or blocks that are not read, between two yields. */
const SLICE_VERSIONS = 256;
const SLICE_BLOCKS = 4096;

/** Of what was written at or before `sequence`. Bounds are prefixes. */
export function* memtableHistory(
  memtable: Memtable, sequence: number, from: Uint8Array, to: Uint8Array, sink: HistorySink,
): Generator<void, void> {
  const cursor = memtable.cursor();
  const { records } = cursor;
  const slot = new VersionSlot();
  let looked = 0;
  for (cursor.seek(from); cursor.key !== 0; cursor.next()) {
    const { key } = cursor;
    const start = records.prefixStart(key);
    slot.copyKey(records.prefixBytes(key), start, start + records.prefixLength(key));
    if (!isBelow(slot.keyBytes, slot.keyEnd, to)) break;
    // What is older follows, and never changes.
    for (let version = records.newest(key); version !== 0; version = records.older(version)) {
      if (++looked % SLICE_VERSIONS === 0) yield;
      const revision = records.revision(version);
      if (revision < sink.min) break;
      if (revision > sink.max || records.sequence(version) > sequence) continue;
      records.fill(version, slot);
      sink.add(slot);
    }
  }
}

export function* tablesHistory(version: TreeVersion, from: Uint8Array, to: Uint8Array, sink: HistorySink): Generator<void, void> {
  for (const tables of version.levels) {
    for (const table of tables) {
      const { minRevision, maxRevision } = table.meta;
      assert(minRevision <= maxRevision, 'bounds of revisions');
      if (maxRevision < sink.min || minRevision > sink.max || !table.meets(from, to)) continue;
      yield* tableHistory(table, from, to, sink);
    }
  }
}

function* tableHistory({ reader }: OpenTable, from: Uint8Array, to: Uint8Array, sink: HistorySink): Generator<void, void> {
  const block = new DataBlockCursor();
  const slot = new VersionSlot();
  const scratch = new BlockScratch();
  const first = reader.index.find(from);
  for (let i = first; i < reader.blocks; i++) {
    const { index } = reader;
    if (compareBytes(index.firstKey(i), to) >= 0) return;
    if (index.maxRevision(i) < sink.min || index.minRevision(i) > sink.max) {
      if (i % SLICE_BLOCKS === 0) yield;
      continue;
    }
    // Keys of a block are at or below the first one of the next.
    const inside = i + 1 < reader.blocks && compareBytes(index.firstKey(i + 1), to) < 0;
    block.open(reader.blockOnce(i, scratch));
    if (i === first) block.seek(from);
    else block.seekToFirst();
    for (; block.valid; block.next()) {
      const end = block.keyLength - SEQUENCE_BYTES;
      const revision = revisionIn(block.keyBuffer, block.keyLength);
      if (revision < sink.min || revision > sink.max) continue;
      if (!inside && !isBelow(block.keyBuffer, end, to)) return;
      slot.copyKey(block.keyBuffer, 0, end);
      slot.set(
        revision, subIn(block.keyBuffer, block.keyLength), block.tombstone, block.liveDelta, block.payload, block.valueAt, block.valueEnd,
      );
      sink.add(slot);
    }
    yield;
  }
}

/** Is the prefix [0, end) of `key` below the border? */
function isBelow(key: Uint8Array, end: number, to: Uint8Array): boolean {
  return compareFrom(key, end, to, to.length, 0) < 0;
}
