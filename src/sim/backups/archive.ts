/**
 * A backup as the operator has it: the bytes that came, opened and verified by the code that ships.
 * What it holds is read from it and from nothing else.
 */

import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { codeOf, messageOf } from '../../base/errors.js';
import type { RangeResponse } from '../../api/requests.js';
import { OpenBackup } from '../../replica/backup/open-backup.js';
import { readRange } from '../../replica/kv/range.js';
import type { RangeOp, RangeAnswer } from '../workload/history/operation.js';
import { rangeAnswer, rangeRequest } from '../workload/wire.js';

const PATH = 'backup';
const AT_ONCE = { breathe: (): undefined => undefined };

/** Rejects with BackupError where it cannot even be opened. */
export async function openArchive(bytes: Uint8Array): Promise<OpenBackup> {
  const disk = new MemoryDisk();
  const file = await disk.open(PATH, 'create');
  await file.write(bytes, 0);
  file.close();
  return OpenBackup.open(disk, PATH, AT_ONCE);
}

/** Why `kintsugi snapshot verify` refuses it; undefined: it does not. */
export async function problemOf(bytes: Uint8Array): Promise<string | undefined> {
  try {
    const backup = await openArchive(bytes);
    const [damage] = await backup.damages();
    backup.close();
    return damage === undefined ? undefined : damage.why;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return messageOf(error);
  }
}

export function readArchive(backup: OpenBackup, op: RangeOp): RangeAnswer {
  return backup.withState(({ kv }, tree) => {
    const walk = readRange(tree.current, rangeRequest(op), kv.state());
    let step = walk.next();
    while (step.done !== true) step = walk.next();
    return rangeAnswer(step.value as RangeResponse);
  });
}
