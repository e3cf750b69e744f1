/**
 * The open tables of a node: one reader per table id, a bounded number of them open, one cache for all. The
 * store owns descriptors and memory, never names: files are made, linked and deleted by others.
 */

import { assert } from '../../base/assert.js';
import type { Disk } from '../../base/disk.js';
import type { TableId } from '../../base/ids.js';
import type { BlockCache } from '../cache/block-cache.js';
import { tablePath, type TableMeta } from './table-meta.js';
import type { BlockFaults } from './block-faults.js';
import { TableReader, type ReaderHost } from './table-reader.js';

interface TableStoreOptions {
  /** Tables open at once: descriptors, and memory for their indexes and filters (some 20 KiB per MiB of table). Default 256. */
  readonly maxOpenTables?: number;
}

export class TableStore implements ReaderHost {
  readonly disk: Disk;
  readonly cache: BlockCache;
  readonly faults: BlockFaults;
  readonly #maxOpen: number;
  readonly #readers = new Map<TableId, TableReader>();
  /** Least recently opened or spared first. */
  readonly #open = new Set<TableReader>();

  constructor(disk: Disk, cache: BlockCache, faults: BlockFaults, options: TableStoreOptions = {}) {
    this.disk = disk;
    this.cache = cache;
    this.faults = faults;
    this.#maxOpen = options.maxOpenTables ?? 256;
    assert(this.#maxOpen >= 1, 'at least one table can be open');
  }

  /** Cheap; touches no disk. The same reader for the same id until forget(). */
  reader(meta: TableMeta): TableReader {
    const known = this.#readers.get(meta.id);
    if (known) {
      assert(known.meta.fileDigest === meta.fileDigest, `S2 table ${meta.id} has one content for ever`);
      return known;
    }
    const reader = new TableReader(this, this.pathOf(meta.id), meta, this.cache.hold(meta.fileDigest));
    this.#readers.set(meta.id, reader);
    return reader;
  }

  pathOf(id: TableId): string {
    return tablePath(id);
  }

  /** Open tables. */
  get openTables(): number {
    return this.#open.size;
  }

  opening(reader: TableReader): void {
    this.#open.delete(reader);
    while (this.#open.size >= this.#maxOpen) this.#closeOne();
    this.#open.add(reader);
  }

  /** Spares each table once that was used since the last look. */
  #closeOne(): void {
    for (const reader of this.#open) {
      this.#open.delete(reader);
      if (!reader.recent) {
        reader.close();
        return;
      }
      reader.recent = false;
      this.#open.add(reader);
    }
  }

  /**
   * Closes the table and lets its reader go: call it before the file is deleted or replaced. Its blocks stay cached for
   * a table of the same bytes under another id.
   */
  forget(id: TableId): void {
    const reader = this.#readers.get(id);
    if (!reader) return;
    this.#readers.delete(id);
    this.#open.delete(reader);
    reader.close();
    this.cache.release(reader.cachedFile);
  }

  close(): void {
    for (const id of [...this.#readers.keys()]) this.forget(id);
  }
}
