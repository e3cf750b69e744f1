/**
 * The tables of a backup as a member's disk would have them, `tables/<id>.sst`, wherever they lie:
 * within the archive, or beside it in a folder that backups share. Read only, and nothing is
 * verified here: what reads tables does that.
 */

import { must } from '../../base/assert.js';
import type { DirectRead, Disk, DiskFile } from '../../base/disk.js';
import { ReadOnlyDisk, ReadOnlyFile } from '../../base/disk/read-only.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import { contentName } from './archive-layout.js';
import type { ArchiveFile } from './archive-file.js';

/** Of a folder of backups: what they share. */
export const SHARED_DIR = 'tables';

export function sharedPath(table: TableMeta): string {
  return `${SHARED_DIR}/${contentName(table)}.sst`;
}

class ArchivedTable extends ReadOnlyFile {
  readonly #archive: ArchiveFile;
  readonly #table: TableMeta;

  constructor(archive: ArchiveFile, table: TableMeta) {
    super(tablePath(table.id));
    this.#archive = archive;
    this.#table = table;
  }

  size(): number {
    return this.#table.bytes;
  }

  readSync(into: Uint8Array, offset: number): number {
    const length = Math.max(0, Math.min(into.length, this.#table.bytes - offset));
    if (length > 0) this.#archive.readTable(this.#table.id, into.subarray(0, length), offset);
    return length;
  }

  /** The archive stays open. */
  close(): void {}
}

export class BackupDisk extends ReadOnlyDisk {
  readonly #archive: ArchiveFile;
  readonly #shared: Disk;
  readonly #byPath: ReadonlyMap<string, TableMeta>;

  /** `shared`: where the archive lies, and tables that are not in it. */
  constructor(archive: ArchiveFile, shared: Disk) {
    super();
    this.#archive = archive;
    this.#shared = shared;
    this.#byPath = new Map(archive.version.list().map((table) => [tablePath(table.id), table]));
  }

  protected openToRead(path: string): DiskFile {
    const table = this.#table(path);
    return this.#archive.holds(table.id) ? new ArchivedTable(this.#archive, table) : this.#shared.openSync(sharedPath(table), 'read');
  }

  sizeOf(path: string): number | undefined {
    const table = this.#table(path);
    return this.#archive.holds(table.id) ? table.bytes : this.#shared.sizeOf(sharedPath(table));
  }

  async readDirect(path: string, offset: number, length: number): Promise<DirectRead> {
    const table = this.#table(path);
    if (!this.#archive.holds(table.id)) return this.#shared.readDirect(sharedPath(table), offset, length);
    const bytes = new Uint8Array(Math.max(0, Math.min(length, table.bytes - offset)));
    if (bytes.length > 0) this.#archive.readTable(table.id, bytes, offset);
    return Promise.resolve({ bytes, pastCache: false });
  }

  list(): Promise<string[]> {
    return Promise.resolve([]);
  }

  #table(path: string): TableMeta {
    return must(this.#byPath.get(path), `${path} is a table of the backup`);
  }
}
