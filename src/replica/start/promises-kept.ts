/**
 * R1 A member without its hard state has forgotten its vote. A directory that holds a manifest or a
 * log has had a hard state, which is made durable before either: if that file is gone, starting as
 * a new member could vote twice in a term. R2 A member without its log has forgotten what it
 * acknowledged.
 */

import type { Disk } from '../../base/disk.js';
import { ReplicaError } from '../base/errors.js';
import { HardStateError } from '../hard-state/errors.js';
import { generationOf } from '../log/segment-layout.js';

/** Throws HardStateError MISSING. Nothing is written. */
export async function refuseForgottenPromises(disk: Disk): Promise<void> {
  if (disk.sizeOf('hardstate') !== undefined) return;
  for (const dir of ['manifest', 'log']) {
    const [file] = await disk.list(dir);
    if (file === undefined) continue;
    throw new HardStateError('MISSING',
      `hardstate is missing beside ${dir}/${file}: it is not known what this member has promised. It must not vote and does not start. ` +
        'The other members go on serving. Put the file back, never from another member or an older backup; if it is lost: kintsugi recover --data-dir DIR, and start it again',
      { path: 'hardstate' });
  }
}

/**
 * R2 For a member that was in a term: its log had a segment before that term began, and is never
 * without one. If all are gone, whatever it acknowledged is. Throws ReplicaError LOG_MISSING.
 * Nothing is written.
 */
export async function refuseForgottenLog(disk: Disk): Promise<void> {
  if ((await disk.list('log')).some((name) => generationOf(name) !== undefined)) return;
  throw new ReplicaError('LOG_MISSING',
    'the directory log holds no segment beside hardstate: the entries that this member has acknowledged are gone. It must not vote and does not start. ' +
      'The other members go on serving. Put the directory back, never from another member or an older backup; if it is lost: ' +
      'kintsugi recover --data-dir DIR, and start it again');
}
