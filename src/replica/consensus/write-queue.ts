/**
 * What the core asks to be written, in order. One durable write is in flight at a time, and what is
 * asked for meanwhile goes into the next one: that is the group commit. It takes what makes one
 * batch of the log, which is one write and one sync: with more, each answer, and a stop, would wait
 * for the whole backlog of a slow disk, and a sync of 4 MiB is long enough that what it costs to
 * begin one does not count.
 *
 * R2: the answers of a write leave when it, and every write before it, is durable. Writes are
 * joined only where none of them takes back anything: a new term, a vote, a snapshot and a log that
 * leads elsewhere are writes of their own.
 */

import { assert } from '../../base/assert.js';
import type { Clock, Env } from '../../base/env.js';
import type { LogIndex, NodeId, Term } from '../../base/ids.js';
import type { Entry, Message, Snapshot } from '../../raft/types.js';
import type { DiskTimes } from '../fetch/transfer-pace.js';
import type { HardStateStore } from '../hard-state/hard-state.js';
import { BATCH_HEADER, MAX_BATCH_BYTES, recordLength } from '../log/batch-codec.js';
import type { DurableLog } from '../log/durable-log.js';
import type { Room } from '../state/room.js';
import { keepPromise } from './keep-promise.js';
import type { RaftHooks } from './raft-hooks.js';

export interface Write {
  /** Durable before the entries are. */
  readonly term: Term;
  readonly vote: NodeId;
  readonly snapshot: Snapshot | undefined;
  /** Contiguous; from the first one's index on they replace what the log has. */
  readonly entries: readonly Entry[];
  /** R3 Of the log that ends with the entries. */
  readonly commit: LogIndex;
  /** What may be said once all of this is durable, in order. */
  readonly answers: readonly Message[];
}

/** Who asked. */
export interface WriteOwner {
  /** In the order in which it was asked for. Must not throw. */
  written(answers: readonly Message[]): void;
  /** Nothing more is written. */
  writeFailed(error: unknown): void;
}

interface WriteQueueParts {
  readonly env: Pick<Env, 'clock' | 'events'>;
  readonly log: Pick<DurableLog, 'append' | 'lastIndex'>;
  readonly hardState: Pick<HardStateStore, 'current' | 'update'>;
  readonly room: Pick<Room, 'ranOut'>;
}

export class WriteQueue {
  readonly #parts: WriteQueueParts;
  readonly #snapshots: Pick<RaftHooks, 'installSnapshot'>;
  readonly #owner: WriteOwner;
  readonly #clock: Clock;
  #waiting: Write[] = [];
  /** Since when a write is in flight, by the clock. */
  #since: number | undefined;
  /**
   * R1 R2 What hard state holds: the term only grows, and within a term a vote that was given
   * stays.
   */
  #durable: { readonly term: Term; readonly vote: NodeId };
  #recorded: LogIndex = 0;
  /** Of the log's writes that are over: how many, and how long they took together. */
  #syncs = 0;
  #syncsMs = 0;
  #stopped = false;
  #idle: (() => void) | undefined;

  constructor(parts: WriteQueueParts, snapshots: Pick<RaftHooks, 'installSnapshot'>, owner: WriteOwner) {
    this.#parts = parts;
    this.#snapshots = snapshots;
    this.#owner = owner;
    this.#clock = parts.env.clock;
    const { term = 0, vote = 0 } = parts.hardState.current ?? {};
    this.#durable = { term, vote };
  }

  /** The term that hard state holds. */
  get durableTerm(): Term {
    return this.#durable.term;
  }

  /** The disk says that the entries up to here are committed; 0: this one wrote nothing yet. */
  get recordedCommit(): LogIndex {
    return this.#recorded;
  }

  /** Milliseconds that the write in flight has taken so far; 0 if there is none. */
  get inFlightMs(): number {
    return this.#since === undefined ? 0 : this.#clock.now() - this.#since;
  }

