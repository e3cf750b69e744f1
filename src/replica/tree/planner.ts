/**
 * S3: the leader's part in shaping the tree. It decides when to seal and what to compact, and turns
 * agreed reports into edits. It keeps no state that a new leader would miss: pending plans are
 * replicated, reports are sent again.
 */

import { assert } from '../../base/assert.js';
import { ByteWriter } from '../../base/bytes.js';
import type { Env } from '../../base/env.js';
import type { LogIndex, NodeId } from '../../base/ids.js';
import { Picker } from '../../storage/compaction/picker.js';
import type { Tree } from '../../storage/tree/tree.js';
import type { TreeOp } from '../../storage/version/tree-op.js';
import type { Flusher } from '../consensus/alarm-keeper.js';
import type { TreeProposer } from '../consensus/tree-proposer.js';
import type { HealingHooks } from '../hooks/healing-hooks.js';
import type { ReplicatedState } from '../kv/replicated-state.js';
import type { Leadership } from '../state/leadership.js';
import type { Membership } from '../state/membership.js';
import type { Progress } from '../state/progress.js';
import { FRAME_REDO, frame } from '../wire/frame.js';
import type { Agreement } from './agreement.js';
import type { Executor } from './executor.js';

export interface PlannerParts {
  readonly env: Env;
  readonly membership: Membership;
  readonly leadership: Leadership;
  readonly progress: Progress;
  readonly tree: Tree;
  readonly state: ReplicatedState;
  readonly agreement: Agreement;
  readonly executor: Executor;
  readonly proposer: TreeProposer;
  readonly healing: Pick<HealingHooks, 'blocked'>;
}

/** Sealed memtables that may wait for their flush before the leader stops sealing. */
const MAX_SEALS = 3;
const MAX_PLANS = 1;
/** How long members that have not reported yet may decide between reports that differ. */
const PATIENCE_MS = 1_000;

export class Planner implements Flusher {
  readonly #parts: PlannerParts;
  /**
   * Ops in the log that are not applied yet: not to be proposed twice. What the last leader had in
   * the log may never be applied.
   */
  readonly #underway = new Set<string>();
  readonly #picker = new Picker();
  /** See {@link flush}. */
  #through: LogIndex = 0;
  /** By sequence: since when reports differ that none of the others has decided between. */
  readonly #open = new Map<LogIndex, number>();

  constructor(parts: PlannerParts) {
    this.#parts = parts;
    parts.agreement.subscribe(() => this.step());
    parts.progress.applied.subscribe(() => {
      if (parts.leadership.isLeader) this.step();
    });
    parts.leadership.subscribe(() => {
      this.#underway.clear();
      this.#open.clear();
    });
  }

  /** A tree op was applied, whoever proposed it. */
  applied(op: TreeOp): void {
    this.#underway.delete(keyOf(op));
    if (op.kind === 'edit' || op.kind === 'abandon') this.#open.delete(op.plan);
  }

  /**
   * Proposes whatever is due. Called after entries were applied, when a report came in, and on a
   * timer.
   */
  step(): void {
    if (!this.#parts.leadership.mayShapeTree) return;
    this.#edits();
    this.#seal();
    this.#plan();
  }

  /**
   * A member that lost the beginning of its log cannot go on from any version that there is, and
   * may wait for long until a memtable is full: what there is in it is flushed.
   */
  sealEarly(): void {
    const { tree, state, leadership, membership } = this.#parts;
    if (!leadership.mayShapeTree || !state.settings || tree.memtableBytes === 0 || tree.latest.seals.length > 0) return;
    this.#propose({ kind: 'seal', proposer: membership.self, format: state.settings.format });
  }

  #edits(): void {
    const { tree } = this.#parts;
    const { seals, plans } = tree.latest;
    const oldest = seals[0];
    assert(oldest === undefined || oldest.index > tree.latest.flushed.index, `S3 memtables are flushed in order: ${oldest?.index} is not yet`);
    if (oldest) this.#settle(oldest.index, 'flush', []);
    for (const plan of plans) this.#settle(plan.index, 'compact', plan.inputs);
  }

