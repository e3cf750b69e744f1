/**
 * A data directory of a new cluster out of a backup. Every member makes its own from the same file,
 * and all of them hold the same: the backup's tables, one table more that begins the new cluster's
 * state, and an empty log after both.
 *
 *   - The whole backup is verified before anything is touched.
 *   - Keys, revisions, versions and the compact revision stay; the new cluster's settings are the
 *     old one's, because they shape tables. What belonged to the old members goes: who they were,
 *     what they proposed, what they raised alarms for (`founding.ts`).
 *   - R1 Ids are new: they follow from what the new cluster begins with, beside the flags. So none
 *     of the old members can take part, nor one of the new in the old cluster, whatever the token;
 *     nor members together that begin with different tables. The directory says them (`joined`).
 *   - A mark lies in the directory from before the first byte until all is durable; a member does
 *     not begin while it is there (`start/unfinished-restore.ts`).
 */

import { assert, must } from '../../base/assert.js';
import { digest128InSlices } from '../../base/digest.js';
import type { Disk } from '../../base/disk.js';
import { drive } from '../../base/drive.js';
import type { Env } from '../../base/env.js';
import type { Digest128, NodeId, Revision } from '../../base/ids.js';
import { rebuildTable } from '../../storage/table/rebuild-table.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import { encodeManifestInSlices } from '../../storage/version/manifest-codec.js';
import type { Version } from '../../storage/version/version.js';
import { JOINED_FILE, writeJoined, type Identity } from '../state/joined.js';
import { staticMembers } from '../state/members.js';
import { markRestore, restoreIsMarked, unmarkRestore } from '../start/unfinished-restore.js';
import { BackupError } from './errors.js';
import { found, foundingVersion, refuseUnproven } from './founding.js';
import type { OpenBackup } from './open-backup.js';

export interface RestoreOptions {
  /** `disk`: the new data directory. */
  readonly env: Pick<Env, 'disk' | 'clock' | 'events' | 'workers'>;
  readonly backup: OpenBackup;
  /** How much higher the revision becomes; above 0, all before is compacted then. */
  readonly bump: number;
  /** What an operator runs to begin again. */
  readonly command: string;
  readonly logSegmentBytes: number;
}

export interface Restored {
  readonly clusterId: bigint;
  readonly self: NodeId;
  readonly revision: Revision;
  readonly compactRevision: Revision;
  readonly tables: number;
  readonly bytes: number;
}

/** What a data directory consists of. */
const DIRS = ['tables', 'manifest', 'log', 'repairs'] as const;
const FILES = ['hardstate', 'hardstate.tmp', 'hints', JOINED_FILE, `${JOINED_FILE}.tmp`] as const;
/** Of the process that has the directory. */
const LOCK = 'LOCK';

/**
 * `whose`: as whom the member begins in a cluster that begins with the version of this digest.
 * Rejects with BackupError and DiskError; nothing was touched if the backup is no good.
 */
export async function restore(
  options: RestoreOptions, whose: (beginning: Digest128) => Identity, onProgress?: (bytes: number) => void,
): Promise<Restored> {
  const { env, backup } = options;
  const { disk } = env;
  await refuseOccupied(disk);
  await backup.refuseDamaged(onProgress);
  await markRestore(disk, options.command);
  await empty(disk);
  for (const dir of ['tables', 'manifest', 'log']) await disk.mkdir(dir);
  const { version, state } = await foundation(options);
  for (const table of backup.archive.version.list()) {
    await copyTable(env, backup, table);
    onProgress?.(table.bytes);
  }
  await disk.syncDir('tables');
  const { clusterId, self, members } = whose(await digestOf(version, env));
  assert(clusterId !== backup.archive.header.clusterId, `R1 the new cluster is not the old one, ${clusterId.toString(16)}`);
  assert(members.some(({ id }) => id === self), `R1 member ${self} is one of those with whom the new log begins`);
  await found(env, { clusterId, self, term: version.flushed.term, logSegmentBytes: options.logSegmentBytes }, version);
  await writeJoined(disk, { self, description: { clusterId, members: staticMembers(members) } });
  await disk.syncDir('');
  await unmarkRestore(disk);
  return { clusterId, self, ...state, tables: version.list().length, bytes: version.list().reduce((sum, { bytes }) => sum + bytes, 0) };
}

/** S2 Equal digests: the members begin with the same tables, at the same entry. */
async function digestOf(version: Version, { workers }: RestoreOptions['env']): Promise<Digest128> {
  return drive(digest128InSlices([await drive(encodeManifestInSlices(version), workers)]), workers);
}

/** Rejects with BackupError NOT_EMPTY. What an earlier restore left is nobody's. */
async function refuseOccupied(disk: Disk): Promise<void> {
  if (restoreIsMarked(disk)) return;
  const present = (await disk.list('')).filter((name) => name !== LOCK);
  const [first] = present;
  if (first === undefined) return;
  throw new BackupError('NOT_EMPTY', `the data directory is not empty, it holds ${first}: a backup is restored into a new directory, never into one in use`);
}

async function empty(disk: Disk): Promise<void> {
  assert(restoreIsMarked(disk), 'D1 only what a restore has made is removed');
  for (const dir of DIRS) for (const name of await disk.list(dir)) await disk.unlink(`${dir}/${name}`);
  for (const file of FILES) await disk.unlink(file);
}

async function copyTable({ disk, workers }: RestoreOptions['env'], backup: OpenBackup, table: TableMeta): Promise<void> {
  const path = tablePath(table.id);
  const out = await disk.open(path, 'create');
  try {
    await rebuildTable(backup.tables, path, table, { out, pace: workers });
    await out.sync();
  } finally {
    out.close();
  }
  await refuseUnproven({ disk, workers }, table);
}

/** The version that the new cluster begins with; its last table is written. */
async function foundation({ backup, bump, env }: RestoreOptions): Promise<{ version: Version; state: Pick<Restored, 'revision' | 'compactRevision'> }> {
  const old = backup.archive.version;
  const index = old.flushed.index + 1;
  const { writes, format, state } = backup.withState((replicated) => {
    const { kv, settings } = replicated;
    const revision = kv.revision + bump;
    return {
      writes: replicated.foundingWrites(index, bump),
      format: must(settings, 'a backup that verifies has settings').format,
      state: { revision, compactRevision: bump > 0 ? revision : kv.compactRevision },
    };
  });
  const version = await foundingVersion(env, { writes, format, index, term: old.flushed.term, tableId: old.nextTableId, old });
  return { state, version };
}
