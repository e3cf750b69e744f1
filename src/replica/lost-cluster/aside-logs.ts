/**
 * Logs that a member has set aside because it is to be re-admitted as a new one, and has not got
 * its vote yet. D1 They may hold the last copy of what it acknowledged under its old id. A new
 * cluster is not made of them: they go on from a state that the tables here need not be of. So
 * what they hold is said, and is not given up without a word.
 */

import type { Disk } from '../../base/disk.js';
import { SubDisk } from '../../base/disk/sub-disk.js';
import type { Workers } from '../../base/env.js';
import type { LogIndex } from '../../base/ids.js';
import { logAtRest } from '../log/log-at-rest.js';
import { ASIDE_FOLDER } from '../readmission/set-aside.js';

export interface AsideLog {
  readonly folder: string;
  /** The first and the last entry that can be read. */
  readonly first: LogIndex;
  readonly last: LogIndex;
  /** Of those behind what is kept: so many can be read. */
  readonly beyond: number;
}

const SLICE = 65_536;

/** `kept`: the last entry of the new cluster. Rejects with DiskError. Nothing is changed. */
export async function asideLogs(disk: Disk, workers: Workers, kept: LogIndex): Promise<AsideLog[]> {
  const logs: AsideLog[] = [];
  for (const id of await disk.list(ASIDE_FOLDER)) {
    const folder = `${ASIDE_FOLDER}/${id}`;
    if ((await disk.list(`${folder}/log`)).length === 0) continue;
    const log = await logAtRest(new SubDisk(disk, folder), { index: 0, term: 0 }, 0);
    let [first, last, beyond] = [0, 0, 0];
    for (let index = log.base.index + 1; index <= log.lastIndex; index++) {
      if (index % SLICE === 0) await workers.breathe();
      if (log.isHole(index)) continue;
      first = first === 0 ? index : first;
      last = index;
      if (index > kept) beyond++;
    }
    if (last > 0) logs.push({ folder: `${folder}/log`, first, last, beyond });
  }
  return logs;
}
