/**
 * Applies committed entries, in log order, each exactly once (S1, S2). Most entries are applied in one synchronous
 * step; big ones in slices, so that heartbeats go on. An entry that needs a block beyond repair waits for the repair
 * and is then applied from its beginning: nothing of it was visible before.
 */

import { assert } from '../base/assert.js';
import { codeOf, messageOf } from '../base/errors.js';
import { sleep, type Env } from '../base/env.js';
import type { LogIndex } from '../base/ids.js';
import type { Entry } from '../raft/types.js';
import { StorageError } from '../storage/errors.js';
import type { TreeSettings } from '../storage/settings.js';
import type { TreeOp } from '../storage/version/tree-op.js';
import { decodeLogRecord, type LogRecord } from './entry.js';
import { ReplicaError } from './errors.js';
import { EtcdError } from './etcd-error.js';
import type { ApplyOutcome, KvMachine } from './kv/kv-machine.js';
import type { ProposalId } from './kv/applied-ids.js';
import type { Proposals } from './consensus/proposals.js';

export interface ApplierOptions {
  readonly env: Env;
  readonly kv: () => KvMachine;
  readonly proposals: Proposals;
  readonly bootstrap: (settings: TreeSettings) => void;
  readonly treeOp: (op: TreeOp, at: { index: LogIndex; term: number }) => void;
  readonly repair: (error: StorageError) => Promise<void>;
  /** Called after each stretch of entries. */
  readonly applied: (index: LogIndex) => void;
  readonly failed: (error: unknown) => void;
}

const RETRY_MS = 200;

export class Applier {
  readonly #options: ApplierOptions;
  #queue: Entry[] = [];
  #head = 0;
  #index: LogIndex;
  #running = false;
  #stopped = false;
  #waitingForRepair: string | undefined;
  #idle: (() => void)[] = [];

  constructor(options: ApplierOptions, applied: LogIndex) {
    this.#options = options;
    this.#index = applied;
  }

  get index(): LogIndex {
    return this.#index;
  }

  /** Committed entries that are not applied yet. */
  get backlog(): number {
    return this.#queue.length - this.#head;
  }

  /** What the entry at hand waits for; undefined while things move. */
  get blockedBy(): string | undefined {
    return this.#waitingForRepair;
  }

  enqueue(entries: readonly Entry[]): void {
    if (this.#stopped) return;
    for (const entry of entries) this.#queue.push(entry);
    if (!this.#running) this.#start();
  }

  /** After a snapshot: what was queued is part of it. */
  async reset(applied: LogIndex): Promise<void> {
    await this.#pause();
    this.#queue = [];
    this.#head = 0;
    this.#index = applied;
    this.#stopped = false;
  }

  async stop(): Promise<void> {
    await this.#pause();
  }

  async #pause(): Promise<void> {
    this.#stopped = true;
    if (this.#running) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #start(): void {
    this.#running = true;
    this.#run().then(
      () => this.#ended(),
      (error: unknown) => {
        this.#stopped = true;
        this.#ended();
        this.#options.failed(error);
      },
    );
  }

  #ended(): void {
    this.#running = false;
    for (const resolve of this.#idle.splice(0)) resolve();
    if (!this.#stopped && this.backlog > 0) this.#start();
  }

  async #run(): Promise<void> {
    const { workers, events } = this.#options.env;
    while (this.#head < this.#queue.length && !this.#stopped) {
      const first = this.#head;
      let pause: Promise<void> | undefined;
      while (this.#head < this.#queue.length && pause === undefined && !this.#stopped) {
        const entry = this.#queue[this.#head] as Entry;
        const later = this.#apply(entry);
        if (later) await later;
        this.#head++;
        this.#index = entry.index;
        pause = workers.breathe();
      }
      events.emit({ type: 'applied', count: this.#head - first, index: this.#index });
      if (this.#head === this.#queue.length) {
        this.#queue = [];
        this.#head = 0;
      } else if (this.#head > 4096) {
        this.#queue.splice(0, this.#head);
        this.#head = 0;
      }
      this.#options.applied(this.#index);
      if (pause) await pause;
    }
  }

  /** Undefined: applied at once. */
  #apply(entry: Entry): Promise<void> | undefined {
    assert(entry.index === this.#index + 1, `R3 entries are applied in order: ${entry.index} after ${this.#index}`);
    if (entry.data.length === 0 || entry.type !== 'normal') return undefined;
    const record = this.#decode(entry);
    switch (record.kind) {
      case 'bootstrap':
        this.#options.bootstrap(record.settings);
        return undefined;
      case 'tree':
        this.#options.treeOp(record.op, { index: entry.index, term: entry.term });
        return undefined;
      case 'kv':
        return this.#applyKv(entry.index, record);
    }
  }

  #decode(entry: Entry): LogRecord {
    try {
      return decodeLogRecord(entry.data);
    } catch (error) {
      throw new ReplicaError('ENTRY_UNKNOWN', `committed entry ${entry.index}: ${messageOf(error)}`, { index: entry.index }, error);
    }
  }

  #applyKv(index: LogIndex, record: Extract<LogRecord, { kind: 'kv' }>): Promise<void> | undefined {
    const wanted = this.#options.proposals.waitsFor(record.id);
    try {
      const outcome = this.#options.kv().tryApplyFast(index, record.id, record.command, wanted);
      if (outcome) {
        if (wanted) this.#answer(record.id, outcome);
        return undefined;
      }
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      return this.#mend(error).then(() => this.#applySlowly(index, record));
    }
    return this.#applySlowly(index, record);
  }

  async #applySlowly(index: LogIndex, record: Extract<LogRecord, { kind: 'kv' }>): Promise<void> {
    const { env, kv, proposals } = this.#options;
    while (!this.#stopped) {
      const wanted = proposals.waitsFor(record.id);
      const work = kv().apply(index, record.id, record.command, wanted);
      try {
        let step = work.next();
        while (!step.done) {
          const pause = env.workers.breathe();
          if (pause) await pause;
          step = work.next();
        }
        if (wanted) this.#answer(record.id, step.value);
        return;
      } catch (error) {
        if (!(error instanceof StorageError)) throw error;
        await this.#mend(error);
      }
    }
  }

  /** Waits until the block can be read: apply cannot go on without it. */
  async #mend(error: StorageError): Promise<void> {
    this.#waitingForRepair = messageOf(error);
    try {
      await this.#options.repair(error);
    } catch (cause) {
      const why = messageOf(cause);
      const message = codeOf(cause) === 'DATA_LOSS' ? 'an entry needs a block that no member has' : 'an entry waits for a repair';
      this.#options.env.events.emit({ type: 'warning', message, data: { index: this.#index + 1, why } });
      await sleep(this.#options.env.clock, RETRY_MS);
    } finally {
      this.#waitingForRepair = undefined;
    }
  }

  #answer(id: ProposalId, outcome: ApplyOutcome): void {
    const { proposals } = this.#options;
    if (!proposals.waitsFor(id)) return; // it timed out while the entry was applied
    switch (outcome.kind) {
      case 'done':
        assert(outcome.response, 'a response is made when it is wanted');
        proposals.applied(id, outcome.response);
        return;
      case 'refused':
        proposals.refused(id, outcome.error);
        return;
      case 'duplicate':
      case 'evicted':
        // The first application of a proposal answers it, so somebody who still waits can only be told "unknown".
        proposals.refused(id, new EtcdError('TIMEOUT'));
        return;
    }
  }
}
