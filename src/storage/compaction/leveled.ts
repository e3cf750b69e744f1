/**
 * Picks the next compaction, by levels, as LevelDB does: decides, and does nothing. The score of
 * level 0 is its number of tables, that of the others their bytes, against a target; the level with
 * the highest score goes first, busy and blocked tables are passed over, and the plan is valid for
 * the version that was asked about. A pure function: every leader decides alike. Its work is linear
 * in the tables: what overlaps is looked up, not compared.
 */

import { assert, must } from '../../base/assert.js';
import type { NodeId, TableId } from '../../base/ids.js';
import { LEVELS, type TableFormat, type TreeSettings } from '../base/settings.js';
import type { Version } from '../version/version.js';
import { judgePlan, MAX_PLAN_INPUTS, type PlanOp } from '../version/plan-validity.js';
import { SpanUnion, stretchOf } from '../version/span-search.js';
import { spanOf } from '../table/key-span.js';
import type { TableMeta } from '../table/table-meta.js';
import { isBottom, isGarbageDue } from './garbage.js';

export type PlanChoice =
  | { readonly kind: 'plan'; readonly op: PlanOp; readonly why: string }
  | { readonly kind: 'none' };

export interface PickerInput {
  readonly manifest: Version;
  readonly settings: TreeSettings;
  readonly proposer: NodeId;
  /** Versions that are not the newest at or below it may go: the compact revision. */
  readonly gcRevision: number;
  /** System keys that there may be besides the few of the state itself. Default: none. */
  readonly systemKeys?: number;
  /** Tables that must not be inputs (their blocks are lost): a set, or what answers for one. */
  readonly blocked: Pick<ReadonlySet<TableId>, 'has'>;
}

/**
 * A compaction that would have more outputs makes them larger. With the longest keys the bounds of
 * so many are 32 MiB: half of what an entry holds.
 */
const MANY_OUTPUTS = 128;

/** Ask again after each plan that was applied: several may be pending if they do not overlap. */
export function pickLeveled(input: PickerInput): PlanChoice {
  const { manifest, settings } = input;
  const free = (table: TableMeta): boolean => !manifest.isBusy(table.id) && !input.blocked.has(table.id);
  for (const { level, score } of dueLevels(manifest, settings)) {
    const why = `level ${level} is at ${score.toFixed(2)} of its target`;
    const op = level === 0 ? pickLevel0(input, free) : pickDeeper(input, level, free);
    if (op !== undefined) return { kind: 'plan', op, why };
  }
  const op = pickGarbage(input, free);
  return op === undefined ? { kind: 'none' } : { kind: 'plan', op, why: 'versions that may go' };
}

/** Bytes that a level should hold at most. */
export function targetBytes(settings: TreeSettings, level: number): number {
  assert(level >= 1, 'level 0 is measured by its number of tables');
  return settings.level1Bytes * settings.levelRatio ** (level - 1);
}

/**
 * Levels at or above their target, highest score first. Busy tables are on their way out and do not
 * count.
 */
function dueLevels(manifest: Version, settings: TreeSettings): { level: number; score: number }[] {
  const due: { level: number; score: number }[] = [];
  for (let level = 0; level < LEVELS - 1; level++) {
    const tables = manifest.level(level).filter((table) => !manifest.isBusy(table.id));
    const score = level === 0
      ? tables.length / settings.level0Tables
      : tables.reduce((sum, table) => sum + table.bytes, 0) / targetBytes(settings, level);
    if (score >= 1) due.push({ level, score });
  }
  return due.sort((a, b) => b.score - a.score || a.level - b.level);
}

/** The oldest tables of level 0, as many as can go; each needs all older ones that it overlaps. */
function oldestOfLevel0({ manifest }: PickerInput, free: (table: TableMeta) => boolean): TableMeta[] {
  const tables = manifest.level(0);
  const taken: TableMeta[] = [];
  const left = new SpanUnion();
  for (let i = tables.length - 1; i >= 0; i--) {
    const table = tables[i] as TableMeta;
    if (free(table) && !left.meets(table)) taken.push(table);
    else left.add(table);
  }
  return taken;
}

