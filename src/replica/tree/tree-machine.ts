/**
 * The tree as a replicated state machine. A tree op, step by step:
 *   1. `applyTreeOp` gives the next version (pure, equal everywhere); a stale op is a no-op (S3);
 *   2. seal or plan: the executor produces from this member's own memtable or files, and reports
 *      the digests;
 *   3. the leader's planner proposes the edit that a majority's reports agree on (S6);
 *   4. edit: the materializer makes the added tables local: relinked, healed or fetched;
 *   5. the manifest writer makes the version durable, and what only the older one needed goes.
 * After a restart, ops that the manifest holds are skipped: seals make their memtables and flushes
 * again, and `resume` starts the jobs of plans that are pending.
 */

import { assert } from '../../base/assert.js';
import { ByteReader } from '../../base/bytes.js';
import type { Env } from '../../base/env.js';
import type { LogIndex, NodeId, Term } from '../../base/ids.js';
import type { TableStore } from '../../storage/table/table-store.js';
import type { Tree } from '../../storage/tree/tree.js';
import { applyTreeOp } from '../../storage/version/apply-tree-op.js';
import type { OpOutcome } from '../../storage/version/apply-tree-op.js';
import type { ManifestStore } from '../../storage/version/manifest-store.js';
import type { TreeOp } from '../../storage/version/tree-op.js';
import type { TreeProposer } from '../consensus/tree-proposer.js';
import type { TableFetcher } from '../fetch/table-fetcher.js';
import type { HealingHooks } from '../hooks/healing-hooks.js';
import type { ReplicatedState } from '../kv/replicated-state.js';
import type { Leadership } from '../state/leadership.js';
import type { Life } from '../state/life.js';
import type { Membership } from '../state/membership.js';
import type { Progress } from '../state/progress.js';
import type { Room } from '../state/room.js';
import { Agreement, decodeReport } from './agreement.js';
import { Executor } from './executor.js';
import { ManifestWriter, type TreeHooks } from './manifest-writer.js';
import { Materializer } from './materializer.js';
import { Planner } from './planner.js';
import { Reports } from './reports.js';

export interface TreeMachineParts {
  readonly env: Env;
  readonly life: Life;
  readonly room: Room;
  readonly membership: Membership;
  readonly leadership: Leadership;
  readonly progress: Progress;
  readonly state: ReplicatedState;
  readonly proposer: TreeProposer;
  readonly tree: Tree;
  readonly tables: TableStore;
  readonly store: ManifestStore;
  readonly fetcher: TableFetcher;
  readonly healing: HealingHooks;
}

export class TreeMachine {
  readonly #parts: TreeMachineParts;
  readonly #agreement: Agreement;
  readonly #reports: Reports;
  readonly executor: Executor;
  readonly materializer: Materializer;
  readonly writer: ManifestWriter;
  readonly planner: Planner;
  /** These only grow. */
  #flushes = 0;
  #compactions = 0;

