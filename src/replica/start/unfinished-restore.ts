/**
 * A data directory in which a restore was cut short holds a part of a cluster's state, and nothing
 * that says so but a mark: it is there before anything else is, and goes when all is durable. R5 A
 * member that began on a part would promise on the strength of it.
 */

import { fromUtf8, utf8 } from '../../base/bytes.js';
import type { Disk } from '../../base/disk.js';
import { replaceFile } from '../../base/replace-file.js';
import { ReplicaError } from '../base/errors.js';

/** Its file. */
export const RESTORE_MARK = 'restoring';

export function restoreIsMarked(disk: Disk): boolean {
  return disk.sizeOf(RESTORE_MARK) !== undefined;
}

/** Durable when it resolves. `command`: what begins the restore again. */
export async function markRestore(disk: Disk, command: string): Promise<void> {
  await replaceFile(disk, RESTORE_MARK, utf8(command), { unlinkFirst: true });
}

/** All that was restored is durable: when this resolves a member may begin here. */
export async function unmarkRestore(disk: Disk): Promise<void> {
  await disk.unlink(RESTORE_MARK);
  await disk.syncDir('');
}

/** Throws ReplicaError RESTORE_UNFINISHED. Nothing is written. */
export async function refuseUnfinishedRestore(disk: Disk): Promise<void> {
  const size = disk.sizeOf(RESTORE_MARK);
  if (size === undefined) return;
  const bytes = new Uint8Array(size);
  const file = await disk.open(RESTORE_MARK, 'read');
  try {
    await file.read(bytes, 0);
  } finally {
    file.close();
  }
  throw new ReplicaError('RESTORE_UNFINISHED',
    `R5 a restore into this data directory was cut short, and what is here is not whole. Run it again, it begins anew: ${fromUtf8(bytes)}`);
}
