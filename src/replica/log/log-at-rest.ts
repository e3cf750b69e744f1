/**
 * A log that is only read, whole or not: nothing of it is changed. What it lacks shows as holes.
 */

import type { Disk } from '../../base/disk.js';
import type { LogIndex } from '../../base/ids.js';
import { DamagedLog } from './damaged-log.js';
import { LogError } from './errors.js';
import type { LogPoint } from './log-point.js';
import { examine, faultOf } from './open-log.js';
import { DEFAULT_SEGMENT_BYTES } from './segment-layout.js';
import { SegmentStore } from './segment-store.js';

/** `knownCommit`: as in {@link LogOptions}. `flushed`: what tables hold. Rejects with DiskError. */
export async function logAtRest(disk: Disk, flushed: LogPoint, knownCommit: LogIndex): Promise<DamagedLog> {
  const store = new SegmentStore(disk, 'log', DEFAULT_SEGMENT_BYTES);
  const examined = await examine(disk, store, { knownCommit, flushedIndex: flushed.index });
  const error = faultOf(store.dir, examined.resolution) ?? new LogError('TAIL_TORN', 'the log is only looked at');
  return new DamagedLog(disk, store, examined, error, flushed);
}
