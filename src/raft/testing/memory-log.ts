/** A stable log in memory: what survives a crash of a node in tests. */

import type { LogIndex, Term } from '../../base/ids.js';
import { EMPTY_CONF_STATE } from '../confchange.js';
import { RaftError } from '../errors.js';
import { entrySize, type ConfState, type Entry, type HardState, type LogStorage, type Snapshot } from '../types.js';

export class MemoryLog implements LogStorage {
  hardState: HardState = { term: 0, vote: 0, commit: 0 };
  confState: ConfState;
  /** Set to make `snapshot()` fail for the time being. */
  snapshotUnavailable = false;
  #snapshot: Snapshot | undefined;
  /** Index and term of what precedes the first entry. */
  #base = { index: 0, term: 0 };
  #entries: Entry[] = [];

  constructor(confState: Partial<ConfState> = {}) {
    this.confState = { ...EMPTY_CONF_STATE, ...confState };
  }

  initialState(): { hardState: HardState; confState: ConfState } {
    return { hardState: this.hardState, confState: this.confState };
  }

  firstIndex(): LogIndex {
    return this.#base.index + 1;
  }

  lastIndex(): LogIndex {
    return this.#base.index + this.#entries.length;
  }

  term(index: LogIndex): Term {
    if (index === this.#base.index) return this.#base.term;
    return this.#at(index).term;
  }

  #at(index: LogIndex): Entry {
    if (index <= this.#base.index) throw new RaftError('COMPACTED', `entry ${index}`);
    const entry = this.#entries[index - this.#base.index - 1];
    if (entry === undefined) throw new RaftError('UNAVAILABLE', `entry ${index}`);
    return entry;
  }

  entries(lo: LogIndex, hi: LogIndex, maxSize = Infinity): readonly Entry[] {
    const out: Entry[] = [];
    let size = 0;
    for (let index = lo; index < hi; index++) {
      const entry = this.#at(index);
      size += entrySize(entry);
      if (out.length > 0 && size > maxSize) break;
      out.push(entry);
    }
    return out;
  }

  snapshot(): Snapshot {
    if (this.snapshotUnavailable || this.#snapshot === undefined) throw new RaftError('SNAPSHOT_UNAVAILABLE', 'not now');
    return this.#snapshot;
  }

  get all(): readonly Entry[] {
    return this.#entries;
  }

  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    if (first.index > this.lastIndex() + 1) throw new Error(`gap: ${first.index} after ${this.lastIndex()}`);
    this.#entries.length = first.index - this.#base.index - 1;
    this.#entries.push(...entries);
  }

  install(snapshot: Snapshot): void {
    const { index, term, confState } = snapshot.metadata;
    this.#snapshot = snapshot;
    this.#base = { index, term };
    this.#entries = [];
    this.confState = confState;
  }

  /** Makes a snapshot at `index` and drops the log through it. */
  compact(index: LogIndex): void {
    const term = this.term(index);
    this.#entries = this.#entries.slice(index - this.#base.index);
    this.#base = { index, term };
    this.#snapshot = { metadata: { index, term, confState: this.confState } };
  }
}

/** A log with entries of these terms. */
export function logOf(terms: readonly Term[], confState: Partial<ConfState>, hardState?: Partial<HardState>): MemoryLog {
  const log = new MemoryLog(confState);
  log.append(terms.map((term, i) => ({ term, index: i + 1, type: 'normal', data: new Uint8Array(1) })));
  log.hardState = { term: terms.at(-1) ?? 0, vote: 0, commit: 0, ...hardState };
  return log;
}