  constructor(parts: TreeMachineParts, hooks: TreeHooks) {
    this.#parts = parts;
    const agreement = new Agreement(parts.membership);
    this.#agreement = agreement;
    this.#reports = new Reports({ ...parts, agreement });
    const executor = new Executor({ ...parts, reports: this.#reports });
    this.executor = executor;
    this.materializer = new Materializer({ ...parts, executor });
    this.writer = new ManifestWriter(parts, hooks);
    this.planner = new Planner({ ...parts, agreement, executor });
    parts.leadership.subscribe(() => this.resend());
    parts.tree.onMaterialized = () => this.writer.kick();
  }

  /** Edits applied here since the start. */
  get totals(): { readonly flushes: number; readonly compactions: number } {
    return { flushes: this.#flushes, compactions: this.#compactions };
  }

  /**
   * The jobs of plans that were pending when the manifest was written; flushes start as replay
   * seals their memtables.
   */
  resume(): void {
    const { latest } = this.#parts.tree;
    this.executor.resume();
    for (const plan of latest.plans) {
      assert(plan.index <= latest.last.index, `S1 plan ${plan.index} is in the log up to ${latest.last.index}`);
      this.executor.compact(plan);
    }
    this.materializer.kick();
  }

  apply(op: TreeOp, at: { readonly index: LogIndex; readonly term: Term }): void {
    const { tree, env, progress } = this.#parts;
    assert(at.index === progress.applied.value + 1, `R3 tree ops are applied in log order: ${at.index} after ${progress.applied.value}`);
    if (at.index <= tree.latest.last.index) {
      this.#replay(op, at.index);
      return;
    }
    const { manifest, outcome } = applyTreeOp(tree.latest, op, at);
    if (outcome.kind === 'sealed') this.#seal(at.index);
    tree.advance(manifest, { op, index: at.index, term: at.term });
    assert(tree.latest.last.index === at.index, `S2 the op at ${at.index} is in the version now`);
    this.planner.applied(op);
    if (outcome.kind === 'refused') env.events.emit({ type: 'edit-refused', index: at.index, why: `${op.kind}: ${outcome.why}` });
    this.#follow(op, outcome, at.index);
    this.writer.kick();
  }

  /**
   * A snapshot takes the place of all that was applied so far: what was begun for that is of no
   * use, and nothing is begun before `resume`.
   */
  dropWork(): void {
    this.executor.hold(this.#parts.tree.latest);
    this.materializer.reset();
    this.#agreement.retain(new Set());
  }

  /** A frame from a peer. Throws CodecError. */
  onReport(from: NodeId, body: Uint8Array): void {
    const report = decodeReport(body);
    if (this.#parts.tree.latest.isPending(report.sequence)) this.#agreement.record(from, report);
  }

  onRedo(from: NodeId, body: Uint8Array): void {
    if (from === this.#parts.leadership.leader) this.executor.redo(new ByteReader(body, 'redo').varint());
  }

  /** Reports that wait for an edit, once more: the last ones may be lost. */
  resend(): void {
    for (const report of this.executor.reports()) this.#reports.send(report);
  }

  async stop(): Promise<void> {
    await this.executor.stop();
    await this.materializer.stop();
    await this.writer.pause();
  }

  /** The manifest has the effect of this op already: only the memtable is to be made again. */
  #replay(op: TreeOp, index: LogIndex): void {
    const { tree } = this.#parts;
    const seal = op.kind === 'seal' ? tree.latest.seal(index) : undefined;
    if (!seal) return;
    assert(index > tree.durable.flushed.index, `S1 the seal at ${index} is replayed because it is not flushed`);
    this.#seal(index);
    tree.seal(index);
    assert(tree.sealed(index) !== undefined, `S1 the memtable sealed at ${index} waits for its flush`);
    this.executor.flush(seal);
  }

  #seal(index: LogIndex): void {
    const { tree, state } = this.#parts;
    tree.write(state.sealWrites(index));
    state.sealed();
  }

  #follow(op: TreeOp, outcome: OpOutcome, index: LogIndex): void {
    const { tree, env, healing } = this.#parts;
    switch (outcome.kind) {
      case 'sealed': {
        const bytes = tree.memtableBytes;
        tree.seal(index);
        assert(outcome.seal.index === index && tree.sealed(index) !== undefined, `S1 the memtable sealed at ${index} waits for its flush`);
        env.events.emit({ type: 'sealed', index, bytes });
        this.executor.flush(outcome.seal);
        return;
      }
      case 'planned': {
        const { inputs, outputLevel, purpose } = outcome.plan;
        assert(outcome.plan.index === index && inputs.every(({ id }) => tree.latest.isBusy(id)), `S5 the inputs of plan ${index} wait for its edit`);
        env.events.emit({ type: 'plan', plan: index, kind: purpose, inputs: inputs.map((input) => input.id), outputLevel });
        this.executor.compact(outcome.plan);
        return;
      }
      case 'edited':
        this.#edited(outcome, index);
        return;
      case 'abandoned':
        assert(!tree.latest.isPending(outcome.plan.index), `S3 plan ${outcome.plan.index} was abandoned`);
        this.#agreement.forget(outcome.plan.index);
        this.executor.close(outcome.plan.index);
        return;
      case 'refused':
        if (op.kind === 'heal-edit') healing.healEditApplied(op.removed.id, undefined, index);
        return;
    }
  }

  #edited(outcome: Extract<OpOutcome, { kind: 'edited' }>, index: LogIndex): void {
    const { env, healing } = this.#parts;
    const added = outcome.added.map((table) => table.id);
    const removed = outcome.removed.map((table) => table.id);
    const { latest } = this.#parts.tree;
    assert(added.every((id) => latest.has(id)) && !removed.some((id) => latest.has(id)), `S1 the edit at ${index} is in the version now`);
    env.events.emit({ type: 'edit', index, plan: outcome.sequence ?? 0, added, removed });
    if (outcome.sequence !== undefined) {
      if (outcome.removed.length === 0) this.#flushes++;
      else this.#compactions++;
      assert(!latest.isPending(outcome.sequence), `S3 entry ${outcome.sequence} has its edit`);
      this.#agreement.forget(outcome.sequence);
      this.materializer.produced(outcome.sequence, outcome.added);
      return;
    }
    const [before] = outcome.removed;
    const [after] = outcome.added;
    assert(before && after && outcome.removed.length === 1 && outcome.added.length === 1, 'H3 a heal replaces one table by one');
    healing.healEditApplied(before.id, after, index);
    this.materializer.healed(before, after);
  }
}
