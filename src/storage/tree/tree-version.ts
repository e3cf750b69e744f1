/**
 * A version whose tables are all local, opened for reading. Counts the readers that hold it: the
 * files of its tables stay until the last is gone (S5).
 */

import { assert } from '../../base/assert.js';
import type { TableId } from '../../base/ids.js';
import { compareBytes } from '../../base/bytes.js';
import type { KeyCursor } from '../iterator/key-cursor.js';
import { RunKeyCursor, type LargeBlocks } from '../iterator/run-key-cursor.js';
import { comparePrefixes, comparePrefixToKey } from '../base/key.js';
import type { VersionSlot } from '../base/version-slot.js';
import { isSorted } from '../table/key-span.js';
import { BlockWalker } from '../table/table-cursor.js';
import type { TableReader } from '../table/table-reader.js';
import type { TableStore } from '../table/table-store.js';
import { changedSpan } from '../version/level-changes.js';
import type { Version } from '../version/version.js';
import { sameTable, type TableMeta } from '../table/table-meta.js';

/** A table that is open, with a cursor of its own for point reads. */
export class OpenTable {
  readonly meta: TableMeta;
  readonly reader: TableReader;
  #cursor: BlockWalker | undefined;

  constructor(reader: TableReader) {
    this.meta = reader.meta;
    this.reader = reader;
  }

  /** This table, as `meta` names it too. */
  of(meta: TableMeta): this {
    assert(sameTable(meta, this.meta), `S2 table ${meta.id} has one content for ever`);
    return this;
  }

  /** Does its range of keys hold this one? Reads nothing. */
  covers(seekKey: Uint8Array): boolean {
    return comparePrefixes(this.meta.smallest, seekKey) <= 0 && comparePrefixes(seekKey, this.meta.largest) <= 0;
  }

  /** Could it hold keys in [from, to)? Bounds are prefixes, or anything between two keys. */
  meets(from: Uint8Array, to: Uint8Array): boolean {
    return comparePrefixToKey(from, this.meta.largest) <= 0 && comparePrefixToKey(to, this.meta.smallest) > 0;
  }

  /** The newest version of the key at or below the revision of `seekKey`. */
  find(prefix: Uint8Array, seekKey: Uint8Array, into: VersionSlot): boolean {
    if (!this.reader.mayContain(prefix)) return false;
    const cursor = (this.#cursor ??= new BlockWalker(this.reader));
    cursor.seek(seekKey);
    return cursor.valid && cursor.fillIfOf(prefix, into);
  }
}

export class TreeVersion {
  readonly manifest: Version;
  /** As in the manifest: level 0 newest first, the others by key. */
  readonly levels: readonly (readonly OpenTable[])[];
  #readers = 0;

  /** `previous`: what it shares is taken over, and only tables that an edit changed are opened. */
  constructor(manifest: Version, tables: TableStore, previous: TreeVersion | undefined) {
    this.manifest = manifest;
    const known = new Map<TableId, OpenTable>();
    if (previous !== undefined) {
      previous.levels.forEach((level, n) => {
        const { from, beforeEnd } = changedSpan(previous.manifest.level(n), manifest.level(n));
        for (let i = from; i < beforeEnd; i++) known.set((level[i] as OpenTable).meta.id, level[i] as OpenTable);
      });
    }
    this.levels = manifest.levels.map((level, n) => {
      const before = previous?.manifest.level(n) ?? [];
      const opened = previous?.levels[n] ?? [];
      if (level === before) return opened;
      const { from, beforeEnd, afterEnd } = changedSpan(before, level);
      const sorted = n === 0 || isSorted(level.slice(Math.max(0, from - 1), afterEnd + 1));
      assert(sorted, 'S3 tables of a level below 0 are sorted and share no key');
      const changed = level.slice(from, afterEnd).map((meta) => known.get(meta.id)?.of(meta) ?? new OpenTable(tables.reader(meta)));
      return [...opened.slice(0, from), ...changed, ...opened.slice(beforeEnd)];
    });
  }

  get readers(): number {
    return this.#readers;
  }

  retain(): void {
    this.#readers++;
  }

  release(): void {
    assert(this.#readers > 0, 'S5 a version is released as often as it was retained');
    this.#readers--;
  }

  find(prefix: Uint8Array, seekKey: Uint8Array, into: VersionSlot): boolean {
    const { levels } = this;
    const level0 = levels[0] as readonly OpenTable[];
    for (let i = 0; i < level0.length; i++) {
      const table = level0[i] as OpenTable;
      if (table.covers(seekKey) && table.find(prefix, seekKey, into)) return true;
    }
    for (let level = 1; level < levels.length; level++) {
      const table = findCovering(levels[level] as readonly OpenTable[], seekKey);
      if (table !== undefined && table.find(prefix, seekKey, into)) return true;
    }
    return false;
  }

  /** Cursors over the tables that may hold keys in [from, to), newest first. */
  addCursors(from: Uint8Array, to: Uint8Array, into: KeyCursor[], large: LargeBlocks): void {
    const { levels } = this;
    const level0 = levels[0] as readonly OpenTable[];
    for (let i = 0; i < level0.length; i++) {
      if ((level0[i] as OpenTable).meets(from, to)) into.push(new RunKeyCursor(level0, i, i + 1, large));
    }
    for (let level = 1; level < levels.length; level++) {
      const tables = levels[level] as readonly OpenTable[];
      const first = firstEndingAtOrAbove(tables, from);
      const end = firstBeginningAtOrAbove(tables, first, to);
      if (first < end) into.push(new RunKeyCursor(tables, first, end, large));
    }
  }
}

/** First table of a sorted level whose largest key is at or above `target`. */
function firstEndingAtOrAbove(tables: readonly OpenTable[], target: Uint8Array): number {
  let low = 0;
  let high = tables.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBytes((tables[middle] as OpenTable).meta.largest, target) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** First table from `from` on whose smallest key is at or above `target`. */
function firstBeginningAtOrAbove(tables: readonly OpenTable[], from: number, target: Uint8Array): number {
  let low = from;
  let high = tables.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBytes((tables[middle] as OpenTable).meta.smallest, target) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The one table of a sorted level whose range holds the key. */
function findCovering(tables: readonly OpenTable[], seekKey: Uint8Array): OpenTable | undefined {
  let low = 0;
  let high = tables.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (comparePrefixes((tables[middle] as OpenTable).meta.largest, seekKey) < 0) low = middle + 1;
    else high = middle;
  }
  const table = tables[low];
  return table !== undefined && comparePrefixes(table.meta.smallest, seekKey) <= 0 ? table : undefined;
}
