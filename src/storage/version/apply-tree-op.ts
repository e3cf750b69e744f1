/**
 * Applies one op of the log to a version, and gives the next one. Pure, and total for any op: an op
 * that does not hold is refused, the same way on every replica, and changes nothing but `last`
 * (S3). Table ids are given out here alone, and never reused.
 */

import { assert, must, unreachable } from '../../base/assert.js';
import type { LogIndex, NodeId, TableId, Term } from '../../base/ids.js';
import { formatScheme } from '../../ecc/scheme.js';
import { minTableBytes } from '../table/footer.js';
import { comparePrefixes, isInternalKey } from '../base/key.js';
import type { TableFormat } from '../base/settings.js';
import type { PendingPlan, PendingSeal } from './pending.js';
import type { Located, LogPosition, Version } from './version.js';
import { judgePlan, MAX_PENDING_PLANS } from './plan-validity.js';
import { stretchOf } from './span-search.js';
import { isSorted, spanOf } from '../table/key-span.js';
import { sameTable, type ProducedTable, type TableMeta, type TableRef } from '../table/table-meta.js';
import type { TreeOp } from './tree-op.js';

const MAX_PENDING_SEALS = 256;
const MAX_EDIT_OUTPUTS = 4096;

/** What applying an op did. `refused` ops changed nothing but `last`. */
export type OpOutcome =
  | { readonly kind: 'sealed'; readonly seal: PendingSeal }
  | { readonly kind: 'planned'; readonly plan: PendingPlan }
  | {
      readonly kind: 'edited';
      /** Log index of the seal or plan that was carried out; undefined for a heal edit. */
      readonly sequence: LogIndex | undefined;
      readonly removed: readonly TableMeta[];
      readonly added: readonly TableMeta[];
    }
  | { readonly kind: 'abandoned'; readonly plan: PendingPlan }
  | { readonly kind: 'refused'; readonly why: string };

export interface Applied {
  readonly manifest: Version;
  readonly outcome: OpOutcome;
}

type EditOp = Extract<TreeOp, { kind: 'edit' }>;
type HealOp = Extract<TreeOp, { kind: 'heal-edit' }>;

/** `at` is the position of the op's entry, which must ascend from call to call. */
export function applyTreeOp(before: Version, op: TreeOp, at: LogPosition): Applied {
  assert(at.index > before.last.index && at.term >= before.last.term, `S1 ops apply in log order: ${at.index} after ${before.last.index}`);
  const applied = apply(before, op, at);
  checkApplied(before, applied, at);
  return applied;
}

function apply(before: Version, op: TreeOp, at: LogPosition): Applied {
  const manifest = before.with({ last: { index: at.index, term: at.term } });
  switch (op.kind) {
    case 'seal':
      return applySeal(manifest, { ...at, proposer: op.proposer, format: op.format });
    case 'plan': {
      const verdict = judgePlan(before, op);
      if (verdict.kind === 'refused') return refuse(manifest, verdict.why);
      const { purpose, proposer, inputs, outputLevel, gcRevision, format } = op;
      const { index, term } = at;
      const bottommost = verdict.bottommost;
      const plan: PendingPlan = { index, term, proposer, purpose, inputs, outputLevel, gcRevision, format, bottommost };
      return { manifest: manifest.with({ plans: [...manifest.plans, plan] }), outcome: { kind: 'planned', plan } };
    }
    case 'edit':
      return applyEdit(manifest, op);
    case 'heal-edit':
      return applyHeal(manifest, op);
    case 'abandon': {
      const plan = manifest.plan(op.plan);
      if (plan === undefined) return refuse(manifest, `plan ${op.plan} is not pending`);
      return { manifest: manifest.with({ plans: manifest.plans.filter((p) => p !== plan) }), outcome: { kind: 'abandoned', plan } };
    }
    default:
      return unreachable(op);
  }
}

/**
 * What must hold after any op. Cheap: what an edit did to its level is asserted where it is done.
 */
