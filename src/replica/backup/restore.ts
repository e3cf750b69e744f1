/**
 * A data directory of a new cluster out of a backup. Every member makes its own from the same file,
 * and all of them hold the same: the backup's tables, one table more that begins the new cluster's
 * state, and an empty log after both.
 *
 *   - The whole backup is verified before anything is touched.
 *   - Keys, revisions, versions and the compact revision stay; the new cluster's settings are the
 *     old one's, because they shape tables. What belonged to the old members goes: who they were,
 *     what they proposed, what they raised alarms for. Ids are those of the flags, so that none of
 *     the old members can take part, nor one of the new in the old cluster.
 *   - The log's indexes go on from the backup's: system state is found by them. Its term is kept,
 *     too, and nobody has voted in it, so the first leader leads a higher one (R1).
 *   - A mark lies in the directory from before the first byte until all is durable; a member does
 *     not begin while it is there (`start/unfinished-restore.ts`).
 */

import { acquiring } from '../../base/acquiring.js';
import { assert, must } from '../../base/assert.js';
import type { Disk } from '../../base/disk.js';
import type { Env } from '../../base/env.js';
import type { NodeId, Revision } from '../../base/ids.js';
import { SYSTEM_SPACE, type TreeWrite } from '../../storage/base/read-view.js';
import { DEFAULT_TREE_SETTINGS, type TableFormat } from '../../storage/base/settings.js';
import { rebuildTable } from '../../storage/table/rebuild-table.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import { verifyTable } from '../../storage/table/verify-table.js';
import { ManifestStore } from '../../storage/version/manifest-store.js';
import type { Version } from '../../storage/version/version.js';
import { HardStateStore } from '../hard-state/hard-state.js';
import { SYSTEM_KEYS } from '../kv/system-keys.js';
import { DurableLog } from '../log/durable-log.js';
import { markRestore, restoreIsMarked, unmarkRestore } from '../start/unfinished-restore.js';
import { BackupError } from './errors.js';
import { MemtableTable } from './memtable-table.js';
import type { OpenBackup } from './open-backup.js';

export interface RestoreOptions {
  /** `disk`: the new data directory. */
  readonly env: Pick<Env, 'disk' | 'clock' | 'events' | 'workers'>;
  readonly backup: OpenBackup;
  readonly clusterId: bigint;
  readonly self: NodeId;
  /** How much higher the revision becomes; above 0, all before is compacted then. */
  readonly bump: number;
  /** What an operator runs to begin again. */
  readonly command: string;
  readonly logSegmentBytes: number;
}

export interface Restored {
  readonly revision: Revision;
  readonly compactRevision: Revision;
  readonly tables: number;
  readonly bytes: number;
}

/** What a data directory consists of. */
const DIRS = ['tables', 'manifest', 'log', 'repairs'] as const;
const FILES = ['hardstate', 'hardstate.tmp', 'hints'] as const;
/** Of the process that has the directory. */
const LOCK = 'LOCK';

/** Rejects with BackupError and DiskError; nothing was touched if the backup is no good. */
export async function restore(options: RestoreOptions, onProgress?: (bytes: number) => void): Promise<Restored> {
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
  await found(options, version);
  await disk.syncDir('');
  await unmarkRestore(disk);
  return { ...state, tables: version.list().length, bytes: version.list().reduce((sum, { bytes }) => sum + bytes, 0) };
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
  await refuseUnproven(disk, table, workers);
}

/** What was written is read back, past the caches where that is possible. */
async function refuseUnproven(disk: Disk, table: TableMeta, workers: Env['workers']): Promise<void> {
  const { faults } = await verifyTable(disk, tablePath(table.id), table, { pace: workers });
  const [fault] = faults;
  if (fault === undefined) return;
  const damages = [{ file: tablePath(table.id), offset: fault.offset, length: fault.length, why: fault.why }];
  throw new BackupError('DAMAGED', `what was restored does not read back: table ${table.id}, bytes from ${fault.offset}: ${fault.why}: replace this disk`, { damages });
}

