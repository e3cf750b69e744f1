/**
 * The durable log. R3 contiguous from `firstIndex` on; R2 `append` resolves only when its entries
 * are on the medium.
 *
 * One write of entries is one sync: it covers the batch and the identities of the batch before it
 * (see segment-layout). The identity of the last batch follows with the next append, or within
 * 50 ms when none comes. A failed write or sync
 * is never retried: what the file then holds behind the last sync that returned is unknown (ext4
 * shows the new bytes and has dropped them). The log is then what it was before that write, refuses
 * everything, and goes on in a fresh segment (`renew`), whose first batch says where the log ends:
 * whatever the next open finds of what failed, that batch takes its place.
 */

import { acquiring } from '../../base/acquiring.js';
import { allDone } from '../../base/all-done.js';
import { assert } from '../../base/assert.js';
import type { Disk } from '../../base/disk.js';
import type { Clock } from '../../base/env.js';
import type { EventSink } from '../../base/events.js';
import type { ClusterVersion, LogIndex, Term } from '../../base/ids.js';
import { MiB } from '../../base/bytes.js';
import type { Entry } from '../../raft/types.js';
import { DamagedLog } from './damaged-log.js';
import { EntryCache } from './entry-cache.js';
import type { EntryTable } from './entry-table.js';
import { LogError } from './errors.js';
import { IdleWork, type IdleLog } from './idle-work.js';
import type { LogOptions } from './log-options.js';
import type { LogPoint } from './log-point.js';
import { LogWriter } from './log-writer.js';
import { examine, openContents, reasonToAsk } from './open-log.js';
import { leftover } from './leftover.js';
import { LogReader } from './log-reader.js';
import type { RestRecord } from './rest-record.js';
import { DEFAULT_SEGMENT_BYTES, formatOf } from './segment-layout.js';
import { SegmentChain } from './segment-chain.js';
import { SegmentStore } from './segment-store.js';
import { WriteTurns } from './write-turns.js';

export interface LogEnv {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly events: EventSink;
}

export interface Recovered {
  /** The highest commit index that was recorded, within the log. */
  readonly commit: LogIndex;
  /** Entries cut off because nothing proves that they were ever durable. */
  readonly tornEntries: number;
}

export interface OpenedLog {
  readonly log: DurableLog;
  readonly recovered: Recovered;
}

const DEFAULT_CACHE_BYTES = 32 * MiB;

export class DurableLog implements IdleLog {
  readonly #chain: SegmentChain;
  readonly #writer: LogWriter;
  readonly #rest: RestRecord;
  readonly #idle: IdleWork;
  readonly #table: EntryTable;
  readonly #cache: EntryCache;
  readonly #reader: LogReader;
  /** Only grows. */
  #commit: LogIndex;
  readonly #turns = new WriteTurns();
  /** Where an append began: segments from there on hold entries that the table lacks. */
  #appendingFrom = Infinity;
  /** A reset that failed: the log goes on with it. */
  #resetting: (LogPoint & { readonly through: LogIndex }) | undefined;

  private constructor(
    { clock }: LogEnv, chain: SegmentChain, writer: LogWriter, rest: RestRecord, table: EntryTable, cacheBytes: number, commit: LogIndex,
  ) {
    this.#chain = chain;
    this.#writer = writer;
    this.#rest = rest;
    this.#idle = new IdleWork(clock, this);
    this.#table = table;
    this.#cache = new EntryCache(cacheBytes);
    this.#reader = new LogReader(chain, table, this.#cache);
    this.#commit = commit;
  }

  /**
   * Opens the log in `options.dir`, making one if there is none. Throws LogError ENTRY_FAULTY (R6),
   * DiskError; no file is open then.
   */
  static async open(env: LogEnv, options: LogOptions = {}): Promise<OpenedLog> {
    const found = await DurableLog.examine(env, options);
    if (found instanceof DamagedLog) throw found.error;
    return found;
  }

