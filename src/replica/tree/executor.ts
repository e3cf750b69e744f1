/**
 * Carries out seals (flushes) and plans (compactions) in the background, from this member's own
 * files alone, one at a time, flushes first. Each is known by its sequence, the log index of its
 * entry. What it produces waits under that name until the edit says that a majority produced the
 * same. A job is a pure function of the log, so it may be run again at any time: after a restart, a
 * repair, a split.
 */

import { assert } from '../../base/assert.js';
import { codeOf, DiskError, messageOf } from '../../base/errors.js';
import type { Clock, Env } from '../../base/env.js';
import type { LogIndex, TableId } from '../../base/ids.js';
import { StorageError } from '../../storage/base/errors.js';
import { produceCompaction, produceFlush, type ProduceContext } from '../../storage/compaction/produce.js';
import type { Tree } from '../../storage/tree/tree.js';
import type { TableStore } from '../../storage/table/table-store.js';
import type { PendingPlan, PendingSeal } from '../../storage/version/pending.js';
import type { Version } from '../../storage/version/version.js';
import { formatBirth, outputPath, type ProducedTable, type TableMeta } from '../../storage/table/table-meta.js';
import type { HealingHooks } from '../hooks/healing-hooks.js';
import type { Life } from '../state/life.js';
import { isNoSpace, type Room } from '../state/room.js';
import type { Report } from './agreement.js';
import { Job, type Work } from './job.js';
import type { Reports } from './reports.js';

export interface ExecutorParts {
  readonly env: Env;
  readonly life: Life;
  readonly room: Room;
  readonly tree: Tree;
  readonly tables: TableStore;
  readonly healing: Pick<HealingHooks, 'repair'>;
  readonly reports: Pick<Reports, 'send'>;
}

const RETRY_MS = 500;
/** A flush that is asked for again so often is not made of the same memtable once more. */
const DOUBTED_AFTER = 2;
/** Jobs that may stand before one that is waited for. */
const MAX_AHEAD = 2;

export class Executor {
  readonly #parts: ExecutorParts;
  readonly #clock: Clock;
  /**
   * H4 A seal or plan has at most one live job: it waits here, is deferred, or is the running one.
   */
  readonly #queue: Job[] = [];
  /** By sequence: what was produced, and waits under that name for its edit. */
  readonly #outputs = new Map<LogIndex, readonly ProducedTable[]>();
  /** By sequence: jobs whose inputs are not here yet, or cannot be read. None is cancelled. */
  readonly #deferred = new Map<LogIndex, Job>();
  /** By sequence of a seal: how often it was asked for again. */
  readonly #again = new Map<LogIndex, number>();
  #doubted: LogIndex | undefined;
  /** Files that go: a job that runs again under the same names waits for it. */
  #discards: Promise<void> = Promise.resolve();
  #running: Job | undefined;
  #state: 'working' | 'held' | 'stopped' = 'working';

  constructor(parts: ExecutorParts) {
    this.#parts = parts;
    this.#clock = parts.env.clock;
  }

  flush(seal: PendingSeal): void {
    this.#add({ kind: 'flush', seal });
  }

  compact(plan: PendingPlan): void {
    this.#add({ kind: 'compact', plan });
  }

