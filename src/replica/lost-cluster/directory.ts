/**
 * What a data directory holds, each part as far as it is sound: nothing is changed, and no part
 * that is lost keeps the others from being read. Hard state says which manifest is the newest; if
 * it cannot, the newest that can be read and whose tables are all there is taken.
 */

import type { Disk } from '../../base/disk.js';
import { codeOf, messageOf } from '../../base/errors.js';
import type { Term } from '../../base/ids.js';
import { DEFAULT_TREE_SETTINGS } from '../../storage/base/settings.js';
import { tablePath } from '../../storage/table/table-meta.js';
import { readManifestFile } from '../../storage/version/manifest-reader.js';
import type { ManifestName } from '../../storage/version/manifest-record.js';
import { pathOf } from '../../storage/version/manifest-store.js';
import { Version } from '../../storage/version/version.js';
import type { Workers } from '../../base/env.js';
import { viewHardState } from '../hard-state/hard-state.js';
import type { HardStateRecord } from '../hard-state/slots.js';
import type { DamagedLog } from '../log/damaged-log.js';
import { logAtRest } from '../log/log-at-rest.js';
import { LostClusterError } from './errors.js';

export interface Directory {
  /** As two copies say; else the newest copy that is sound, which may be old. */
  readonly hardState: HardStateRecord | undefined;
  readonly version: Version;
  /** 0: there is none, and none was needed. */
  readonly generation: number;
  readonly log: DamagedLog;
  /** What is wrong, for people, but for the log. */
  readonly problems: readonly string[];
}

/** Rejects with LostClusterError NOTHING_HERE, STATE_LOST, and DiskError. */
export async function readDirectory(disk: Disk, workers: Workers): Promise<Directory> {
  const problems: string[] = [];
  const { record, certain } = await hardStateOf(disk, problems);
  const generations = (await disk.list('manifest')).map(Number).filter((n) => Number.isSafeInteger(n) && n > 0);
  if (record === undefined && generations.length === 0 && (await disk.list('log')).length === 0) {
    throw new LostClusterError('NOTHING_HERE',
      'there is no hard state, no manifest and no log here: this is not the data directory of a member that has started');
  }
  const { manifestGeneration: generationNamed = 0, manifestDigest: digest = '' } = record ?? {};
  const named = generationNamed > 0 ? { generation: generationNamed, digest } : undefined;
  const found = await versionOf(disk, workers, certain ? named : undefined, generations, problems);
  const { version, generation } = found ?? { version: Version.empty(), generation: 0 };
  if (found === undefined && (named !== undefined || generations.length > 0)) problems.push('no manifest can be read: which tables hold the data is not known');
  const log = await logAtRest(disk, version.flushed, version.last.index);
  if (found === undefined && log.lastIndex > 0 && log.isHole(1)) {
    throw new LostClusterError('STATE_LOST',
      'no manifest can be read, and the log does not begin with entry 1: what led up to it is in tables that nothing names. Restore a backup (kintsugi restore)');
  }
  return { hardState: record, version, generation, log, problems };
}

interface HardStateFound {
  readonly record: HardStateRecord | undefined;
  /** It is the newest that was promised. */
  readonly certain: boolean;
}

async function hardStateOf(disk: Disk, problems: string[]): Promise<HardStateFound> {
  const view = await viewHardState(disk);
  if (view?.record !== undefined) return { record: view.record, certain: true };
  problems.push(`hardstate is ${view === undefined ? 'missing' : 'damaged'}: what this member has promised is not known`);
  const sound = (view?.slots ?? []).filter((slot) => slot !== undefined).sort((a, b) => b.sequence - a.sequence);
  return { record: sound[0], certain: false };
}

/** Undefined: none can be read. */
async function versionOf(
  disk: Disk, workers: Workers, named: ManifestName | undefined, generations: readonly number[], problems: string[],
): Promise<{ readonly version: Version; readonly generation: number } | undefined> {
  const others = [...generations].sort((a, b) => b - a).filter((generation) => generation !== named?.generation);
  for (const name of [...(named === undefined ? [] : [named]), ...others.map((generation) => ({ generation }))]) {
    const path = pathOf(name.generation);
    try {
      const { manifest } = await readManifestFile(disk, path, name, DEFAULT_TREE_SETTINGS.format.scheme, workers);
      const missing = manifest.list().filter(({ id }) => disk.sizeOf(tablePath(id)) === undefined);
      // The one that hard state names is the newest: its tables were there.
      if (name !== named && missing.length > 0) problems.push(`${path} is older than the tables: ${missing.length} of its tables are gone`);
      else return { version: manifest, generation: name.generation };
    } catch (error) {
      if (codeOf(error) !== 'MANIFEST_UNREADABLE') throw error;
      problems.push(messageOf(error));
    }
  }
  return undefined;
}

/** The highest term that anything here speaks of. */
export function highestTerm({ hardState, version, log }: Directory): Term {
  return Math.max(hardState?.term ?? 0, version.last.term, version.flushed.term, log.term(log.lastIndex));
}