  /**
   * As {@link open}, but a log with faulty entries is no error, nor is one that cannot be written
   * where it ends: nothing of it counts as changed.
   */
  static async examine(env: LogEnv, options: LogOptions = {}): Promise<OpenedLog | DamagedLog> {
    const { disk, events } = env;
    const store = new SegmentStore(disk, options.dir ?? 'log', options.segmentBytes ?? DEFAULT_SEGMENT_BYTES);
    const { knownCommit = 0, flushedIndex = 0, flushedTerm = 0 } = options;
    await disk.mkdir(store.dir);
    await disk.syncDir('');
    const examined = await examine(disk, store, { knownCommit, flushedIndex });
    for (const way of examined.resolution.ways) events.emit({ type: 'log-way', of: 'judgement', way });
    const fault = reasonToAsk(store.dir, examined.resolution, options);
    if (fault !== undefined) return new DamagedLog(disk, store, examined, fault, { index: flushedIndex, term: flushedTerm });
    try {
      return await acquiring(async (keep) => {
        const { segments, prepared, table, resolution } = await openContents(disk, events, store, examined, keep);
        const chain = await SegmentChain.open(store, events, segments, prepared, keep);
        const writer = new LogWriter(chain, resolution.lastSequence, resolution.snapshotThrough);
        const log = new DurableLog(env, chain, writer, examined.rest, table, options.cacheBytes ?? DEFAULT_CACHE_BYTES, resolution.commit);
        log.#idle.arm();
        return { log, recovered: { commit: resolution.commit, tornEntries: resolution.cut?.entries ?? 0 } };
      });
    } catch (error) {
      if (!(error instanceof LogError) || error.code !== 'WRITE_FAILED') throw error;
      const { table } = examined.resolution;
      const begins = { index: table.baseIndex, term: table.term(table.baseIndex) };
      const keepsGap = options.keepsGap === true && begins.index > flushedIndex;
      return new DamagedLog(disk, store, examined, error, keepsGap ? begins : { index: flushedIndex, term: flushedTerm });
    }
  }

  /**
   * The cluster is of `version`: what all its members can read is written from now on. A log that
   * has segments of a newer version begins with theirs after a restart, until it is told.
   */
  allow(version: ClusterVersion): void {
    this.#chain.useFormat(formatOf(version));
  }

