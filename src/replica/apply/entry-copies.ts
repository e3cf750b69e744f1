/**
 * S1 C1 What a committed entry says. Memory may hold one that is not what its proposer made: the
 * log may have it as it was, or is given it by another member. It is never carried out otherwise.
 */

import { codeOf, messageOf } from '../../base/errors.js';
import type { Env } from '../../base/env.js';
import type { LogIndex } from '../../base/ids.js';
import type { Entry } from '../../raft/types.js';
import { ReplicaError } from '../base/errors.js';
import { decodeLogRecord, isCopySound, type LogRecord } from '../entry/entry.js';
import type { DurableLog } from '../log/durable-log.js';
import { LogError } from '../log/errors.js';

interface CopiesParts {
  readonly env: Pick<Env, 'events'>;
  readonly log: Pick<DurableLog, 'reread'>;
}

/**
 * A string: why it cannot be understood, although it is what its proposer made. Throws ReplicaError
 * ENTRY_DAMAGED.
 */
export function readRecord(parts: CopiesParts, { index, data }: Entry): LogRecord | string {
  try {
    return decodeLogRecord(data);
  } catch (error) {
    if (codeOf(error) === 'ENTRY_UNKNOWN') return messageOf(error);
    return readAgain(parts, index, messageOf(error));
  }
}

function readAgain({ log, env }: CopiesParts, index: LogIndex, why: string): LogRecord | string {
  try {
    const record = decodeLogRecord(log.reread(index).data);
    env.events.emit({ type: 'warning', message: 'a committed entry was bad in memory and good in the log', data: { index, why } });
    return record;
  } catch (error) {
    if (codeOf(error) === 'ENTRY_UNKNOWN') return messageOf(error);
    throw new ReplicaError('ENTRY_DAMAGED', `committed entry ${index}: ${messageOf(error)}`, { index }, error);
  }
}

/** As the log has it now; undefined: it has none. */
export function soundCopy(log: Pick<DurableLog, 'entries'>, index: LogIndex): Entry | undefined {
  try {
    return log.entries(index, index + 1, 0).find(isCopySound);
  } catch (error) {
    if (!(error instanceof LogError) || error.code !== 'ENTRY_UNREADABLE') throw error;
    return undefined;
  }
}
