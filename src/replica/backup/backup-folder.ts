/**
 * A folder of backups that share tables: `<name>.backup`, an archive without any, and
 * `tables/<file digest>-<birth>.sst`, named by their content. A table is never written twice, and a
 * backup is there, whole, from the moment that its name is: the tables that it needs were durable
 * before. Everything is copied, nothing linked, so that no member's disk and no backup can hurt the
 * other.
 */

import { assert } from '../../base/assert.js';
import type { Disk } from '../../base/disk.js';
import type { Workers } from '../../base/env.js';
import { FileDigest } from '../../storage/table/file-digest.js';
import { rebuildTable } from '../../storage/table/rebuild-table.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import { encodeManifest } from '../../storage/version/manifest-codec.js';
import type { ArchiveFile } from './archive-file.js';
import { encodeHeader } from './archive-layout.js';
import { ArchiveWriter } from './archive-writer.js';
import { SHARED_DIR, sharedPath } from './backup-disk.js';
import { BackupError } from './errors.js';
import { OpenBackup } from './open-backup.js';

const TABLE = /^(([0-9a-f]{32})-[0-9a-f.]+)\.sst$/;
const BACKUP = /^(.+)\.backup$/;
const READ_BYTES = 256 * 1024;
/** Of what is left out: a request has room for so many names. Others come again. */
const HELD_MAX = 16_384;

export interface Folder {
  readonly disk: Disk;
  readonly workers: Workers;
}

export function backupPath(name: string): string {
  return `${name}.backup`;
}

/** Where an archive waits that has just come; one at a time. */
export const INCOMING = 'incoming.part';

/** In the order of their names. */
export async function backupNames(disk: Disk): Promise<string[]> {
  return (await disk.list('')).flatMap((file) => BACKUP.exec(file)?.[1] ?? []).sort();
}

/**
 * Names of tables that need not come again: they are here, and every byte is what the name says.
 * One that has rotted comes again.
 */
export async function heldTables({ disk, workers }: Folder, onProgress?: (bytes: number) => void): Promise<string[]> {
  const held: string[] = [];
  for (const file of await disk.list(SHARED_DIR)) {
    const [, name, digest] = TABLE.exec(file) ?? [];
    if (name === undefined || held.length >= HELD_MAX) continue;
    if ((await digestOf({ disk, workers }, `${SHARED_DIR}/${file}`, onProgress)) === digest) held.push(name);
  }
  return held;
}

async function digestOf({ disk, workers }: Folder, path: string, onProgress?: (bytes: number) => void): Promise<string> {
  const digest = new FileDigest();
  const file = await disk.open(path, 'read');
  try {
    const size = file.size();
    for (let at = 0; at < size; at += READ_BYTES) {
      const bytes = new Uint8Array(Math.min(READ_BYTES, size - at));
      digest.update(bytes.subarray(0, await file.read(bytes, at)));
      onProgress?.(bytes.length);
      await workers.breathe();
    }
  } finally {
    file.close();
  }
  return digest.digest();
}

export interface Folded {
  /** Copied by this backup, and all that it needs. */
  readonly newTables: number;
  readonly newBytes: number;
  readonly tables: number;
}

/**
 * Makes the archive at {@link INCOMING} the backup of that name: all of it is verified first.
 * Rejects with BackupError, DiskError; the folder's other backups are as they were.
 */
export async function foldBackup(folder: Folder, name: string): Promise<Folded> {
  const { disk, workers } = folder;
  if (disk.sizeOf(backupPath(name)) !== undefined) throw new BackupError('NOT_EMPTY', `the folder has a backup named ${name} already`);
  await disk.mkdir(SHARED_DIR);
  const incoming = await OpenBackup.open(disk, INCOMING, workers);
  try {
    await incoming.refuseDamaged();
    const { archive } = incoming;
    const fresh = archive.version.list().filter((table) => archive.holds(table.id));
    for (const table of fresh) await copyTable(folder, incoming, table);
    await disk.syncDir(SHARED_DIR);
    await writeThin(folder, archive, backupPath(name));
    await disk.unlink(INCOMING);
    return { newTables: fresh.length, newBytes: fresh.reduce((sum, { bytes }) => sum + bytes, 0), tables: archive.version.list().length };
  } finally {
    incoming.close();
  }
}

async function copyTable({ disk, workers }: Folder, incoming: OpenBackup, table: TableMeta): Promise<void> {
  const path = sharedPath(table);
  const temporary = `${path}.tmp`;
  const out = await disk.open(temporary, 'create');
  try {
    await rebuildTable(incoming.tables, tablePath(table.id), table, { out, pace: workers });
    await out.sync();
  } finally {
    out.close();
  }
  await disk.rename(temporary, path);
}

/** The same backup without tables in it. */
async function writeThin({ disk, workers }: Folder, archive: ArchiveFile, path: string): Promise<void> {
  const manifest = encodeManifest(archive.version);
  assert(manifest.length === archive.header.manifestBytes, 'S2 a manifest has the same bytes again');
  const header = encodeHeader({ ...archive.header, included: archive.version.list().map(() => false) });
  const writer = await ArchiveWriter.create(header.length + manifest.length);
  const temporary = `${path}.tmp`;
  const out = await disk.open(temporary, 'create');
  try {
    let offset = 0;
    const write = async (bytes: Uint8Array): Promise<void> => {
      await out.write(bytes, offset);
      offset += bytes.length;
    };
    for (const bytes of writer.push(header)) await write(bytes);
    for (const bytes of writer.push(manifest)) await write(bytes);
    for (const bytes of writer.end()) await write(bytes);
    await out.sync();
    await workers.breathe();
  } finally {
    out.close();
  }
  await disk.rename(temporary, path);
  await disk.syncDir('');
}
