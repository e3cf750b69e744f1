/**
 * The durable log as the Raft core reads it. What tables hold and the disk has lost of the log is
 * as good as compacted: a peer that asks for it gets a snapshot, and this member goes on. What they
 * do not hold is asked of the others, and the core waits for it.
 */

import { assert } from '../../base/assert.js';
import { messageOf } from '../../base/errors.js';
import type { LogIndex, Term } from '../../base/ids.js';
import { RaftError } from '../../raft/errors.js';
import type { ConfState, Entry, HardState, LogStorage, Snapshot } from '../../raft/types.js';
import type { HardStateStore } from '../hard-state/hard-state.js';
import type { DurableLog } from '../log/durable-log.js';
import { LogError } from '../log/errors.js';
import type { Membership } from '../state/membership.js';
import type { Progress } from '../state/progress.js';
import type { EntryMender } from './entry-mender.js';

export interface CoreLogParts {
  readonly log: DurableLog;
  readonly hardState: HardStateStore;
  readonly membership: Membership;
  readonly progress: Progress;
  readonly mender: EntryMender;
}

/** Who has snapshots: a room above. */
export interface Snapshots {
  /** The newest that can be sent. Throws RaftError SNAPSHOT_UNAVAILABLE. */
  snapshot(): Snapshot;
}

export class CoreLog implements LogStorage {
  readonly #parts: CoreLogParts;
  readonly #snapshots: Snapshots;
  readonly #commit: LogIndex;

  /** `commit`: what is known to be committed when the core begins. */
  constructor(parts: CoreLogParts, snapshots: Snapshots, commit: LogIndex) {
    const { log } = parts;
    assert(log.firstIndex() <= log.lastIndex() + 1, `R3 the log ends at ${log.lastIndex()}, not before it begins`);
    assert(commit <= log.lastIndex(), `R3 what is committed (${commit}) is in the log, which ends at ${log.lastIndex()}`);
    this.#parts = parts;
    this.#snapshots = snapshots;
    this.#commit = commit;
  }

  initialState(): { hardState: HardState; confState: ConfState } {
    const { hardState, membership } = this.#parts;
    const { term = 0, vote = 0 } = hardState.current ?? {};
    return { hardState: { term, vote, commit: this.#commit }, confState: membership.confState };
  }

  firstIndex(): LogIndex {
    return this.#parts.log.firstIndex();
  }

  lastIndex(): LogIndex {
    return this.#parts.log.lastIndex();
  }

  term(index: LogIndex): Term {
    return this.#parts.log.term(index);
  }

  entries(lo: LogIndex, hi: LogIndex, maxSize?: number): readonly Entry[] {
    assert(lo < hi, `R3 entries [${lo}, ${hi}) are asked for`);
    try {
      const entries = this.#parts.log.entries(lo, hi, maxSize);
      assert(entries[0]?.index === lo && entries.length <= hi - lo, `R3 ${entries.length} entries from ${lo} on, of those before ${hi}`);
      return entries;
    } catch (error) {
      if (!(error instanceof LogError) || error.code !== 'ENTRY_UNREADABLE') throw error;
      if (Number(error.data['index']) > this.#parts.progress.flushed) {
        this.#parts.mender.seek(error);
        throw new RaftError('UNREADABLE', messageOf(error), error.data, error);
      }
      throw new RaftError('COMPACTED', messageOf(error), error.data, error);
    }
  }

  snapshot(): Snapshot {
    return this.#snapshots.snapshot();
  }
}
