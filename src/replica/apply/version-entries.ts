/**
 * Applies the entries that raise and lower the version of the cluster, and says of every other one
 * whether the version allows it. S2 All of it follows from the log alone, alike on every member.
 */

import type { Env } from '../../base/env.js';
import type { LogIndex } from '../../base/ids.js';
import type { LogRecord } from '../entry/entry.js';
import { ENTRY_SINCE, type EntryKind } from '../entry/entry-since.js';
import type { ReplicatedState } from '../kv/replicated-state.js';
import type { DurableLog } from '../log/durable-log.js';

export interface AllowedParts {
  readonly env: Pick<Env, 'events'>;
  readonly state: Pick<ReplicatedState, 'version' | 'passOver'>;
}

export interface VersionEntryParts {
  readonly env: Pick<Env, 'events'>;
  readonly log: Pick<DurableLog, 'allow'>;
  readonly state: Pick<ReplicatedState, 'version' | 'newest' | 'raise' | 'lower'>;
}

/** False: the version was lowered while the entry was on its way, and it changes nothing. */
export function isAllowed({ state, env }: AllowedParts, kind: EntryKind, index: LogIndex): boolean {
  if (ENTRY_SINCE[kind] <= state.version) return true;
  env.events.emit({ type: 'warning', message: 'an entry came too late: the version of the cluster was lowered', data: { index, kind } });
  state.passOver(index);
  return false;
}

/** A string: why it waits for a newer program. */
export function applyVersionEntry(
  { state, log, env }: VersionEntryParts, record: Extract<LogRecord, { kind: 'cluster-version' | 'downgrade' }>, index: LogIndex,
): string | undefined {
  if (record.kind === 'downgrade') {
    const why = state.lower(record.target, index);
    if (why !== undefined) env.events.emit({ type: 'warning', message: 'the version of the cluster was not lowered', data: { index, why } });
  } else {
    if (record.version > state.newest) return `version ${record.version} of the cluster is newer than this program`;
    state.raise(record.version);
  }
  log.allow(state.version);
  return undefined;
}
