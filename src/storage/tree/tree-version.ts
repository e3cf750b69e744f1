/**
 * A version whose tables are all local, opened for reading. Counts the readers that hold it: the
 * files of its tables stay until the last is gone (S5).
 */

import { assert } from '../../base/assert.js';
import type { TableId } from '../../base/ids.js';
import { Entry } from '../iterator/key-cursor.js';
import { comparePrefixes, comparePrefixToKey, prefixOf, revisionOf, subOf } from '../base/key.js';
import type { TableCursor } from '../base/table-entry.js';
import type { TableReader } from '../table/table-reader.js';
import type { TableStore } from '../table/table-store.js';
import type { Version } from '../version/version.js';
import { sameTable, type TableMeta } from '../table/table-meta.js';

/** A table that is open, with a cursor of its own for point reads. */
export class OpenTable {
  readonly meta: TableMeta;
  readonly reader: TableReader;
  #cursor: TableCursor | undefined;

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
  get(prefix: Uint8Array, seekKey: Uint8Array): Entry | undefined {
    if (!this.reader.mayContain(prefix)) return undefined;
    const cursor = (this.#cursor ??= this.reader.cursor());
    cursor.seek(seekKey);
    if (!cursor.valid || comparePrefixToKey(prefix, cursor.key) !== 0) return undefined;
    const { key } = cursor;
    return new Entry(prefix, revisionOf(key), subOf(key), cursor.tombstone, cursor.liveDelta, cursor.value);
  }
}

export class TreeVersion {
  readonly manifest: Version;
  /** As in the manifest: level 0 newest first, the others by key. */
  readonly levels: readonly (readonly OpenTable[])[];
  #readers = 0;

  /** `previous`: tables that it shares are not opened again. */
  constructor(manifest: Version, tables: TableStore, previous: TreeVersion | undefined) {
    const known = new Map<TableId, OpenTable>();
    for (const level of previous?.levels ?? []) for (const table of level) known.set(table.meta.id, table);
    this.manifest = manifest;
    this.levels = manifest.levels.map((level) => level.map((meta) => known.get(meta.id)?.of(meta) ?? new OpenTable(tables.reader(meta))));
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

  get(seekKey: Uint8Array): Entry | undefined {
    const prefix = prefixOf(seekKey);
    const { levels } = this;
    const level0 = levels[0] as readonly OpenTable[];
    for (let i = 0; i < level0.length; i++) {
      const table = level0[i] as OpenTable;
      const found = table.covers(seekKey) ? table.get(prefix, seekKey) : undefined;
      if (found !== undefined) return found;
    }
    for (let level = 1; level < levels.length; level++) {
      const table = findCovering(levels[level] as readonly OpenTable[], seekKey);
      const found = table?.get(prefix, seekKey);
      if (found !== undefined) return found;
    }
    return undefined;
  }
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
