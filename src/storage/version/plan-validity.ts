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
import { overlaps, spanOf, type KeySpan } from '../table/key-span.js';

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
  for (const other of live.values()) {
    if (other.level > op.outputLevel || inputs.has(other.meta.id)) continue;
    if (other.level === op.outputLevel && op.outputLevel > 0 && overlaps(other.meta, span)) {
      return `table ${other.meta.id} of the output level overlaps the inputs`;
    }
    if (op.purpose === 'rewrite') continue;
    for (const input of inputs.values()) {
      const newer = other.level < input.level || (other.level === 0 && input.level === 0 && other.position < input.position);
      if (!newer && overlaps(other.meta, input.meta)) return `table ${other.meta.id} is older than input ${input.meta.id}`;
    }
  }
  for (const plan of manifest.plans) {
    if (plan.outputLevel === op.outputLevel && overlaps(planSpan(plan, live), span)) {
      return `plan ${plan.index} is about to write the same span`;
    }
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
    if (manifest.level(level).some((table) => overlaps(table, span))) return false;
  }
  return true;
}
