/** Skeleton: the exported shape of the durable log. */

import type { Disk } from '../../base/disk.js';
import type { Clock } from '../../base/env.js';
import type { EventSink } from '../../base/events.js';
import type { LogIndex, Term } from '../../base/ids.js';
import type { Entry } from '../../raft/types.js';
import { LogError } from './errors.js';

export interface LogEnv {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly events: EventSink;
}

export interface LogOptions {
  /** Directory below the data directory. Default 'log'. */
  readonly dir?: string;
  /** Bytes of a segment file. Default 16 MiB; a log that exists keeps the sizes it has. */
  readonly segmentBytes?: number;
  /** Bytes of recent entries kept in memory. Default 32 MiB. */
  readonly cacheBytes?: number;
  /** E of the durable manifest: entries up to here were once in this log, unless a snapshot brought them. */
  readonly minCommitKnown?: LogIndex;
  /** F of the durable manifest: nothing up to here is needed from the log. */
  readonly coveredThrough?: LogIndex;
}

export interface Recovered {
  /** The highest commit index that the log had recorded, at most `lastIndex()`. */
  readonly commit: LogIndex;
  /** Entries cut off because nothing proves that they were ever durable. */
  readonly tornEntries: number;
}

export interface OpenedLog {
  readonly log: DurableLog;
  readonly recovered: Recovered;
}

export class DurableLog {
  static open(_env: LogEnv, _options: LogOptions = {}): Promise<OpenedLog> {
    return Promise.reject(new LogError('CLOSED', 'not built yet'));
  }
  firstIndex(): LogIndex { throw new LogError('CLOSED', 'not built yet'); }
  lastIndex(): LogIndex { throw new LogError('CLOSED', 'not built yet'); }
  /** Of an entry, or of the one before the first. */
  term(_index: LogIndex): Term { throw new LogError('CLOSED', 'not built yet'); }
  /** [lo, hi): as many as fit into `maxBytes`, at least one. Throws LogError ENTRY_UNREADABLE. */
  entries(_lo: LogIndex, _hi: LogIndex, _maxBytes?: number): Entry[] { throw new LogError('CLOSED', 'not built yet'); }
  /** Resolves when the entries are durable. At most one at a time. Entries at or above an existing index replace the tail. */
  append(_entries: readonly Entry[], _commit: LogIndex): Promise<void> { return Promise.reject(new LogError('CLOSED', 'not built yet')); }
  /** Writes the identity records that wait; done by itself within 50 ms when idle. */
  flushIdentities(): Promise<void> { return Promise.reject(new LogError('CLOSED', 'not built yet')); }
  /** Recycles whole segments whose entries are all at or below `index`. */
  truncateBefore(_index: LogIndex, _term: Term): Promise<void> { return Promise.reject(new LogError('CLOSED', 'not built yet')); }
  /** To be durable before a snapshot's manifest is: entries up to `through` (its E) will be missing here. */
  expectSnapshot(_through: LogIndex): Promise<void> { return Promise.reject(new LogError('CLOSED', 'not built yet')); }
  /** The log is empty and starts after `index` (a snapshot's F); `through` is that snapshot's E. */
  resetTo(_index: LogIndex, _term: Term, _through?: LogIndex): Promise<void> { return Promise.reject(new LogError('CLOSED', 'not built yet')); }
  close(): Promise<void> { return Promise.resolve(); }
}
