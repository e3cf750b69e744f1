/**
 * The staged files take the place of those in the data directory, which are set aside and never
 * deleted:
 *
 *   1. all that is needed is staged, durably
 *   2. the mark: from here on it goes forward, whatever crashes (`start/unfinished-takeover.ts`)
 *   3. what was there goes aside; tables get a second name there
 *   4. the mark again: nothing of the old is left, so what is in its place now is the new
 *   5. what is staged goes into its place, and the mark goes
 *
 * D1 Each step can be done again: a file is moved if it is still where it was.
 */

import { assert } from '../../base/assert.js';
import type { Disk } from '../../base/disk.js';
import { RESTORE_MARK } from '../start/unfinished-restore.js';
import { markTakeover, readTakeover, TAKEOVER_MARK, type Takeover } from '../start/unfinished-takeover.js';

/** The folder of what is staged. */
export const STAGE = 'new-cluster';
/** Folders whose files are one cluster's: those of tables stay, and only more come. */
const DIRS = ['log', 'manifest'] as const;
/** Are of the process, or hold nothing. */
const STAYS: ReadonlySet<string> = new Set(['LOCK', 'reserve', TAKEOVER_MARK, `${TAKEOVER_MARK}.tmp`, RESTORE_MARK]);

/** What an earlier try has staged is nobody's. */
export async function emptyStage(disk: Disk): Promise<void> {
  assert(disk.sizeOf(TAKEOVER_MARK) === undefined, 'D1 what is staged is not emptied once it takes over');
  for (const dir of ['', ...DIRS, 'tables']) {
    for (const name of await disk.list(at(STAGE, dir))) {
      const path = at(at(STAGE, dir), name);
      if (disk.sizeOf(path) !== undefined) await disk.unlink(path);
    }
  }
}

/** Undefined: none has begun. Else goes on with it to its end. */
export async function goOn(disk: Disk): Promise<string | undefined> {
  const begun = await readTakeover(disk);
  return begun && takeOver(disk, begun);
}

/** Begins it, or goes on. Resolves with the folder aside when all is in place and durable. */
export async function takeOver(disk: Disk, begin: Takeover): Promise<string> {
  let now = await readTakeover(disk);
  if (now === undefined) await markTakeover(disk, (now = begin));
  if (now.phase === 'setting-aside') {
    await setAside(disk, now.aside);
    await markTakeover(disk, (now = { ...now, phase: 'placing' }));
  }
  await place(disk);
  await disk.unlink(TAKEOVER_MARK);
  await disk.syncDir('');
  return now.aside;
}

async function setAside(disk: Disk, aside: string): Promise<void> {
  for (const dir of ['tables', ...DIRS]) await disk.mkdir(at(aside, dir));
  await disk.syncDir(aside);
  await disk.syncDir('');
  await keepTables(disk, aside);
  for (const dir of ['', ...DIRS]) {
    await disk.mkdir(dir);
    for (const name of await disk.list(dir)) {
      const path = at(dir, name);
      if ((dir === '' && STAYS.has(name)) || disk.sizeOf(path) === undefined) continue;
      await disk.rename(path, at(aside, path));
    }
    await disk.syncDir(at(aside, dir));
    await disk.syncDir(dir);
  }
}

/** Those that the new cluster drops stay there. */
async function keepTables(disk: Disk, aside: string): Promise<void> {
  for (const name of await disk.list('tables')) {
    if (name.endsWith('.sst')) await disk.link(`tables/${name}`, `${aside}/tables/${name}`);
  }
  await disk.syncDir(`${aside}/tables`);
}

async function place(disk: Disk): Promise<void> {
  for (const dir of ['tables', ...DIRS, '']) {
    await disk.mkdir(dir);
    const names = (await disk.list(at(STAGE, dir))).filter((name) => disk.sizeOf(at(STAGE, at(dir, name))) !== undefined);
    for (const name of names) await disk.rename(at(STAGE, at(dir, name)), at(dir, name));
    if (names.length > 0) await disk.syncDir(at(STAGE, dir));
    // Whatever an earlier try has moved is durable, too.
    await disk.syncDir(dir);
  }
}

function at(dir: string, name: string): string {
  return dir === '' ? name : name === '' ? dir : `${dir}/${name}`;
}