  /** How long the disk of the log takes. */
  get diskTimes(): DiskTimes {
    return { syncs: this.#syncs, syncsMs: this.#syncsMs, inFlightMs: this.inFlightMs };
  }

  add(write: Write): void {
    if (this.#stopped) return;
    const { entries, commit } = write;
    const first = entries[0]?.index ?? 0;
    const last = entries.at(-1)?.index ?? 0;
    assert(last === 0 || last === first + entries.length - 1, `R3 what is written is contiguous, up to ${last}`);
    assert(last === 0 || commit <= last, `R3 what is committed (${commit}) is in the log, which ends with ${last}`);
    this.#waiting.push(write);
    if (this.#since === undefined) this.#next();
  }

  /** Takes nothing more, and resolves when the write in flight is over. */
  async stop(): Promise<void> {
    this.halt();
    if (this.#since !== undefined) await new Promise<void>((resolve) => (this.#idle = resolve));
  }

  /** Takes nothing more; the write in flight is answered by nobody. */
  halt(): void {
    this.#stopped = true;
    this.#waiting = [];
  }

  #next(): void {
    assert(this.#since === undefined, 'R2 one durable write is in flight at a time');
    while (this.#waiting.length > 0 && !this.#stopped) {
      const write = this.#take();
      if (this.#isNothing(write)) {
        this.#owner.written(write.answers);
        // It may have asked for more, and that may be under way.
        if (this.#since !== undefined) return;
        continue;
      }
      this.#since = this.#clock.now();
      this.#write(write).then(
        () => this.#over(write),
        (error: unknown) => this.#over(write, error),
      );
      return;
    }
  }

  /** As many as can be one write; at least one, however large. */
  #take(): Write {
    const first = this.#waiting[0] as Write;
    let count = 1;
    let end = first.entries.at(-1)?.index;
    let bytes = BATCH_HEADER + recordBytes(first.entries);
    for (; count < this.#waiting.length; count++) {
      const next = this.#waiting[count] as Write;
      if (next.term !== first.term || next.vote !== first.vote || next.snapshot !== undefined) break;
      const start = next.entries[0]?.index;
      if (start !== undefined && end !== undefined && start !== end + 1) break;
      const more = recordBytes(next.entries);
      if (more > 0 && bytes + more > MAX_BATCH_BYTES) break;
      bytes += more;
      end = next.entries.at(-1)?.index ?? end;
    }
    const taken = this.#waiting.splice(0, count);
    if (count === 1) return first;
    return {
      ...first,
      entries: taken.flatMap(({ entries }) => entries),
      commit: (taken[count - 1] as Write).commit,
      answers: taken.flatMap(({ answers }) => answers),
    };
  }

  #isNothing({ term, vote, snapshot, entries }: Write): boolean {
    return term === this.#durable.term && vote === this.#durable.vote && snapshot === undefined && entries.length === 0;
  }

  async #write({ term, vote, snapshot, entries, commit }: Write): Promise<void> {
    if (term !== this.#durable.term || vote !== this.#durable.vote) await this.#promise(term, vote);
    if (snapshot !== undefined) await this.#snapshots.installSnapshot(snapshot);
    if (entries.length > 0) await this.#append(entries, commit);
  }

  /** R1 Never a step back, and never a second vote in one term. */
  async #promise(term: Term, vote: NodeId): Promise<void> {
    const { hardState } = this.#parts;
    const kept = this.#durable;
    assert(term >= kept.term, `R1 the term only grows: ${term} after ${kept.term}`);
    assert(term > kept.term || kept.vote === 0 || kept.vote === vote, `R1 one vote in term ${term}: ${vote} after ${kept.vote}`);
    await keepPromise(this.#parts, { term, vote }, () => this.#stopped);
    assert(hardState.current?.term === term && hardState.current.vote === vote, `R2 term ${term} and its vote are durable`);
    this.#durable = { term, vote };
  }

  async #append(entries: readonly Entry[], commit: LogIndex): Promise<void> {
    const { log, env } = this.#parts;
    const started = this.#clock.now();
    await log.append(entries, commit);
    this.#recorded = commit;
    assert(log.lastIndex() === entries.at(-1)?.index, `R2 the log ends with what was written, not at ${log.lastIndex()}`);
    const durationMs = this.#clock.now() - started;
    this.#syncs++;
    this.#syncsMs += durationMs;
    let bytes = 0;
    for (const { data } of entries) bytes += data.length;
    env.events.emit({ type: 'log-sync', durationMs, bytes, entries: entries.length });
  }

  #over({ answers }: Write, error?: unknown): void {
    this.#since = undefined;
    this.#idle?.();
    if (this.#stopped) return;
    if (error !== undefined) {
      this.halt();
      this.#owner.writeFailed(error);
      return;
    }
    this.#owner.written(answers);
    if (this.#since === undefined) this.#next();
  }
}

/** Of the batch that holds them. */
function recordBytes(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += recordLength(entry);
  return bytes;
}
