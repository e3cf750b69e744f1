/**
 * The tree as a replicated state machine: applies tree ops to the logical manifest (pure, equal everywhere) and sets
 * this member's files in motion after it. What is not durable is a function of the log: seals and plans at or below E
 * are already in the manifest, so replay only re-creates their memtables and jobs.
 */

import type { Env } from '../../base/env.js';
import type { LogIndex, NodeId, TableId, Term } from '../../base/ids.js';
import type { StorageError } from '../../storage/base/errors.js';
import type { TreeWrite } from '../../storage/base/read-view.js';
import type { TreeSettings } from '../../storage/base/settings.js';
import type { TableStore } from '../../storage/table/table-store.js';
import type { Tree } from '../../storage/tree/tree.js';
import { applyTreeOp } from '../../storage/version/apply-tree-op.js';
import type { OpOutcome } from '../../storage/version/logical-manifest.js';
import type { ManifestStore } from '../../storage/version/manifest-store.js';
import type { TreeOp } from '../../storage/version/tree-op.js';
import { FRAME_REDO, FRAME_REPORT, frame } from '../wire/frame.js';
import { ByteReader, ByteWriter } from '../../base/bytes.js';
import type { TableFetcher } from '../fetch/table-fetcher.js';
import type { HealingHooks } from '../hooks/healing-hooks.js';
import { Agreement, decodeReport, encodeReport, type Report } from './agreement.js';
import { Executor } from './executor.js';
import { ManifestWriter } from './manifest-writer.js';
import { Materializer } from './materializer.js';
import { Planner } from './planner.js';

export interface TreeMachineOptions {
  readonly env: Env;
  readonly self: NodeId;
  readonly voters: readonly NodeId[];
  readonly tree: Tree;
  readonly tables: TableStore;
  readonly store: ManifestStore;
  readonly fetcher: TableFetcher;
  readonly hooks: HealingHooks;
  readonly leader: () => NodeId;
  readonly canPropose: () => boolean;
  readonly propose: (op: TreeOp) => boolean;
  readonly settings: () => TreeSettings | undefined;
  readonly gcRevision: () => number;
  /** The state machine's system keys as of a seal. */
  readonly sealState: (index: LogIndex) => TreeWrite[];
  /** Files and manifest have moved on: the log may be shortened. */
  readonly durableMoved: () => Promise<void>;
  readonly repair: (error: StorageError) => Promise<void>;
  readonly failed: (error: unknown) => void;
}

export class TreeMachine {
  readonly #options: TreeMachineOptions;
  readonly #agreement: Agreement;
  readonly executor: Executor;
  readonly materializer: Materializer;
  readonly writer: ManifestWriter;
  readonly planner: Planner;
  #flushes = 0;
  #compactions = 0;

  constructor(options: TreeMachineOptions) {
    this.#options = options;
    const { env, self, voters, tree, tables, store, fetcher, hooks, leader, failed } = options;
    this.#agreement = new Agreement(voters);
    const report = (made: Report): void => this.#report(made);
    this.executor = new Executor({ env, tree, tables, repair: options.repair, report, failed });
    const peers = voters.filter((id) => id !== self);
    this.materializer = new Materializer({ env, tree, executor: this.executor, fetcher, hooks, peers, leader, failed });
    const moved = async (deleted: readonly TableId[]): Promise<void> => {
      for (const id of deleted) tables.forget(id);
      hooks.durableMoved();
      await options.durableMoved();
    };
    this.writer = new ManifestWriter({ tree, store, moved, failed });
    this.planner = new Planner({
      self,
      tree,
      agreement: this.#agreement,
      events: env.events,
      canPropose: options.canPropose,
      propose: options.propose,
      settings: options.settings,
      gcRevision: options.gcRevision,
      blocked: (table) => hooks.blocked(table),
      redo: (plan) => this.#redo(plan),
    });
    tree.onMaterialized = () => this.writer.kick();
  }

