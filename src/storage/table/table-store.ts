/**
 * The tables of a node: one reader per table id, a bounded number of them open, one cache for all
 * (the TableCache of LevelDB). It owns descriptors and memory, never names: files are made, linked
 * and deleted by others.
 */

import { assert } from '../../base/assert.js';
import type { Disk } from '../../base/disk.js';
import type { TableId } from '../../base/ids.js';
import type { BlockCache } from '../cache/block-cache.js';
import { tablePath, type TableMeta } from './table-meta.js';
import { BeyondParity } from './beyond-parity.js';
import type { BlockFaults } from './block-faults.js';
import { OpenTables } from './open-tables.js';
import { TableReader, type ReaderContext } from './table-reader.js';

interface TableStoreOptions {
  /**
   * Tables open at once: descriptors, and memory for their indexes and filters (some 20 KiB per MiB
   * of table). Default 256.
   */
  readonly maxOpenTables?: number;
}

export class TableStore implements ReaderContext {
  readonly disk: Disk;
  readonly cache: BlockCache;
  readonly faults: BlockFaults;
  readonly open: OpenTables;
  readonly beyondParity = new BeyondParity();
  readonly #readers = new Map<TableId, TableReader>();

  constructor(disk: Disk, cache: BlockCache, faults: BlockFaults, options: TableStoreOptions = {}) {
    this.disk = disk;
    this.cache = cache;
    this.faults = faults;
    this.open = new OpenTables(options.maxOpenTables ?? 256);
  }

  /** Cheap; touches no disk. The same reader for the same id until forget(). */
  reader(meta: TableMeta): TableReader {
    const known = this.#readers.get(meta.id);
    if (known) {
      assert(known.meta.fileDigest === meta.fileDigest, `S2 table ${meta.id} has one content for ever`);
      return known;
    }
    assert(meta.id >= 1 && meta.bytes > 0, 'a table has an id and bytes');
    const reader = new TableReader(this, this.pathOf(meta.id), meta, this.cache.hold(meta.fileDigest));
    this.#readers.set(meta.id, reader);
    return reader;
  }

  pathOf(id: TableId): string {
    return tablePath(id);
  }

  /**
   * Another file has come under the table's name: what is read next is read in that one. The reader
   * stays, because versions hold it: a second one for the table would keep a descriptor that nobody
   * closes.
   */
  replaced(id: TableId): void {
    const reader = this.#readers.get(id);
    if (!reader) return;
    this.open.forget(reader);
    reader.close();
  }

  /**
   * Closes the table and lets its reader go: call it before the file of a table that no version
   * names is deleted. Its blocks stay cached for a table of the same bytes under another id.
   */
  forget(id: TableId): void {
    const reader = this.#readers.get(id);
    if (!reader) return;
    this.#readers.delete(id);
    this.open.forget(reader);
    reader.close();
    this.cache.release(reader.cachedFile);
  }

  close(): void {
    for (const id of [...this.#readers.keys()]) this.forget(id);
  }
}
