/**
 * S3: the leader's part in shaping the tree. It decides when to seal and what to compact, and turns agreed reports into
 * edits. It keeps no state that a new leader would miss: pending plans are replicated, reports are sent again.
 */

import type { EventSink } from '../../base/events.js';
import type { LogIndex, NodeId, TableId } from '../../base/ids.js';
import { pickLeveled } from '../../storage/compaction/leveled.js';
import type { TreeSettings } from '../../storage/base/settings.js';
import type { Tree } from '../../storage/tree/tree.js';
import type { TreeOp } from '../../storage/version/tree-op.js';
import type { Agreement } from './agreement.js';

export interface PlannerOptions {
  readonly self: NodeId;
  readonly tree: Tree;
  readonly agreement: Agreement;
  readonly events: EventSink;
  readonly canPropose: () => boolean;
  readonly propose: (op: TreeOp) => boolean;
  /** Undefined until the bootstrap entry is applied. */
  readonly settings: () => TreeSettings | undefined;
  readonly gcRevision: () => number;
  readonly blocked: (table: TableId) => boolean;
  /** Asks all members to produce a plan again. */
  readonly redo: (plan: LogIndex) => void;
}

/** Sealed memtables that may wait for their flush before the leader stops sealing. */
const MAX_SEALS = 3;
const MAX_PLANS = 1;

export class Planner {
  readonly #options: PlannerOptions;
  /** Ops in the log that are not applied yet: not to be proposed twice. */
  readonly #underway = new Set<string>();

  constructor(options: PlannerOptions) {
    this.#options = options;
  }

  /** A tree op was applied, whoever proposed it. */
  applied(op: TreeOp): void {
    this.#underway.delete(keyOf(op));
  }

  /** What the last leader had in the log may never be applied. */
  leadershipChanged(): void {
    this.#underway.clear();
  }

  /** Proposes whatever is due. Called after entries were applied, when a report came in, and on a timer. */
  step(): void {
    if (!this.#options.canPropose()) return;
    this.#edits();
    this.#seal();
    this.#plan();
  }

  #edits(): void {
    const { tree } = this.#options;
    const { seals, plans } = tree.latest;
    const oldest = seals[0];
    if (oldest) this.#settle(oldest.index, 'flush', []);
    for (const plan of plans) this.#settle(plan.index, 'compact', plan.inputs);
  }

  #settle(plan: LogIndex, kind: 'flush' | 'compact', removed: Extract<TreeOp, { kind: 'edit' }>['removed']): void {
    const { agreement, events, redo } = this.#options;
    const verdict = agreement.verdict(plan);
    switch (verdict.kind) {
      case 'pending':
        return;
      case 'agreed':
        if (verdict.dissenters.length > 0) events.emit({ type: 'digest-disagreed', plan, nodes: verdict.dissenters });
        this.#propose({ kind: 'edit', plan, removed, added: verdict.tables });
        return;
      case 'split':
        events.emit({ type: 'digest-disagreed', plan, nodes: verdict.nodes });
        agreement.forget(plan);
        redo(plan);
        return;
      case 'failed':
        // A flush needs nothing but memory, so only a compaction can fail for want of a block.
        if (kind === 'compact') this.#propose({ kind: 'abandon', plan });
        return;
    }
  }

  #seal(): void {
    const { tree, settings, self } = this.#options;
    const current = settings();
    if (!current || tree.memtableBytes < current.memtableBytes || tree.latest.seals.length >= MAX_SEALS) return;
    this.#propose({ kind: 'seal', proposer: self, format: current.format });
  }

  #plan(): void {
    const { tree, settings, self, gcRevision, blocked } = this.#options;
    const current = settings();
    if (!current || tree.latest.plans.length >= MAX_PLANS || this.#underway.has('plan')) return;
    const choice = pickLeveled({ manifest: tree.latest, settings: current, proposer: self, gcRevision: gcRevision(), blocked });
    if (choice.kind === 'plan') this.#propose(choice.op);
  }

  #propose(op: TreeOp): void {
    const key = keyOf(op);
    if (this.#underway.has(key)) return;
    if (this.#options.propose(op)) this.#underway.add(key);
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
