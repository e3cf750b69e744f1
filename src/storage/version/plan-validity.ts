/**
 * When a plan may become pending. Two rules keep every read order right, whatever else is pending:
 *
 * - a live table that shares keys with an input, is not an input and lies at or above the output
 *   level must be newer than that input, or older data would come to lie above newer;
 * - nothing else may be, or be about to be, in the output level within the span of the inputs, or
 *   levels would overlap.
 */

import { assert, must } from '../../base/assert.js';
import { LEVELS } from '../base/settings.js';
import type { TreeOp } from './tree-op.js';
import type { PendingPlan } from './pending.js';
import type { Located, Version } from './version.js';
import { meetsLevel, SpanUnion, stretchOf } from './span-search.js';
import { overlaps, spanOf, type KeySpan } from '../table/key-span.js';
import type { TableMeta } from '../table/table-meta.js';

export const MAX_PENDING_PLANS = 256;
export const MAX_PLAN_INPUTS = 4096;

export type PlanOp = Extract<TreeOp, { kind: 'plan' }>;

/** What a valid plan comes to; `bottommost` as in PendingPlan. */
type PlanVerdict =
  | { readonly kind: 'valid'; readonly bottommost: boolean }
  | { readonly kind: 'refused'; readonly why: string };

const refused = (why: string): PlanVerdict => ({ kind: 'refused', why });

/** A pure function of the manifest and the op. */
export function judgePlan(manifest: Version, op: PlanOp): PlanVerdict {
  if (manifest.plans.length >= MAX_PENDING_PLANS) return refused('too many pending plans');
  if (op.inputs.length === 0 || op.inputs.length > MAX_PLAN_INPUTS) return refused(`${op.inputs.length} inputs`);
  const live = manifest.located();
  const inputs = new Map<number, Located>();
  for (const ref of op.inputs) {
    const found = live.get(ref.id);
    if (found === undefined) return refused(`input ${ref.id} is not live`);
    if (found.meta.fileDigest !== ref.digest) return refused(`input ${ref.id} has another digest`);
    if (manifest.isBusy(ref.id)) return refused(`input ${ref.id} is busy`);
    if (inputs.has(ref.id)) return refused(`input ${ref.id} twice`);
    inputs.set(ref.id, found);
  }
  const shape = shapeProblem(op, [...inputs.values()]);
  if (shape !== undefined) return refused(shape);
  assert(inputs.size === op.inputs.length, 'S3 each input is named once');
  const span = must(spanOf([...inputs.values()].map(({ meta }) => meta)), 'S3 a plan has inputs');
  const order = orderProblem(manifest, op, inputs, span, live);
  if (order !== undefined) return refused(order);
  return { kind: 'valid', bottommost: op.purpose === 'compact' && isBottommost(manifest, op.outputLevel, span) };
}

function shapeProblem(op: PlanOp, inputs: readonly Located[]): string | undefined {
  const deepest = inputs.reduce((level, input) => Math.max(level, input.level), 0);
  if (op.purpose === 'rewrite') {
    if (inputs.length !== 1 || deepest !== op.outputLevel) return 'a rewrite has one input and keeps its level';
    return op.gcRevision === 0 ? undefined : 'a rewrite drops nothing';
  }
  if (!Number.isInteger(op.outputLevel) || op.outputLevel < 1 || op.outputLevel >= LEVELS) return `output level ${op.outputLevel}`;
  return deepest <= op.outputLevel ? undefined : `an input of level ${deepest} below output level ${op.outputLevel}`;
}

function orderProblem(
  manifest: Version, op: PlanOp, inputs: ReadonlyMap<number, Located>, span: KeySpan, live: ReadonlyMap<number, Located>,
): string | undefined {
  const isOther = ({ id }: TableMeta): boolean => !inputs.has(id);
  if (op.outputLevel > 0) {
    const other = findIn(manifest.level(op.outputLevel), [span], isOther);
    if (other !== undefined) return `table ${other.id} of the output level overlaps the inputs`;
  }
  const older = op.purpose === 'rewrite' ? undefined : olderThanInputs(manifest, op, inputs, isOther);
  if (older !== undefined) return `table ${older.id} is older than inputs that it overlaps`;
  for (const plan of manifest.plans) {
    if (plan.outputLevel === op.outputLevel && overlaps(planSpan(plan, live), span)) {
      return `plan ${plan.index} is about to write the same span`;
    }
  }
  return undefined;
}

/**
 * A live table at or above the output level that shares keys with an input, is none, and is not
 * newer. Level by level: what the inputs above it cover is looked up in each.
 */
function olderThanInputs(
  manifest: Version, op: PlanOp, inputs: ReadonlyMap<number, Located>, isOther: (table: TableMeta) => boolean,
): TableMeta | undefined {
  const above = new SpanUnion();
  // In level 0 an input is above what stands behind it.
  for (const table of manifest.level(0)) {
    if (!isOther(table)) above.add(table);
    else if (above.meets(table)) return table;
  }
  for (let level = 1; level <= op.outputLevel; level++) {
    const found = findIn(manifest.level(level), above.spans, isOther);
    if (found !== undefined) return found;
    for (const input of inputs.values()) if (input.level === level) above.add(input.meta);
  }
  return undefined;
}

/** The first of a sorted level that shares keys with one of `spans` and is as `wanted`. */
function findIn(level: readonly TableMeta[], spans: readonly KeySpan[], wanted: (table: TableMeta) => boolean): TableMeta | undefined {
  for (const span of spans) {
    const { from, to } = stretchOf(level, span);
    for (let i = from; i < to; i++) if (wanted(level[i] as TableMeta)) return level[i];
  }
  return undefined;
}

/** Inputs of a pending plan are live until its edit: nothing else may remove them. */
function planSpan(plan: PendingPlan, live: ReadonlyMap<number, Located>): KeySpan {
  const inputs = plan.inputs.map(({ id }) => must(live.get(id), `S5 input ${id} of pending plan ${plan.index} is live`).meta);
  return must(spanOf(inputs), 'S3 a pending plan has inputs');
}

function isBottommost(manifest: Version, outputLevel: number, span: KeySpan): boolean {
  for (let level = outputLevel + 1; level < manifest.levels.length; level++) {
    if (meetsLevel(manifest.level(level), span)) return false;
  }
  return true;
}