  #settle(sequence: LogIndex, kind: 'flush' | 'compact', removed: Extract<TreeOp, { kind: 'edit' }>['removed']): void {
    assert(this.#parts.tree.latest.isPending(sequence), `S3 only a pending seal or plan is settled: ${sequence}`);
    const { agreement, env } = this.#parts;
    const verdict = agreement.verdict(sequence);
    switch (verdict.kind) {
      case 'pending':
        return;
      case 'agreed':
        if (verdict.dissenters.length > 0) env.events.emit({ type: 'digest-disagreed', plan: sequence, nodes: verdict.dissenters });
        assert(verdict.tables.every(({ birth }) => birth.sequence === sequence), `S6 what is installed for entry ${sequence} was produced for it`);
        this.#propose({ kind: 'edit', plan: sequence, removed, added: verdict.tables });
        return;
      case 'split':
        env.events.emit({ type: 'digest-disagreed', plan: sequence, nodes: verdict.nodes });
        this.#redo(sequence);
        return;
      case 'open':
        this.#awaitDecision(sequence, verdict.nodes);
        return;
      case 'failed':
        // A flush needs nothing but memory, so only a compaction can fail for want of a block.
        if (kind === 'compact') this.#propose({ kind: 'abandon', plan: sequence });
        return;
    }
  }

  /** All data up to `through` is to be in tables soon, however little it is. */
  flush(through: LogIndex): void {
    this.#through = Math.max(this.#through, through);
  }

  #seal(): void {
    const { tree, state, membership } = this.#parts;
    const current = state.settings;
    const { seals, flushed } = tree.latest;
    if (!current || seals.length >= MAX_SEALS) return;
    if (tree.memtableBytes < current.memtableBytes && (seals.at(-1) ?? flushed).index >= this.#through) return;
    this.#propose({ kind: 'seal', proposer: membership.self, format: current.format });
  }

  #plan(): void {
    const { tree, state, membership, healing } = this.#parts;
    const current = state.settings;
    if (!current || tree.latest.plans.length >= MAX_PLANS || this.#underway.has('plan')) return;
    const choice = this.#picker.pick({
      manifest: tree.latest, settings: current, proposer: membership.self, gcRevision: state.kv.compactRevision,
      systemKeys: state.kv.leases.systemKeys,
      blocked: { has: (table) => healing.blocked(table) },
    });
    if (choice.kind !== 'plan') return;
    assert(choice.op.proposer === membership.self && choice.op.inputs.length > 0, 'S3 a leader plans in its own name, and for some tables');
    for (const { id } of choice.op.inputs) {
      assert(tree.latest.has(id) && !tree.latest.isBusy(id), `S5 a plan takes live tables that no other one has: ${id}`);
    }
    this.#propose(choice.op);
  }

  #propose(op: TreeOp): void {
    const key = keyOf(op);
    if (this.#underway.has(key)) return;
    if (this.#parts.proposer.propose(op)) this.#underway.add(key);
  }

  /**
   * The others may be slow, or gone for long: they are waited for, and then it is produced again.
   * H4: nothing waits for ever for a member that is down.
   */
  #awaitDecision(sequence: LogIndex, nodes: readonly NodeId[]): void {
    const { env } = this.#parts;
    const now = env.clock.now();
    const since = this.#open.get(sequence);
    if (since === undefined) {
      this.#open.set(sequence, now);
      env.events.emit({ type: 'digest-disagreed', plan: sequence, nodes });
    } else if (now - since >= PATIENCE_MS) this.#redo(sequence);
  }

  /** All members produce it again. */
  #redo(sequence: LogIndex): void {
    assert(this.#parts.leadership.isLeader, 'S3 only the leader has something produced again');
    const { env, membership, executor, agreement } = this.#parts;
    this.#open.delete(sequence);
    agreement.forget(sequence);
    const body = frame(FRAME_REDO, new ByteWriter(8).varint(sequence).finish());
    for (const peer of membership.peers) env.network.send(peer, body);
    executor.redo(sequence);
  }
}

function keyOf(op: TreeOp): string {
  switch (op.kind) {
    case 'seal':
    case 'plan':
      return op.kind;
    case 'edit':
    case 'abandon':
      return `settle ${op.plan}`;
    case 'heal-edit':
      return `heal ${op.removed.id}`;
  }
}