/** The version that the new cluster begins with; its last table is written. */
async function foundation(options: RestoreOptions): Promise<{ version: Version; state: Pick<Restored, 'revision' | 'compactRevision'> }> {
  const { backup, bump, env } = options;
  const old = backup.archive.version;
  const index = old.flushed.index + 1;
  const { writes, format, state } = backup.withState(({ kv, settings }, tree) => {
    const forgotten = [SYSTEM_KEYS.members, SYSTEM_KEYS.alarms].filter((key) => tree.current.get(SYSTEM_SPACE, key, index) !== undefined);
    const revision = kv.revision + bump;
    return {
      writes: [...kv.foundingState(index, bump), ...forgotten.map((key) => gone(index, key))],
      format: must(settings, 'a backup that verifies has settings').format,
      state: { revision, compactRevision: bump > 0 ? revision : kv.compactRevision },
    };
  });
  const table = await writeTable(env, { writes, format, index, old });
  const [first, ...others] = old.levels;
  const levels = [[table, ...must(first, 'S2 a version has a level 0')], ...others];
  const flushed = { index, term: old.flushed.term };
  return { state, version: old.with({ levels, nextTableId: table.id + 1, flushed, last: flushed }) };
}

function gone(index: number, key: Uint8Array): TreeWrite {
  return { space: SYSTEM_SPACE, key, revision: index, sub: 0, tombstone: true, liveDelta: 0, value: new Uint8Array(0) };
}

interface Founding {
  readonly writes: readonly TreeWrite[];
  readonly format: TableFormat;
  readonly index: number;
  readonly old: Version;
}

/** S2 Its bytes follow from the backup and the bump alone: the same on every member. */
async function writeTable({ disk, workers }: RestoreOptions['env'], { writes, format, index, old }: Founding): Promise<TableMeta> {
  const birth = { term: old.flushed.term, proposer: 0, sequence: index, ordinal: 0 };
  const made = must(await MemtableTable.of({ writes, memtable: undefined, sequence: 0 }, birth, format, workers), 'S2 a new cluster has a state');
  const table = { ...made.table, id: old.nextTableId };
  const file = await disk.open(tablePath(table.id), 'create');
  try {
    let offset = 0;
    for await (const bytes of made.bytes()) {
      await file.write(bytes, offset);
      offset += bytes.length;
    }
    await file.sync();
  } finally {
    file.close();
  }
  await refuseUnproven(disk, table, workers);
  return table;
}

/** Manifest, log, and whose directory it is. */
async function found({ env, clusterId, self, logSegmentBytes }: RestoreOptions, version: Version): Promise<void> {
  const { disk, workers } = env;
  const { index, term } = version.flushed;
  await acquiring(async (keep) => {
    const hardState = keep(await HardStateStore.open(disk));
    const nothing = { vote: 0, incarnation: 0, manifestGeneration: 0, manifestDigest: '0'.repeat(32) };
    await hardState.create({ ...nothing, term, clusterId, memberId: self });
    const manifest = keep(await ManifestStore.open({
      disk, workers, scheme: DEFAULT_TREE_SETTINGS.format.scheme,
      commitGeneration: ({ generation, digest }) => hardState.update({ manifestGeneration: generation, manifestDigest: digest }),
    }, undefined, version));
    const { log } = keep(await openLog(env, logSegmentBytes));
    await log.resetTo(index, term);
    assert(log.firstIndex() === index + 1 && log.lastIndex() === index, `R3 the log of a new cluster begins after ${index}`);
    assert(manifest.manifest === version, 'S2 what is durable is what was restored');
    await log.close();
    manifest.close();
    await hardState.close();
  });
}

async function openLog(env: RestoreOptions['env'], segmentBytes: number): Promise<{ log: DurableLog; close(): Promise<void> }> {
  const { log } = await DurableLog.open(env, { segmentBytes });
  return { log, close: () => log.close().catch(() => undefined) };
}
