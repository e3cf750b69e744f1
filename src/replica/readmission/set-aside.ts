/**
 * What a member that is re-admitted has promised under its old id is set aside, never deleted
 * before its new membership is durable: it may be the last copy of something, and an operator may
 * want to look at it. R5 nothing of it is opened as a member's own again.
 *
 * It may be cut short and done again. Only at the first time are the files those of the old id;
 * what a later one finds beside them was made for the new id, and never used.
 */

import type { Disk } from '../../base/disk.js';
import type { NodeId } from '../../base/ids.js';

export const ASIDE_FOLDER = 'aside';

/** Durable when it resolves. `id`: of the new member. */
export async function setAside(disk: Disk, id: NodeId): Promise<void> {
  const folder = `${ASIDE_FOLDER}/${id.toString(16)}`;
  // A directory that was emptied, and not started on since, has none.
  await disk.mkdir('log');
  await disk.mkdir(`${folder}/log`);
  await move(disk, 'hardstate', `${folder}/hardstate`);
  for (const name of await disk.list('log')) await move(disk, `log/${name}`, `${folder}/log/${name}`);
  for (const dir of [`${folder}/log`, folder, ASIDE_FOLDER, 'log', '.']) await disk.syncDir(dir);
}

/** All that was ever set aside goes. */
export async function dropAside(disk: Disk): Promise<void> {
  for (const id of await disk.list(ASIDE_FOLDER)) {
    for (const dir of [`${ASIDE_FOLDER}/${id}/log`, `${ASIDE_FOLDER}/${id}`]) {
      for (const name of await disk.list(dir)) if (disk.sizeOf(`${dir}/${name}`) !== undefined) await disk.unlink(`${dir}/${name}`);
      await disk.syncDir(dir);
    }
  }
}

async function move(disk: Disk, from: string, to: string): Promise<void> {
  if (disk.sizeOf(from) === undefined) return;
  if (disk.sizeOf(to) === undefined) await disk.rename(from, to);
  else await disk.unlink(from);
}