  /**
   * Another version is about to take the place of this one: what is pending in it ends, and nothing
   * is produced again before `resume`.
   */
  hold({ seals, plans }: Version): void {
    for (const { index } of [...plans, ...seals]) this.close(index);
    this.#doubted = undefined;
    if (this.#state === 'working') this.#state = 'held';
  }

  /** The version is in place. */
  resume(): void {
    if (this.#state === 'held') this.#state = 'working';
  }

  /** What was produced for a seal or plan and still lies under its name. */
  outputs(sequence: LogIndex): readonly ProducedTable[] | undefined {
    return this.#outputs.get(sequence);
  }

  /** Everything that waits for an edit: sent again to a new leader. */
  reports(): Report[] {
    return [...this.#outputs].map(([sequence, tables]) => ({ sequence, outcome: { kind: 'produced', tables } }));
  }

  /**
   * The edit was applied: resolves when the job here has ended, or at once for a job far back in
   * the queue: a member that lags fetches what others produced. The job stays, because after a
   * restart of all members nobody may have it.
   */
  async settled(sequence: LogIndex): Promise<void> {
    if (this.#running?.sequence === sequence) await this.#running.done.promise;
    const at = this.#queue.findIndex((job) => job.sequence === sequence);
    if (at === -1) return;
    if (at < MAX_AHEAD) await (this.#queue[at] as Job).done.promise;
  }

  /**
   * Inputs that jobs wait for: no longer live perhaps, but the only way to what nobody has produced
   * yet.
   */
  lacking(): TableMeta[] {
    const { tree } = this.#parts;
    const lacking = new Map<TableId, TableMeta>();
    for (const { work, stage } of this.#deferred.values()) {
      assert(stage === 'deferred', `H4 a job that is ${stage} waits for no inputs`);
      for (const { id } of work.kind === 'compact' ? work.plan.inputs : []) {
        const meta = tree.isLocal(id) ? undefined : tree.meta(id);
        if (meta) lacking.set(id, meta);
      }
    }
    return [...lacking.values()].sort((a, b) => a.id - b.id);
  }

  /**
   * The seal or plan is carried out here: its job is not started any more, and what it left under
   * its name is removed.
   */
  close(sequence: LogIndex): void {
    for (const job of this.#queue) if (job.sequence === sequence) job.cancel();
    if (this.#running?.sequence === sequence) this.#running.cancel();
    this.#deferred.get(sequence)?.to('done');
    this.#deferred.delete(sequence);
    this.#again.delete(sequence);
    if (this.#doubted === sequence) this.#doubted = undefined;
    const left = this.#outputs.get(sequence);
    this.#outputs.delete(sequence);
    if (left) this.#discard(sequence, left);
  }

  /**
   * A seal whose memtable, here or on another member, is not what the log led to: made again, its
   * table was another one still. Until the memtables are made anew from the log (see `hold`).
   */
  get doubted(): LogIndex | undefined {
    return this.#doubted;
  }

  /**
   * No majority agreed on what it gives: produce it again. A flush that comes to the same twice has
   * its memtable for a reason, which is then in doubt: nobody knows whose it is. While the log is
   * replayed up to a seal its memtable is not there yet, and its job begins with it; so do all
   * after `hold`.
   */
  redo(sequence: LogIndex): void {
    if (this.#state !== 'working') return;
    const { latest } = this.#parts.tree;
    if (this.#running?.sequence === sequence || this.#deferred.has(sequence)) return;
    if (this.#queue.some((job) => job.sequence === sequence)) return;
    this.#outputs.delete(sequence);
    const seal = latest.seal(sequence);
    const pending = latest.plan(sequence);
    assert(seal === undefined || pending === undefined, `S1 entry ${sequence} is a seal or a plan`);
    if (seal && this.#parts.tree.sealed(sequence)) this.#flushAgain(seal);
    else if (pending) this.compact(pending);
  }

  #flushAgain(seal: PendingSeal): void {
    const times = (this.#again.get(seal.index) ?? 0) + 1;
    this.#again.set(seal.index, times);
    if (times < DOUBTED_AFTER) this.flush(seal);
    else this.#doubted = seal.index;
  }

  /** Its inputs are not here, or cannot be read, or the disk is full: let others go first. */
  #later(job: Job): void {
    assert(!job.cancelled && !this.#deferred.has(job.sequence), `H4 entry ${job.sequence} is not closed, and waits once`);
    job.to('deferred');
    this.#deferred.set(job.sequence, job);
    this.#clock.setTimer(RETRY_MS, () => {
      if (this.#stopped || this.#deferred.get(job.sequence) !== job) return;
      this.#deferred.delete(job.sequence);
      job.to('done');
      this.#add(job.work);
    });
  }

  async stop(): Promise<void> {
    this.#state = 'stopped';
    const running = this.#running;
    if (running) {
      running.cancel();
      await running.done.promise;
    }
    assert(this.#running === undefined, 'S2 nothing is produced by a member that has stopped');
  }

  #add(work: Work): void {
    const job = new Job(work);
    assert(!this.#hasLive(job.sequence), `H4 entry ${job.sequence} has one job`);
    this.#queue.push(job);
    if (!this.#running) this.#next();
  }

  get #stopped(): boolean {
    return this.#state === 'stopped';
  }

  #hasLive(sequence: LogIndex): boolean {
    const running = this.#running?.sequence === sequence && this.#running.live;
    return running || this.#deferred.has(sequence) || this.#queue.some((job) => job.sequence === sequence && job.live);
  }

  /** Flushes first: a memtable that waits takes memory. */
  #next(): void {
    if (this.#stopped) return;
    const at = this.#queue.findIndex((job) => job.work.kind === 'flush');
    const job = this.#queue.splice(at === -1 ? 0 : at, 1)[0];
    if (!job) return;
    if (job.cancelled) {
      job.to('done');
      job.done.resolve();
      this.#next();
      return;
    }
    assert(this.#running === undefined, 'S2 one job runs at a time');
    job.to('running');
    this.#running = job;
    this.#run(job).then(
      () => this.#ended(job),
      (error: unknown) => {
        this.#ended(job);
        this.#parts.life.fail(error);
      },
    );
  }

  #ended(job: Job): void {
    assert(this.#running === job, `the job that ends is the one that runs: entry ${job.sequence}`);
    this.#running = undefined;
    if (job.stage === 'running') job.to('done');
    job.done.resolve();
    this.#next();
  }

  async #run(job: Job): Promise<void> {
    await this.#discards;
    while (!job.cancelled && !this.#stopped) {
      const started = this.#clock.now();
      try {
        const tables = await this.#produce(job);
        if (tables && job.cancelled) this.#discard(job.sequence, tables);
        if (!tables || job.cancelled) return;
        this.#check(job.sequence, tables);
        this.#outputs.set(job.sequence, tables);
        const bytes = tables.reduce((sum, table) => sum + table.bytes, 0);
        const durationMs = this.#clock.now() - started;
        this.#parts.env.events.emit({ type: 'produced', plan: job.sequence, tables: tables.length, bytes, durationMs });
        this.#parts.reports.send({ sequence: job.sequence, outcome: { kind: 'produced', tables } });
        return;
      } catch (error) {
        if (!(await this.#mend(job, error))) return;
      }
    }
  }

  /**
   * S2 Births name outputs of this very entry, in order: two members that produced the same say the
   * same.
   */
  #check(sequence: LogIndex, tables: readonly ProducedTable[]): void {
    tables.forEach(({ birth, bytes }, ordinal) => {
      assert(birth.sequence === sequence && birth.ordinal === ordinal, `S2 output ${ordinal} of entry ${sequence} is ${formatBirth(birth)}`);
      assert(bytes > 0, `S2 output ${ordinal} of entry ${sequence} has bytes`);
    });
    assert(!this.#outputs.has(sequence), `S2 what entry ${sequence} gave before went before it ran again`);
  }

  /** Undefined: what the job needs is not here yet or no longer needed. */
  async #produce(job: Job): Promise<ProducedTable[] | undefined> {
    const { env, tree, tables } = this.#parts;
    assert(job.stage === 'running' && job === this.#running, `S2 the job of entry ${job.sequence} has its turn`);
    const context: ProduceContext = { disk: env.disk, workers: env.workers.beside ?? env.workers, tables, job };
    if (job.work.kind === 'flush') {
      const memtable = tree.sealed(job.work.seal.index);
      return memtable ? produceFlush(memtable, job.work.seal, context) : undefined;
    }
    const inputs = this.#inputs(job.work.plan);
    if (inputs) return produceCompaction(job.work.plan, inputs, context);
    this.#later(job);
    return undefined;
  }

  /** Undefined while some input is not local: a lagging member may still owe it. */
  #inputs(plan: PendingPlan): TableMeta[] | undefined {
    const { tree } = this.#parts;
    const metas = plan.inputs.map((input) => {
      const meta = tree.meta(input.id);
      assert(meta === undefined || meta.fileDigest === input.digest, `S4 input ${input.id} of plan ${plan.index} is the table that was meant`);
      return meta;
    });
    return metas.every((meta) => meta !== undefined && tree.isLocal(meta.id)) ? (metas as TableMeta[]) : undefined;
  }

  /**
   * True: try again at once. H4 a job that cannot go on makes room for others, and for whoever
   * waits for it.
   */
  async #mend(job: Job, error: unknown): Promise<boolean> {
    const code = codeOf(error);
    if (code === 'CANCELLED') return false;
    if (error instanceof DiskError) return this.#refused(job, error);
    if (!(error instanceof StorageError)) throw error;
    try {
      await this.#parts.healing.repair(error);
    } catch (cause) {
      if (codeOf(cause) === undefined) throw cause;
      this.#parts.env.events.emit({ type: 'warning', message: 'a plan waits for a repair', data: { plan: job.sequence, why: messageOf(cause) } });
      if (codeOf(cause) === 'DATA_LOSS') this.#parts.reports.send({ sequence: job.sequence, outcome: { kind: 'failed', why: messageOf(cause) } });
      if (!job.cancelled) this.#later(job);
      return false;
    }
    return true;
  }

  /**
   * C1 The disk did not take it. What was written is gone, and is made again from the memtable or
   * the inputs, into files that are new: nothing that a sync failed for is counted on.
   */
  #refused(job: Job, error: DiskError): boolean {
    const { room, env } = this.#parts;
    if (isNoSpace(error)) room.ranOut(error, true);
    else env.events.emit({ type: 'disk-failed', what: 'tables', why: messageOf(error) });
    if (!job.cancelled) this.#later(job);
    return false;
  }

  #discard(sequence: LogIndex, tables: readonly ProducedTable[]): void {
    const { env, life } = this.#parts;
    this.#discards = this.#discards
      .then(async () => {
        for (const table of tables) await env.disk.unlink(outputPath(sequence, table.birth.ordinal));
      })
      .catch((error: unknown) => life.fail(error));
  }
}
