/** The log, judged by what a version of the tree holds: damage below `coveredThrough` is of no consequence, because tables have it. */

import type { Env } from '../../base/env.js';
import type { LogIndex } from '../../base/ids.js';
import { DurableLog, type OpenedLog } from '../log/durable-log.js';

/** `minCommitKnown`: what is known to be committed besides what the log says. Rejects with LogError, DiskError. */
export function openLog(env: Env, segmentBytes: number, coveredThrough: LogIndex, minCommitKnown: LogIndex): Promise<OpenedLog> {
  return DurableLog.open(env, { segmentBytes, coveredThrough, minCommitKnown });
}