  /** Edits applied here since the start. */
  get totals(): { readonly flushes: number; readonly compactions: number } {
    return { flushes: this.#flushes, compactions: this.#compactions };
  }

  /** The jobs of plans that were pending when the manifest was written; flushes start as replay seals their memtables. */
  resume(): void {
    for (const plan of this.#options.tree.latest.plans) this.executor.compact(plan);
    this.materializer.kick();
  }

  apply(op: TreeOp, at: { readonly index: LogIndex; readonly term: Term }): void {
    const { tree, env } = this.#options;
    if (at.index <= tree.latest.last.index) {
      this.#replay(op, at.index);
      return;
    }
    const { manifest, outcome } = applyTreeOp(tree.latest, op, at);
    if (outcome.kind === 'sealed') tree.write(this.#options.sealState(at.index));
    tree.advance(manifest, { op, index: at.index, term: at.term });
    this.planner.applied(op);
    if (outcome.kind === 'refused') env.events.emit({ type: 'edit-refused', index: at.index, why: `${op.kind}: ${outcome.why}` });
    this.#follow(op, outcome, at.index);
    this.writer.kick();
  }

  /** A snapshot takes the place of all that was applied so far: what was begun for that is of no use. */
  dropWork(): void {
    const { seals, plans } = this.#options.tree.latest;
    for (const { index } of [...plans, ...seals]) this.executor.close(index);
    this.materializer.reset();
    this.#agreement.retain(new Set());
  }

  /** A frame from a peer. Throws CodecError. */
  onReport(from: NodeId, body: Uint8Array): void {
    const report = decodeReport(body);
    if (!this.#pending(report.plan)) return;
    this.#agreement.record(from, report);
    this.planner.step();
  }

  onRedo(from: NodeId, body: Uint8Array): void {
    if (from === this.#options.leader()) this.executor.redo(new ByteReader(body, 'redo').varint());
  }

  leadershipChanged(): void {
    this.planner.leadershipChanged();
    this.resend();
  }

  /** Reports that wait for an edit, once more: the last ones may be lost. */
  resend(): void {
    for (const report of this.executor.reports()) this.#report(report);
  }

  async stop(): Promise<void> {
    await this.executor.stop();
    await this.materializer.stop();
    await this.writer.pause();
  }

  #pending(plan: LogIndex): boolean {
    const { seals, plans } = this.#options.tree.latest;
    return seals.some((seal) => seal.index === plan) || plans.some((pending) => pending.index === plan);
  }

  /** E covers this op: its effect is in the manifest, only the memtable is to be made again. */
  #replay(op: TreeOp, index: LogIndex): void {
    const { tree } = this.#options;
    const seal = op.kind === 'seal' ? tree.latest.seals.find((pending) => pending.index === index) : undefined;
    if (!seal) return;
    tree.write(this.#options.sealState(index));
    tree.seal(index);
    this.executor.flush(seal);
  }

  #follow(op: TreeOp, outcome: OpOutcome, index: LogIndex): void {
    const { tree, env, hooks } = this.#options;
    switch (outcome.kind) {
      case 'sealed': {
        const bytes = tree.memtableBytes;
        tree.seal(index);
        env.events.emit({ type: 'sealed', index, bytes });
        this.executor.flush(outcome.seal);
        return;
      }
      case 'planned': {
        const { inputs, outputLevel, purpose } = outcome.plan;
        env.events.emit({ type: 'plan', plan: index, kind: purpose, inputs: inputs.map((input) => input.id), outputLevel });
        this.executor.compact(outcome.plan);
        return;
      }
      case 'edited':
        this.#edited(outcome, index);
        return;
      case 'abandoned':
        this.#agreement.forget(outcome.plan.index);
        this.executor.close(outcome.plan.index);
        return;
      case 'refused':
        if (op.kind === 'heal-edit') hooks.healEditApplied(op.removed.id, undefined, index);
        return;
    }
  }

  #edited(outcome: Extract<OpOutcome, { kind: 'edited' }>, index: LogIndex): void {
    const { env, hooks } = this.#options;
    const added = outcome.added.map((table) => table.id);
    const removed = outcome.removed.map((table) => table.id);
    env.events.emit({ type: 'edit', index, plan: outcome.plan ?? 0, added, removed });
    if (outcome.plan !== undefined) {
      if (outcome.removed.length === 0) this.#flushes++;
      else this.#compactions++;
      this.#agreement.forget(outcome.plan);
      this.materializer.planned(outcome.plan, outcome.added);
      return;
    }
    const [before] = outcome.removed;
    const [after] = outcome.added;
    if (!before || !after) return;
    hooks.healEditApplied(before.id, after, index);
    this.materializer.healed(before, after);
  }

  #report(report: Report): void {
    const { self, leader, env } = this.#options;
    const to = leader();
    if (!this.#pending(report.plan)) return;
    if (to === self) {
      this.#agreement.record(self, report);
      this.planner.step();
    } else if (to !== 0) {
      env.network.send(to, frame(FRAME_REPORT, encodeReport(report)));
    }
  }

  #redo(plan: LogIndex): void {
    const { env, voters, self } = this.#options;
    const body = frame(FRAME_REDO, new ByteWriter(8).varint(plan).finish());
    for (const peer of voters) if (peer !== self) env.network.send(peer, body);
    this.executor.redo(plan);
  }
}