function pickLevel0(input: PickerInput, free: (table: TableMeta) => boolean): PlanOp | undefined {
  const taken = oldestOfLevel0(input, free);
  // All at once if possible; else fewer, down to the oldest alone.
  for (let n = taken.length; n > 0; n = n >> 1) {
    const op = planInto(input, taken.slice(0, n), 1, free);
    if (op !== undefined) return op;
  }
  return undefined;
}

/** The table that overlaps the fewest bytes of the next level, for each byte of its own. */
function pickDeeper(input: PickerInput, level: number, free: (table: TableMeta) => boolean): PlanOp | undefined {
  const below = input.manifest.level(level + 1);
  const candidates: { readonly table: TableMeta; readonly cost: number }[] = [];
  for (const table of input.manifest.level(level)) {
    if (!free(table)) continue;
    const { from, to } = stretchOf(below, table);
    let dragged = 0;
    for (let i = from; i < to; i++) dragged += (below[i] as TableMeta).bytes;
    candidates.push({ table, cost: dragged / Math.max(1, table.bytes) });
  }
  candidates.sort((a, b) => a.cost - b.cost || a.table.id - b.table.id);
  for (const { table } of candidates) {
    const op = planInto(input, [table], level + 1, free);
    if (op !== undefined) return op;
  }
  return undefined;
}

/**
 * Tables much of which may go, the deepest first: with nothing below, in their own level; over
 * tables with nothing below, together with those.
 */
function pickGarbage(input: PickerInput, free: (table: TableMeta) => boolean): PlanOp | undefined {
  const { manifest } = input;
  for (let level = LEVELS - 1; level > 0; level--) {
    for (const table of manifest.level(level)) {
      if (table.maxRevision > input.gcRevision || !free(table)) continue;
      const op = planGarbage(input, [table], isBottom(manifest, level, table) ? level : level + 1, free);
      if (op !== undefined) return op;
    }
  }
  const oldest = oldestOfLevel0(input, free).filter(({ maxRevision }) => maxRevision <= input.gcRevision);
  return oldest.length === 0 ? undefined : planGarbage(input, oldest, 1, free);
}

function planGarbage(
  input: PickerInput, tables: readonly TableMeta[], outputLevel: number, free: (table: TableMeta) => boolean,
): PlanOp | undefined {
  if (outputLevel >= LEVELS) return undefined;
  const inputs = inputsInto(input, tables, outputLevel);
  if (!isGarbageDue(inputs, input.gcRevision, input.systemKeys)) return undefined;
  if (!isBottom(input.manifest, outputLevel, must(spanOf(inputs), 'S3 a plan has inputs'))) return undefined;
  return planInto(input, tables, outputLevel, free);
}

/** C1 The outputs' bounds fit into one entry of the log, however long keys are. */
function formatFor({ format }: TreeSettings, inputs: ReadonlySet<TableMeta>): TableFormat {
  let bytes = 0;
  for (const table of inputs) bytes += table.bytes;
  const tableBytes = Math.max(format.tableBytes, Math.ceil(bytes / MANY_OUTPUTS));
  return tableBytes === format.tableBytes ? format : { ...format, tableBytes };
}

/** These tables and all of the output level that they span. */
function inputsInto({ manifest }: PickerInput, tables: readonly TableMeta[], outputLevel: number): TableMeta[] {
  const span = must(spanOf(tables), 'S3 a plan has inputs');
  // What is added may span further, but nothing of a sorted level lies in between.
  const level = manifest.level(outputLevel);
  const { from, to } = stretchOf(level, span);
  return [...new Set([...tables, ...level.slice(from, to)])];
}

/** Undefined if some of the inputs are taken, or nothing may be planned. */
function planInto(
  input: PickerInput, tables: readonly TableMeta[], outputLevel: number, free: (table: TableMeta) => boolean,
): PlanOp | undefined {
  const chosen = new Set(inputsInto(input, tables, outputLevel));
  if (chosen.size > MAX_PLAN_INPUTS) return undefined;
  for (const table of chosen) if (!free(table)) return undefined;
  const op: PlanOp = {
    kind: 'plan',
    proposer: input.proposer,
    purpose: 'compact',
    inputs: [...chosen].map((table) => ({ id: table.id, digest: table.fileDigest })),
    outputLevel,
    gcRevision: input.gcRevision,
    format: formatFor(input.settings, chosen),
  };
  return judgePlan(input.manifest, op).kind === 'valid' ? op : undefined;
}
