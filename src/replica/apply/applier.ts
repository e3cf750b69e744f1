/**
 * Applies committed entries, in log order, each exactly once (S1, S2). Most entries are applied in
 * one synchronous step; big ones in slices, so that heartbeats go on. An entry that needs a block
 * beyond repair waits for the repair and is then applied from its beginning: nothing of it was
 * visible before.
 */

import { assert } from '../../base/assert.js';
import { Coalesced } from '../../base/coalesced.js';
import { drive } from '../../base/drive.js';
import { MiB } from '../../base/bytes.js';
import { codeOf, messageOf } from '../../base/errors.js';
import { Fifo } from '../../base/fifo.js';
import { sleep, type Env } from '../../base/env.js';
import type { LogIndex } from '../../base/ids.js';
import type { EtcdError } from '../../api/etcd-error.js';
import type { Entry } from '../../raft/types.js';
import { StorageError } from '../../storage/base/errors.js';
import type { KvRecord, LogRecord } from '../entry/entry.js';
import { ReplicaError } from '../base/errors.js';
import type { HealingHooks } from '../hooks/healing-hooks.js';
import { MEMBER, NOBODY } from '../auth/principal.js';
import type { ReplicatedState } from '../kv/replicated-state.js';
import type { DurableLog } from '../log/durable-log.js';
import { LogError } from '../log/errors.js';
import type { Life } from '../state/life.js';
import type { Progress } from '../state/progress.js';
import type { TreeMachine } from '../tree/tree-machine.js';
import type { Membership } from '../state/membership.js';
import type { EntryMender } from '../consensus/entry-mender.js';
import type { Proposals } from '../consensus/proposals.js';
import { answer } from './answer.js';
import { applyMemberEntry } from './member-entries.js';
import { applyVersionEntry, isAllowed } from './version-entries.js';
import { readRecord, soundCopy } from './entry-copies.js';

export interface ApplierParts {
  readonly env: Env;
  readonly life: Life;
  readonly log: Pick<DurableLog, 'entries' | 'reread' | 'allow'>;
  readonly mender: Pick<EntryMender, 'seek'>;
  readonly proposals: Proposals;
  readonly state: ReplicatedState;
  readonly membership: Membership;
  readonly machine: Pick<TreeMachine, 'apply'>;
  readonly progress: Pick<Progress, 'applied'>;
  readonly healing: Pick<HealingHooks, 'repair'>;
}

/** What the rooms above do. */
export interface ApplyHooks {
  /**
   * A repair for which apply waits failed, and is tried again: a newer version may be the only way
   * on. Returns at once.
   */
  unrepaired(error: StorageError, cause: unknown): void;
}

/** What the state machine over the keys applies; what a leader says of leases has no id. */
type CommandRecord = Omit<KvRecord, 'id'> & { readonly id: KvRecord['id'] | undefined };

const RETRY_MS = 200;
/**
 * What is kept in memory while apply waits; the rest is read from the log again when its turn
 * comes.
 */
const MAX_QUEUED_BYTES = 32 * MiB;
const MAX_QUEUED = 16_384;
/** Read from the log at once. */
const PAGE_BYTES = MiB;

export class Applier {
  readonly #parts: ApplierParts;
  readonly #hooks: ApplyHooks;
  /**
   * The entries after `index`, without a gap, or the first of them. The others are read from the
   * log when their turn comes.
   */
  readonly #queue = new Fifo<Entry>();
  #queuedBytes = 0;
  /** The last entry that is known to be committed: index <= known. */
  #known: LogIndex;
  readonly #work: Coalesced;
  #waitingForRepair: string | undefined;
  /** Why the entry after `index` waits for a newer program. */
  #waitingForUpgrade: string | undefined;
  #blockedSince: number | undefined;
  /** For who watches a replica: called with each entry once it is applied. Must not throw. */
  onApplied: ((entry: Entry) => void) | undefined;

