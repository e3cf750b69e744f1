/**
 * What a data directory holds, each part as far as it is sound: nothing is changed, and no part
 * that is lost keeps the others from being read.
 */

import type { Disk } from '../../base/disk.js';
import type { Term } from '../../base/ids.js';
import type { Workers } from '../../base/env.js';
import type { DamagedLog } from '../log/damaged-log.js';
import { logAtRest } from '../log/log-at-rest.js';
import { versionAtRest, type VersionAtRest } from '../start/version-at-rest.js';
import { LostClusterError } from './errors.js';

export interface Directory extends Pick<VersionAtRest, 'hardState' | 'version' | 'problems'> {
  /** 0: there is none, and none was needed. */
  readonly generation: number;
  readonly log: DamagedLog;
}

/** Rejects with LostClusterError NOTHING_HERE, STATE_LOST, and DiskError. */
export async function readDirectory(disk: Disk, workers: Workers): Promise<Directory> {
  const { hardState, version, generation, manifests, problems } = await versionAtRest(disk, workers);
  if (hardState === undefined && manifests === 0 && (await disk.list('log')).length === 0) {
    throw new LostClusterError('NOTHING_HERE',
      'there is no hard state, no manifest and no log here: this is not the data directory of a member that has started');
  }
  const log = await logAtRest(disk, version.flushed, version.last.index);
  if (generation === 0 && log.lastIndex > 0 && log.isHole(1)) {
    throw new LostClusterError('STATE_LOST',
      'no manifest can be read, and the log does not begin with entry 1: what led up to it is in tables that nothing names. Restore a backup (kintsugi restore)');
  }
  return { hardState, version, generation, log, problems };
}

/** The highest term that anything here speaks of. */
export function highestTerm({ hardState, version, log }: Directory): Term {
  return Math.max(hardState?.term ?? 0, version.last.term, version.flushed.term, log.term(log.lastIndex));
}