function checkApplied(before: Version, { manifest, outcome }: Applied, at: LogPosition): void {
  assert(manifest.last.index === at.index && manifest.last.term === at.term, 'S1 a version is as of the op that made it');
  assert(manifest.flushed.index >= before.flushed.index, 'S1 what is flushed stays flushed');
  assert(manifest.flushed.index <= manifest.last.index, 'S1 nothing is flushed that was not applied');
  const given = manifest.nextTableId - before.nextTableId;
  if (outcome.kind === 'edited') {
    const { removed, added } = outcome;
    assert(given === added.length, `S2 each table has an id of its own: ${added.length} tables, ${given} ids`);
    assert(added.every((table, i) => table.id === before.nextTableId + i), 'S2 ids ascend and are never reused');
    assert(countOf(manifest) === countOf(before) - removed.length + added.length, 'S3 an edit swaps its tables and touches no other');
  } else {
    assert(given === 0 && manifest.levels === before.levels, 'S3 only an edit changes tables');
  }
  if (outcome.kind === 'refused') assert(manifest.seals === before.seals && manifest.plans === before.plans, 'S3 a refused op is a no-op');
  assert(manifest.seals.length <= MAX_PENDING_SEALS && manifest.plans.length <= MAX_PENDING_PLANS, 'S3 what is pending is bounded');
}

function countOf({ levels }: Version): number {
  return levels.reduce((sum, tables) => sum + tables.length, 0);
}

function refuse(manifest: Version, why: string): Applied {
  return { manifest, outcome: { kind: 'refused', why } };
}

function applySeal(manifest: Version, seal: PendingSeal): Applied {
  if (manifest.seals.length >= MAX_PENDING_SEALS) return refuse(manifest, 'too many sealed memtables');
  const { index, term, proposer, format } = seal;
  const pending: PendingSeal = { index, term, proposer, format };
  assert(index > (manifest.seals.at(-1) ?? manifest.flushed).index, 'S1 seals ascend, and come after what is flushed');
  return { manifest: manifest.with({ seals: [...manifest.seals, pending] }), outcome: { kind: 'sealed', seal: pending } };
}

function applyEdit(manifest: Version, op: EditOp): Applied {
  const oldest = manifest.seals[0];
  if (oldest !== undefined && op.plan === oldest.index) return applyFlush(manifest, op, oldest);
  const plan = manifest.plan(op.plan);
  if (plan === undefined) return refuse(manifest, `${op.plan} is neither the oldest seal nor a pending plan`);
  return applyCompaction(manifest, op, plan);
}

function applyFlush(manifest: Version, op: EditOp, seal: PendingSeal): Applied {
  if (op.removed.length > 0) return refuse(manifest, 'a flush removes nothing');
  const problem = outputsProblem(op.added, seal);
  if (problem !== undefined) return refuse(manifest, problem);
  assert(seal.index > manifest.flushed.index, `S1 memtables are flushed in order: ${seal.index} after ${manifest.flushed.index}`);
  const { metas, nextTableId } = giveIds(manifest, op.added);
  const levels = manifest.levels.map((tables, level) => (level === 0 ? [...metas, ...tables] : tables));
  const flushed = { index: seal.index, term: seal.term };
  return {
    manifest: manifest.with({ nextTableId, levels, flushed, seals: manifest.seals.slice(1) }),
    outcome: { kind: 'edited', sequence: seal.index, removed: [], added: metas },
  };
}

function applyCompaction(manifest: Version, op: EditOp, plan: PendingPlan): Applied {
  const refs = op.removed;
  if (refs.length !== plan.inputs.length || !refs.every((ref, i) => sameRef(ref, plan.inputs[i]))) {
    return refuse(manifest, `removed tables are not the inputs of plan ${plan.index}`);
  }
  const live = manifest.located();
  const removed: Located[] = plan.inputs.map((ref) => must(live.get(ref.id), `S5 input ${ref.id} of pending plan ${plan.index} is live`));
  assert(removed.every(({ meta }, i) => meta.fileDigest === refs[i]?.digest), 'S5 an id names one content for ever');
  const problem = outputsProblem(op.added, plan) ?? placeProblem(manifest, op.added, plan, removed);
  if (problem !== undefined) return refuse(manifest, problem);
  const { metas, nextTableId } = giveIds(manifest, op.added);
  const gone = new Set(refs.map((ref) => ref.id));
  const levels = manifest.levels.map((tables, level) => {
    if (level !== plan.outputLevel) return tables.some((t) => gone.has(t.id)) ? tables.filter((t) => !gone.has(t.id)) : tables;
    // Level 0 is ordered by age, and only a rewrite puts anything there: in the place of its one
    // input.
    if (level === 0) return tables.flatMap((t) => (gone.has(t.id) ? metas : [t]));
    return [...tables.filter((t) => !gone.has(t.id)), ...metas].sort((a, b) => comparePrefixes(a.smallest, b.smallest));
  });
  assert(plan.outputLevel === 0 || isSorted(levels[plan.outputLevel] ?? []), `S3 level ${plan.outputLevel} is sorted and disjoint after plan ${plan.index}`);
  return {
    manifest: manifest.with({ nextTableId, levels, plans: manifest.plans.filter((p) => p !== plan) }),
    outcome: { kind: 'edited', sequence: plan.index, removed: removed.map((r) => r.meta), added: metas },
  };
}

