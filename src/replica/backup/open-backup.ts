/**
 * A backup at hand: an archive with all its tables in it, or one of a folder whose backups share
 * tables. {@link OpenBackup.damages} judges all of it without a cluster: each byte of the archive,
 * each block of each table against its referrer (S4), and that the state can be read of it.
 */

import type { Disk } from '../../base/disk.js';
import type { Env } from '../../base/env.js';
import { codeOf, messageOf } from '../../base/errors.js';
import { BlockCache } from '../../storage/cache/block-cache.js';
import { noFaults } from '../../storage/table/block-faults.js';
import { TableStore } from '../../storage/table/table-store.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import { verifyTable } from '../../storage/table/verify-table.js';
import { Tree } from '../../storage/tree/tree.js';
import { ReplicatedState } from '../kv/replicated-state.js';
import { ArchiveFile } from './archive-file.js';
import { BackupDisk, sharedPath } from './backup-disk.js';
import { BackupError, describeDamage, type BackupDamage } from './errors.js';

const CACHE_BYTES = 8 * 1024 * 1024;
/** Of a damaged backup: so many are named. */
const NAMED_MAX = 8;

export class OpenBackup {
  readonly archive: ArchiveFile;
  /** Its tables, as `tables/<id>.sst`. */
  readonly tables: Disk;
  readonly #workers: Env['workers'];
  /** All of it was read and is good. */
  #sound = false;

  private constructor(archive: ArchiveFile, tables: Disk, workers: Env['workers']) {
    this.archive = archive;
    this.tables = tables;
    this.#workers = workers;
  }

  /** `disk`: of the folder that the archive is in. Rejects with BackupError, DiskError. */
  static async open(disk: Disk, path: string, workers: Env['workers']): Promise<OpenBackup> {
    const archive = await ArchiveFile.open(disk, path, workers);
    const absent = archive.version.list().filter((table) => !archive.holds(table.id) && disk.sizeOf(sharedPath(table)) === undefined);
    const [first] = absent;
    if (first === undefined) return new OpenBackup(archive, new BackupDisk(archive, disk), workers);
    archive.close();
    throw new BackupError('INCOMPLETE',
      `${absent.length} of ${archive.version.list().length} tables of the backup are not beside it, ${sharedPath(first)} for one: ` +
        'it belongs into the folder that it was saved to');
  }

  close(): void {
    this.archive.close();
  }

  /** What there is to read for {@link damages}, in bytes. */
  get totalBytes(): number {
    return this.archive.bytes + this.archive.version.list().reduce((sum, table) => sum + table.bytes, 0);
  }

  /** All that is not as it was when the backup was made; none: it can be restored. */
  async damages(onProgress?: (bytes: number) => void): Promise<BackupDamage[]> {
    const damages = await this.archive.damages(onProgress);
    for (const table of this.archive.version.list()) {
      damages.push(...(await this.#tableDamages(table)));
      onProgress?.(table.bytes);
    }
    if (damages.length === 0) damages.push(...this.#stateDamages());
    return damages;
  }

  /** Rejects with BackupError DAMAGED. What was found sound is not read again. */
  async refuseDamaged(onProgress?: (bytes: number) => void): Promise<void> {
    if (this.#sound) return;
    const damages = await this.damages(onProgress);
    this.#sound = damages.length === 0;
    if (this.#sound) return;
    const named = damages.slice(0, NAMED_MAX).map(describeDamage).join('; ');
    const more = damages.length > NAMED_MAX ? `; and ${damages.length - NAMED_MAX} more` : '';
    throw new BackupError('DAMAGED', `the backup is damaged: ${named}${more}`, { damages });
  }

  async #tableDamages(table: TableMeta): Promise<BackupDamage[]> {
    const { faults } = await verifyTable(this.tables, tablePath(table.id), table, { pace: this.#workers });
    const file = this.archive.holds(table.id) ? `table ${table.id} in the archive` : sharedPath(table);
    return faults.map(({ kind, region, offset, length, why }) => ({ file, offset, length, why: `${region} (${kind}): ${why}` }));
  }

  /** The state machine can be loaded as of the backup, and says what the header does. */
  #stateDamages(): BackupDamage[] {
    const { header, version } = this.archive;
    const damage = (why: string): BackupDamage[] => [{ file: '', offset: 0, length: 0, why: `the state in it: ${why}` }];
    try {
      return this.withState(({ kv, settings }) => {
        if (settings === undefined) return damage('no settings of the cluster');
        const same = kv.revision === header.revision && kv.compactRevision === header.compactRevision;
        return same ? [] : damage(`revision ${kv.revision}, the header says ${header.revision}`);
      });
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return damage(`as of entry ${version.flushed.index}: ${messageOf(error)}`);
    }
  }

  /**
   * The state as of the backup. Throws ReplicaError CLUSTER_NEWER, StorageError, CodecError, and
   * what `use` throws.
   */
  withState<T>(use: (state: ReplicatedState, tree: Tree) => T): T {
    const { version } = this.archive;
    const tables = new TableStore(this.tables, new BlockCache(CACHE_BYTES), noFaults);
    try {
      const tree = new Tree({ disk: this.tables, tables, durable: version });
      const state = new ReplicatedState(tree);
      state.load(version.flushed.index);
      return use(state, tree);
    } finally {
      tables.close();
    }
  }
}