  /**
   * On the way to a log without an entry up to `through`, and without a file of another format than
   * today's: undefined once it is one. Else the index up to which entries must go by
   * {@link truncateBefore}; if the last of them is the last that is here, another append must come
   * first.
   */
  async shed(through: LogIndex): Promise<LogIndex | undefined> {
    if (this.#turns.isQuiet && !this.#chain.isUniform) await this.#turns.exclusively(() => this.#chain.conform());
    return leftover(this.#chain, this.#table, through);
  }

  /** Of the first entry that is here. */
  firstIndex(): LogIndex {
    return this.#table.baseIndex + 1;
  }

  /** Of the last durable entry; `firstIndex() - 1` if there is none. */
  lastIndex(): LogIndex {
    return this.#table.lastIndex;
  }

  /** Of an entry, or of the one before the first. */
  term(index: LogIndex): Term {
    return this.#table.term(index);
  }

  /** Of the segment that holds an entry: for who watches a log. */
  generationOf(index: LogIndex): number {
    return this.#table.place(index).generation;
  }

  /**
   * The entries in [lo, hi): as many as fit into `maxBytes`, at least one. Throws LogError
   * ENTRY_UNREADABLE.
   */
  entries(lo: LogIndex, hi: LogIndex, maxBytes = Infinity): Entry[] {
    assert(lo > this.#table.baseIndex && lo <= hi && hi <= this.#table.lastIndex + 1, `R3 entries [${lo}, ${hi}) are in the log`);
    if (lo === hi) return [];
    return this.#reader.entries(lo, hi, maxBytes);
  }

  /** An entry that cannot be read here any more, as another member has it. False: no room. */
  give(entry: Entry): boolean {
    return this.#reader.give(entry);
  }

  /**
   * The entry as the segments have it, whatever memory says; memory has it, too, from then on.
   * Throws LogError ENTRY_UNREADABLE.
   */
  reread(index: LogIndex): Entry {
    assert(index > this.#table.baseIndex && index <= this.#table.lastIndex, `R3 entry ${index} is in the log`);
    return this.#reader.reread(index);
  }

  /**
   * Writes contiguous entries; from the first one's index on they replace what is there. Resolves
   * when they are durable: not before then do the readers above see them. One at a time. `commit`
   * is recorded with them.
   */
  append(entries: readonly Entry[], commit: LogIndex): Promise<void> {
    const { refusal } = this.#turns;
    if (refusal !== undefined) return Promise.reject(refusal);
    const previous = this.#commit;
    this.#commit = Math.max(previous, commit);
    if (entries.length === 0) return Promise.resolve();
    const first = (entries[0] as Entry).index;
    assert(first > this.#table.baseIndex && first <= this.#table.lastIndex + 1, 'R3 the log is contiguous');
    assert(first > previous, 'R3 committed entries never change');
    for (let i = 1; i < entries.length; i++) {
      const before = entries[i - 1] as Entry;
      const entry = entries[i] as Entry;
      assert(entry.index === first + i && entry.term >= before.term, 'R3 the entries of an append are contiguous');
    }
    const before = first - 1;
    this.#reader.forgetGiven(before);
    return this.#turns.append(() => this.#append(entries, before), () => {
      this.#appendingFrom = Infinity;
      // What they were to replace may be gone from the disk, and is of no use to anybody.
      this.#table.truncateAfter(before);
      this.#cache.truncateAfter(before);
      // What is committed is in the log, and it ends where it ended.
      this.#commit = Math.min(this.#commit, Math.max(previous, this.lastIndex()));
    });
  }

  async #append(entries: readonly Entry[], before: LogIndex): Promise<void> {
    this.#appendingFrom = this.#chain.active.generation;
    const writing = this.#writer.write(entries, before, this.#table.term(before), this.#commit);
    await (this.#rest.stands ? allDone(writing, this.#rest.withdraw()) : writing);
    assert(!this.#rest.stands, 'R6 nothing says that this log ended before what is acknowledged');
    this.#table.truncateAfter(before);
    this.#writer.place(entries, this.#table);
    this.#appendingFrom = Infinity;
    for (const entry of entries) this.#cache.push(entry);
    assert(this.lastIndex() === before + entries.length, `R3 the log ends with what was appended, not at ${this.lastIndex()}`);
    this.#idle.arm();
  }

  /** Makes the identities that wait durable; the log does so by itself within 50 ms when idle. */
  flushIdentities(): Promise<void> {
    if (!this.#turns.isQuiet || !this.#writer.hasPending) return Promise.resolve();
    return this.#turns.exclusively(() => this.#writer.flush());
  }

  /** Says on the disk that the log ends here; it does so by itself after a second in quiet. */
  restHere(): Promise<void> {
    const { sequence } = this.#writer;
    if (!this.#turns.isQuiet || this.#writer.hasPending || this.isAtRest) return Promise.resolve();
    const { lastIndex } = this.#table;
    const point = { sequence, index: lastIndex, term: this.#table.term(lastIndex), commit: this.#commit };
    return this.#turns.exclusively(() => this.#rest.put(point));
  }

  /** Of the last batch. */
  get sequence(): number {
    return this.#writer.sequence;
  }

  get isAppending(): boolean {
    return this.#turns.isAppending;
  }

  get hasPending(): boolean {
    return this.#writer.hasPending;
  }

  /** Nothing is left to do while nothing is appended. */
  get isAtRest(): boolean {
    return this.#rest.stands || this.#writer.sequence === 0;
  }

  /**
   * After an append was refused for want of room: resolves when there is room for the next segment.
   * Throws LogError NO_SPACE.
   */
  makeRoom(): Promise<void> {
    return this.#turns.exclusively(() => this.#chain.makeRoom());
  }

  /**
   * Recycles whole segments whose entries are all at or below `index`, which has `term`:
   * `firstIndex` moves up to `index + 1` at most. To be called only for what nobody needs any more:
   * this member and a majority have it in tables, and no snapshot transfer goes on from it. Does
   * nothing while the log waits to be renewed.
   */
  async truncateBefore(index: LogIndex, term: Term): Promise<void> {
    const refusal = this.#turns.refusal;
    if (this.#turns.isFailed) return;
    if (refusal !== undefined) throw refusal;
    if (index <= this.#table.baseIndex) return;
    assert(index <= this.#table.lastIndex && this.#table.term(index) === term, `R3 entry ${index} is of term ${term}`);
    for (let oldest = this.#chain.droppable(); oldest !== undefined; oldest = this.#chain.droppable()) {
      const through = this.#table.lastIn(oldest.generation);
      if (through > index || oldest.generation >= this.#appendingFrom) break;
      this.#table.dropThrough(through);
      this.#cache.dropThrough(through);
      this.#chain.dropOldest();
    }
    assert(this.#table.baseIndex <= index, `D1 nothing after ${index} is dropped, up to ${this.#table.baseIndex}`);
    await this.#chain.settled();
  }

  /**
   * After a write or a sync failed, and `append` was refused for that: the log goes on in a fresh
   * segment, with what was durable before; a reset that failed is done. Throws LogError: NO_SPACE,
   * or that segment failed, too; then it may be renewed again, in another one.
   */
  async renew(): Promise<void> {
    if (!this.#turns.isFailed) return;
    const reset = this.#resetting;
    await (reset ? this.resetTo(reset.index, reset.term, reset.through) : this.#turns.exclusively(() => this.#markEnd(0), true));
  }

  /**
   * To be durable before the manifest of a snapshot is: from then on the manifest's materialized
   * index, up to `through`, is no proof that this log ever had those entries.
   */
  expectSnapshot(through: LogIndex): Promise<void> {
    return this.#turns.exclusively(() => this.#markEnd(through), true);
  }

  /**
   * The log is empty and begins after `index` (the flushed index of a snapshot), which had `term`;
   * `through` is the snapshot's materialized index.
   */
  resetTo(index: LogIndex, term: Term, through: LogIndex = index): Promise<void> {
    return this.#turns.exclusively(async () => {
      this.#commit = Math.max(this.#commit, index);
      this.#resetting = { index, term, through };
      await this.#mark(index, term, through, true);
      this.#resetting = undefined;
      this.#table.reset(index, term);
      this.#cache.clear();
      while (this.#chain.droppable() !== undefined) this.#chain.dropOldest();
      await this.#chain.settled();
    }, true);
  }

  /** Of an empty log the mark says where it begins: nothing that failed did. */
  #markEnd(through: LogIndex): Promise<void> {
    const { lastIndex, baseIndex } = this.#table;
    return this.#mark(lastIndex, this.#table.term(lastIndex), through, lastIndex === baseIndex && this.#turns.isFailed);
  }

  /** In a segment of its own if the one before failed: then the log is as good as any again. */
  async #mark(index: LogIndex, term: Term, through: LogIndex, reset: boolean): Promise<void> {
    await this.#rest.withdraw();
    if (this.#turns.isFailed) {
      await this.#chain.abandonActive();
      this.#writer.forgetUnsynced();
    }
    await this.#writer.writeMark(index, term, this.#commit, through, reset);
    this.#chain.dropUndurable();
    this.#turns.renewed();
    this.#idle.arm();
  }

  /**
   * Waits for what is in flight and makes the last identities durable. Nothing can be asked
   * afterwards.
   */
  async close(): Promise<void> {
    assert(!this.#turns.isClosed, 'the log is closed once');
    assert(!this.#turns.isAppending, 'the log is closed when its append is done');
    try {
      await this.#turns.settled();
      await this.flushIdentities();
    } catch {
      // The log has failed: what could be saved is on the disk, and the next open judges it.
    }
    this.#turns.closed();
    this.#idle.stop();
    await this.#chain.close();
  }
}