function applyHeal(manifest: Version, op: HealOp): Applied {
  const found = manifest.located().get(op.removed.id);
  if (found === undefined) return refuse(manifest, `table ${op.removed.id} is not live`);
  if (found.meta.fileDigest !== op.removed.digest) return refuse(manifest, `table ${op.removed.id} has another digest`);
  if (manifest.isBusy(op.removed.id)) return refuse(manifest, `table ${op.removed.id} is busy`);
  const added: TableMeta = { ...found.meta, id: manifest.nextTableId };
  assert(sameTable(added, found.meta) && added.bytes === found.meta.bytes, 'H3 a heal changes the id and nothing else');
  const levels = manifest.levels.map((tables, level) =>
    level === found.level ? tables.map((t) => (t === found.meta ? added : t)) : tables);
  return {
    manifest: manifest.with({ nextTableId: manifest.nextTableId + 1, levels }),
    outcome: { kind: 'edited', sequence: undefined, removed: [found.meta], added: [added] },
  };
}

function sameRef(a: TableRef, b: TableRef | undefined): boolean {
  return b !== undefined && a.id === b.id && a.digest === b.digest;
}

interface Origin {
  readonly index: LogIndex;
  readonly term: Term;
  readonly proposer: NodeId;
  readonly format: TableFormat;
}

/** Are these the outputs of this seal or plan, in order, disjoint by user key? */
function outputsProblem(added: readonly ProducedTable[], origin: Origin): string | undefined {
  if (added.length > MAX_EDIT_OUTPUTS) return `${added.length} outputs`;
  const scheme = formatScheme(origin.format.scheme);
  let previous: ProducedTable | undefined;
  for (let i = 0; i < added.length; i++) {
    const table = added[i] as ProducedTable;
    const { sequence, ordinal, term, proposer } = table.birth;
    if (sequence !== origin.index || term !== origin.term || proposer !== origin.proposer || ordinal !== i) {
      return `output ${i} was not born of ${origin.index}`;
    }
    if (table.bytes < minTableBytes(origin.format.scheme)) return `output ${i} has ${table.bytes} bytes`;
    if (!isInternalKey(table.smallest) || !isInternalKey(table.largest)) return `output ${i} has bounds that are no keys`;
    if (comparePrefixes(table.smallest, table.largest) > 0) return `output ${i} ends before it begins`;
    if (previous !== undefined && comparePrefixes(previous.largest, table.smallest) >= 0) return `output ${i} overlaps the one before`;
    if (formatScheme(table.scheme) !== scheme) return `output ${i} has scheme ${formatScheme(table.scheme)}, planned was ${scheme}`;
    previous = table;
  }
  return undefined;
}

/** Would the outputs fit where the plan puts them? */
function placeProblem(
  manifest: Version, added: readonly ProducedTable[], plan: PendingPlan, removed: readonly Located[],
): string | undefined {
  const span = spanOf(added);
  if (span === undefined) return undefined;
  const allowed = must(spanOf(removed.map((r) => r.meta)), 'a plan has inputs');
  if (comparePrefixes(span.smallest, allowed.smallest) < 0 || comparePrefixes(span.largest, allowed.largest) > 0) {
    return 'outputs reach beyond the inputs';
  }
  if (plan.outputLevel === 0) return undefined;
  const gone = new Set(removed.map((r) => r.meta.id));
  const level = manifest.level(plan.outputLevel);
  for (const table of added) {
    const { from, to } = stretchOf(level, table);
    const hit = level.slice(from, to).find((other) => !gone.has(other.id));
    if (hit !== undefined) return `outputs overlap table ${hit.id} of level ${plan.outputLevel}`;
  }
  return undefined;
}

function giveIds(manifest: Version, added: readonly ProducedTable[]): { metas: TableMeta[]; nextTableId: TableId } {
  const metas = added.map((table, i): TableMeta => ({ ...table, id: manifest.nextTableId + i }));
  return { metas, nextTableId: manifest.nextTableId + metas.length };
}
