/**
 * Replaces a small file whole: a reader, and a node that comes back from a crash, finds the old
 * contents or the new ones, never a mixture and never neither.
 */

import type { Disk } from './disk.js';

interface ReplaceFileOptions {
  /**
   * Remove a temporary file that an earlier try left, so that this one is new: a file whose sync
   * failed takes nothing more. Not needed where a failed try removes its temporary file itself.
   * Default false.
   */
  readonly unlinkFirst?: boolean;
}

/**
 * Writes `bytes` to `<path>.tmp`, syncs it, renames it to `path` and syncs the folder; durable when
 * it resolves. Rejects with DiskError: `path` has the old contents then, or, if only the last sync
 * failed, the new ones under a name that a power loss may take. `<path>.tmp` may be left. One at a
 * time for the same path.
 */
export async function replaceFile(disk: Disk, path: string, bytes: Uint8Array, options: ReplaceFileOptions = {}): Promise<void> {
  const temporary = `${path}.tmp`;
  if (options.unlinkFirst === true) await disk.unlink(temporary);
  const file = await disk.open(temporary, 'create');
  try {
    await file.write(bytes, 0);
    await file.sync();
  } finally {
    file.close();
  }
  await disk.rename(temporary, path);
  await disk.syncDir(directoryOf(path));
}

/** The folder of a path; '.' for the data directory itself. */
export function directoryOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '.' : path.slice(0, slash);
}