  constructor(parts: ApplierParts, hooks: ApplyHooks) {
    this.#parts = parts;
    this.#hooks = hooks;
    this.#known = parts.progress.applied.value;
    this.#work = new Coalesced(
      () => this.#run(),
      (error) => {
        void this.#work.pause();
        parts.life.fail(error);
      },
    );
  }

  /** Of the last entry that was applied. */
  get index(): LogIndex {
    return this.#parts.progress.applied.value;
  }

  /** Committed entries that are not applied yet. */
  get backlog(): number {
    return this.#known - this.index;
  }

  /** What the entry at hand waits for; undefined while things move. */
  get blockedBy(): string | undefined {
    return this.#waitingForUpgrade ?? this.#waitingForRepair;
  }

  /**
   * Since when the entry at hand waits for a repair, whether or not one is being tried at this
   * moment, or for a newer program.
   */
  get blockedSince(): number | undefined {
    return this.#blockedSince;
  }

  enqueue(entries: readonly Entry[]): void {
    const [first] = entries;
    const last = entries.at(-1);
    if (first === undefined || last === undefined) return;
    assert(last.index - first.index === entries.length - 1, `R3 ${entries.length} entries from ${first.index} to ${last.index}`);
    assert(first.index <= this.#known + 1, `R3 nothing is left out between ${this.#known} and ${first.index}`);
    // A version from a peer may be ahead of what Raft has handed out here.
    if (last.index <= this.#known) return;
    // Once some were left in the log, so are all that follow, until the queue has come to them.
    let whole = !this.#work.paused && this.#known === this.index + this.#queue.length;
    for (let i = 0; i < entries.length && whole; i++) {
      const entry = entries[i] as Entry;
      if (entry.index <= this.#known) continue;
      if (this.#queue.length >= MAX_QUEUED || this.#queuedBytes >= MAX_QUEUED_BYTES) whole = false;
      else this.#push(entry);
    }
    this.#known = last.index;
    this.#work.kick();
  }

  #push(entry: Entry): void {
    assert(entry.index === (this.#queue.last?.index ?? this.index) + 1, 'R3 an entry follows what is queued');
    this.#queue.push(entry);
    this.#queuedBytes += entry.data.length;
  }

  /** False: the next entry cannot be read from the log yet. */
  async #refilled(): Promise<boolean> {
    try {
      this.#refill();
      this.#blockedSince = undefined;
      return true;
    } catch (error) {
      if (!(error instanceof LogError) || error.code !== 'ENTRY_UNREADABLE') throw error;
      const { mender, env } = this.#parts;
      mender.seek(error);
      this.#waitingForRepair = messageOf(error);
      this.#blockedSince ??= env.clock.now();
      await sleep(env.clock, RETRY_MS);
      this.#waitingForRepair = undefined;
      return false;
    }
  }

  /** The queue is used up, but not what is committed. */
  #refill(): void {
    assert(this.#queuedBytes === 0, `an empty queue holds nothing, not ${this.#queuedBytes} bytes`);
    for (const entry of this.#parts.log.entries(this.index + 1, this.#known + 1, PAGE_BYTES)) this.#push(entry);
    assert(this.#queue.length > 0, `R3 the log has what was committed: ${this.index + 1} to ${this.#known}`);
  }

  /** After a snapshot: what was queued is part of it. */
  async reset(applied: LogIndex): Promise<void> {
    await this.#work.pause();
    this.#known = applied;
    this.#empty(applied);
    this.#work.resume();
  }

  /**
   * Another version holds all up to `applied`: after `resume`, whatever else is committed is
   * applied from the log.
   */
  async rebase(applied: LogIndex): Promise<void> {
    await this.#work.pause();
    this.#known = Math.max(this.#known, applied);
    this.#empty(applied);
  }

  /** After a `stop`. */
  resume(): void {
    this.#work.resume();
  }

  /** Resolves when nothing is being applied; nothing will be until `resume`. */
  stop(): Promise<void> {
    return this.#work.pause();
  }

  #empty(applied: LogIndex): void {
    assert(this.#work.paused && !this.#work.running && applied <= this.#known, `S1 nothing is applied while another version takes its place, as of ${applied}`);
    this.#queue.clear();
    this.#queuedBytes = 0;
    this.#parts.progress.applied.reset(applied);
    this.#blockedSince = undefined;
    this.#waitingForUpgrade = undefined;
    assert(this.#waitingForRepair === undefined, 'S1 what waited for a repair has ended before another version is in place');
  }

  async #run(): Promise<void> {
    const { workers, events } = this.#parts.env;
    while (this.backlog > 0 && !this.#work.paused) {
      if (this.#queue.length === 0 && !(await this.#refilled())) continue;
      let count = 0;
      let pause: Promise<void> | undefined;
      for (let entry = this.#queue.first; entry !== undefined && pause === undefined && !this.#work.paused; entry = this.#queue.first) {
        const later = this.#applyOrMend(entry);
        if (later) {
          // It may wait for long, or for ever: who needs no more than what came before goes on.
          if (count > 0) this.#parts.progress.applied.publish();
          if (!(await later)) return;
          this.#blockedSince = undefined;
        }
        this.#queue.shift();
        count++;
        this.#queuedBytes -= entry.data.length;
        assert(this.#queuedBytes >= 0, 'bytes are queued as often as they are applied');
        assert(entry.index <= this.#known, 'R3 only what is committed is applied');
        this.#parts.progress.applied.move(entry.index);
        this.onApplied?.(entry);
        pause = workers.breathe();
      }
      events.emit({ type: 'applied', count, index: this.index });
      const leases = this.#parts.state.leaseNews.counted();
      if (leases !== undefined) events.emit({ type: 'leases-changed', ...leases });
      this.#parts.progress.applied.publish();
      if (pause) await pause;
    }
  }

  /** S1 C1 A copy that is not what its proposer made is asked of the others, never passed over. */
  #applyOrMend(entry: Entry): Promise<boolean> | undefined {
    try {
      return this.#apply(entry);
    } catch (error) {
      if (!(error instanceof ReplicaError) || error.code !== 'ENTRY_DAMAGED') throw error;
      return this.#awaitCopy(entry, error);
    }
  }

  /** False: stopped before it was applied. */
  async #awaitCopy({ index, term }: Entry, bad: ReplicaError): Promise<boolean> {
    const { mender, env } = this.#parts;
    this.#waitingForRepair = bad.message;
    this.#blockedSince ??= env.clock.now();
    try {
      while (!this.#work.paused) {
        mender.seek(new LogError('ENTRY_UNREADABLE', bad.message, { index, term }, bad));
        await sleep(env.clock, RETRY_MS);
        const copy = soundCopy(this.#parts.log, index);
        // The move that it ends must not find it waiting.
        this.#waitingForRepair = copy === undefined ? bad.message : undefined;
        if (copy !== undefined) return (await this.#apply(copy)) ?? true;
      }
    } finally {
      this.#waitingForRepair = undefined;
    }
    return false;
  }

  /** Undefined: applied at once. False: stopped before it was applied. */
  #apply(entry: Entry): Promise<boolean> | undefined {
    assert(entry.index === this.index + 1, 'R3 entries are applied in order');
    // S1 What was committed is never passed over: the rest of the log would lead elsewhere than on
    // the others.
    if (entry.type !== 'normal') {
      const why = applyMemberEntry(this.#parts, entry);
      return why === undefined ? undefined : this.#awaitUpgrade(entry, why);
    }
    if (entry.data.length === 0) return undefined;
    const record = readRecord(this.#parts, entry);
    if (typeof record === 'string') return this.#awaitUpgrade(entry, record);
    if (!isAllowed(this.#parts, record.kind, entry.index)) return undefined;
    switch (record.kind) {
      case 'cluster-version':
      case 'downgrade': {
        const why = applyVersionEntry(this.#parts, record, entry.index);
        return why === undefined ? undefined : this.#awaitUpgrade(entry, why);
      }
      case 'alarm':
        this.#parts.state.alarms.apply(record.change);
        return undefined;
      case 'bootstrap':
        this.#parts.state.bootstrap(record.settings);
        return undefined;
      case 'tree':
        this.#parts.machine.apply(record.op, { index: entry.index, term: entry.term });
        return undefined;
      case 'lease':
        return this.#applyKv(entry.index, record);
      case 'lease-time':
        return this.#applyKv(entry.index, { id: undefined, who: MEMBER, command: record.command });
      case 'kv':
        return this.#applyKv(entry.index, { ...record, who: NOBODY });
      case 'auth':
        return this.#applyAs(entry.index, record);
    }
  }

  /** Apply ends here until this member runs a newer program, or has a version with the entry. */
  #awaitUpgrade({ index }: Entry, why: string): Promise<boolean> {
    this.#blockedSince ??= this.#parts.env.clock.now();
    if (this.#waitingForUpgrade === undefined) {
      this.#waitingForUpgrade = `entry ${index}: ${why}; start this member with a newer program`;
      this.#parts.env.events.emit({ type: 'warning', message: 'an entry waits for a newer program', data: { index, why } });
    }
    return Promise.resolve(false);
  }

  #applyAs(index: LogIndex, { id, who, command }: Extract<LogRecord, { kind: 'auth' }>): Promise<boolean> | undefined {
    if (command.kind !== 'auth') return this.#applyKv(index, { id, who, command });
    const { proposals, state } = this.#parts;
    const outcome = state.applyAuth(index, id, who, command.change);
    if (proposals.waitsFor(id)) answer(proposals, id, outcome);
    return undefined;
  }

  #applyKv(index: LogIndex, record: CommandRecord): Promise<boolean> | undefined {
    const { proposals, state } = this.#parts;
    const { id, who, command } = record;
    const wanted = id !== undefined && proposals.waitsFor(id);
    try {
      const refusal = state.refusalOf(command, who, this.#parts.env.workers);
      // What hangs on a lease is asked of in slices, as of what was applied before.
      if (refusal instanceof Promise) return this.#applySlowly(index, record, refusal);
      const outcome = refusal && id
        ? state.kv.refuse(index, id, refusal)
        : state.kv.tryApplyFast(index, id, command, wanted);
      if (outcome) {
        if (wanted) answer(proposals, id, outcome);
        return undefined;
      }
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      return this.#mend(error).then(() => this.#applySlowly(index, record));
    }
    return this.#applySlowly(index, record);
  }

  /** `asked`: the answer to whether it is refused, which is being looked for. */
  async #applySlowly(index: LogIndex, record: CommandRecord, asked?: Promise<EtcdError | undefined>): Promise<boolean> {
    const { env, state, proposals } = this.#parts;
    const { id, who, command } = record;
    for (let first = asked; first !== undefined || !this.#work.paused; first = undefined) {
      try {
        // A block may have been mended without which this could not be said.
        const refusing = first ?? state.refusalOf(command, who, env.workers);
        const refusal = refusing instanceof Promise ? await refusing : refusing;
        const wanted = id !== undefined && proposals.waitsFor(id);
        const driven = refusal && id ? state.kv.refuse(index, id, refusal) : drive(state.kv.apply(index, id, command, wanted), env.workers);
        const outcome = driven instanceof Promise ? await driven : driven;
        if (wanted) answer(proposals, id, outcome);
        return true;
      } catch (error) {
        if (!(error instanceof StorageError)) throw error;
        await this.#mend(error);
      }
    }
    return false;
  }

  /** Waits until the block can be read: apply cannot go on without it. */
  async #mend(error: StorageError): Promise<void> {
    assert(this.#waitingForRepair === undefined, `S1 one entry is applied at a time: ${this.index + 1}`);
    this.#waitingForRepair = messageOf(error);
    this.#blockedSince ??= this.#parts.env.clock.now();
    try {
      await this.#parts.healing.repair(error);
    } catch (cause) {
      if (codeOf(cause) === undefined) throw cause;
      const why = messageOf(cause);
      const message = codeOf(cause) === 'DATA_LOSS' ? 'an entry needs a block that no member has' : 'an entry waits for a repair';
      this.#parts.env.events.emit({ type: 'warning', message, data: { index: this.index + 1, why } });
      if (!this.#work.paused) this.#hooks.unrepaired(error, cause);
      await sleep(this.#parts.env.clock, RETRY_MS);
    } finally {
      this.#waitingForRepair = undefined;
    }
  }
}
