import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { utf8 } from '../../base/bytes.js';
import { comparePrefixes, encodeInternalKey } from '../base/key.js';
import { SYSTEM_SPACE, USER_SPACE } from '../base/read-view.js';
import { LEVELS, type TreeSettings } from '../base/settings.js';
import { overlaps, spanOf } from '../table/key-span.js';
import type { TableMeta } from '../table/table-meta.js';
import { SMALL_FORMAT, SMALL_SETTINGS } from '../testing/tree-harness.js';
import { judgePlan, MAX_PLAN_INPUTS, type PlanOp } from '../version/plan-validity.js';
import type { PendingPlan } from '../version/pending.js';
import { Version } from '../version/version.js';
import { pickLeveled, targetBytes, type PickerInput } from './leveled.js';

const GC = 50;

function bound(n: number): Uint8Array {
  return encodeInternalKey(n === 0 ? SYSTEM_SPACE : USER_SPACE, utf8(String(n).padStart(6, '0')), 9, 0);
}

interface Shape {
  readonly from: number;
  readonly length: number;
  readonly bytes: number;
  readonly entries: number;
  readonly garbage: number;
  readonly old: boolean;
}

function meta(id: number, { from, length, bytes, entries, garbage, old }: Shape): TableMeta {
  const digest = id.toString(16).padStart(32, '0');
  return {
    id, birth: { term: 1, proposer: 7, sequence: id, ordinal: 0 }, bytes, rootDigest: digest, fileDigest: digest,
    smallest: bound(from), largest: bound(from + length), entries, tombstones: Math.floor(garbage / 2), minRevision: 1,
    maxRevision: old ? GC : GC + 1, liveDelta: entries - garbage, scheme: SMALL_FORMAT.scheme,
  };
}

/** Level 0 as it comes; in the others what shares keys with the table before is left out. */
function versionOf(levels: readonly (readonly Shape[])[]): Version {
  let nextTableId = 1;
  const placed = levels.map((shapes, level) => {
    const tables = shapes.map((shape) => meta(nextTableId++, shape));
    if (level === 0) return tables;
    const sorted = tables.sort((a, b) => comparePrefixes(a.smallest, b.smallest));
    const kept: TableMeta[] = [];
    for (const table of sorted) if (kept.every((other) => !overlaps(other, table))) kept.push(table);
    return kept;
  });
  const all = Array.from({ length: LEVELS }, (_, level) => placed[level] ?? []);
  return Version.empty().with({ nextTableId, levels: all });
}

/** The same decisions, by the definition: every table is compared with every other. */
class Reference {
  readonly #input: PickerInput;

  constructor(input: PickerInput) {
    this.#input = input;
  }

  #free(table: TableMeta): boolean {
    return !this.#input.manifest.isBusy(table.id) && !this.#input.blocked.has(table.id);
  }

  pick(): PlanOp | undefined {
    const { manifest, settings } = this.#input;
    const due: { level: number; score: number }[] = [];
    for (let level = 0; level < LEVELS - 1; level++) {
      const tables = manifest.level(level).filter(({ id }) => !manifest.isBusy(id));
      const bytes = tables.reduce((sum, table) => sum + table.bytes, 0);
      const score = level === 0 ? tables.length / settings.level0Tables : bytes / targetBytes(settings, level);
      if (score >= 1) due.push({ level, score });
    }
    due.sort((a, b) => b.score - a.score || a.level - b.level);
    for (const { level } of due) {
      const op = level === 0 ? this.#level0() : this.#deeper(level);
      if (op !== undefined) return op;
    }
    return this.#garbage();
  }

  #oldest(): TableMeta[] {
    const taken: TableMeta[] = [];
    const left: TableMeta[] = [];
    for (const table of [...this.#input.manifest.level(0)].reverse()) {
      if (this.#free(table) && !left.some((older) => overlaps(older, table))) taken.push(table);
      else left.push(table);
    }
    return taken;
  }

  #level0(): PlanOp | undefined {
    const taken = this.#oldest();
    for (let n = taken.length; n > 0; n >>= 1) {
      const op = this.#into(taken.slice(0, n), 1);
      if (op !== undefined) return op;
    }
    return undefined;
  }

  #deeper(level: number): PlanOp | undefined {
    const below = this.#input.manifest.level(level + 1);
    const cost = (table: TableMeta): number =>
      below.reduce((sum, other) => (overlaps(other, table) ? sum + other.bytes : sum), 0) / Math.max(1, table.bytes);
    const tables = this.#input.manifest.level(level).filter((table) => this.#free(table));
    for (const table of tables.sort((a, b) => cost(a) - cost(b) || a.id - b.id)) {
      const op = this.#into([table], level + 1);
      if (op !== undefined) return op;
    }
    return undefined;
  }

  #garbage(): PlanOp | undefined {
    const { manifest, gcRevision } = this.#input;
    for (let level = LEVELS - 1; level > 0; level--) {
      for (const table of manifest.level(level)) {
        if (table.maxRevision > gcRevision || !this.#free(table)) continue;
        const op = this.#dropped([table], this.#below([table], level) ? level + 1 : level);
        if (op !== undefined) return op;
      }
    }
    const oldest = this.#oldest().filter(({ maxRevision }) => maxRevision <= gcRevision);
    return oldest.length > 0 ? this.#dropped(oldest, 1) : undefined;
  }

  #below(tables: readonly TableMeta[], level: number): boolean {
    const span = spanOf(tables);
    return this.#input.manifest.levels.slice(level + 1).flat().some((other) => span && overlaps(other, span));
  }

  /** If nothing lies below, and a quarter of all versions goes. */
  #dropped(tables: readonly TableMeta[], outputLevel: number): PlanOp | undefined {
    if (outputLevel >= LEVELS) return undefined;
    const all = this.#with(tables, outputLevel);
    const sum = (of: (table: TableMeta) => number): number => all.reduce((total, table) => total + of(table), 0);
    const entries = sum((table) => table.entries);
    const system = all.some(({ smallest }) => smallest[0] !== USER_SPACE) ? 16 : 0;
    const deletes = sum((table) => table.tombstones);
    const replaced = entries - sum((table) => table.liveDelta) - system;
    // A delete at the GC revision itself stays.
    const stay = all.some(({ maxRevision }) => maxRevision === this.#input.gcRevision);
    const garbage = stay ? Math.max(0, replaced - deletes) : Math.max(deletes, replaced);
    if (all.some(({ maxRevision }) => maxRevision > this.#input.gcRevision)) return undefined;
    if (garbage < entries / 4 || this.#below(all, outputLevel)) return undefined;
    return this.#into(tables, outputLevel);
  }

  #with(tables: readonly TableMeta[], outputLevel: number): TableMeta[] {
    const chosen = new Set(tables);
    for (let pass = 0; pass < 2; pass++) {
      const span = spanOf(chosen);
      for (const other of this.#input.manifest.level(outputLevel)) if (span && overlaps(other, span)) chosen.add(other);
    }
    return [...chosen];
  }

  #into(tables: readonly TableMeta[], outputLevel: number): PlanOp | undefined {
    const { manifest, proposer, gcRevision, settings } = this.#input;
    const chosen = this.#with(tables, outputLevel);
    if (chosen.length > MAX_PLAN_INPUTS || !chosen.every((table) => this.#free(table))) return undefined;
    const inputs = chosen.map((table) => ({ id: table.id, digest: table.fileDigest }));
    const op: PlanOp = { kind: 'plan', proposer, purpose: 'compact', inputs, outputLevel, gcRevision, format: settings.format };
    return ordered(manifest, op) ? op : undefined;
  }
}

/** The two rules of plan-validity.ts, by the definition. */
function ordered(manifest: Version, op: PlanOp): boolean {
  const live = manifest.located();
  const inputs = op.inputs.flatMap(({ id }) => live.get(id) ?? []);
  const span = spanOf(inputs.map(({ meta }) => meta));
  assert(span !== undefined);
  for (const other of live.values()) {
    if (other.level > op.outputLevel || inputs.includes(other)) continue;
    if (other.level === op.outputLevel && op.outputLevel > 0 && overlaps(other.meta, span)) return false;
    for (const input of inputs) {
      const newer = other.level < input.level || (other.level === 0 && input.level === 0 && other.position < input.position);
      if (!newer && overlaps(other.meta, input.meta)) return false;
    }
  }
  return manifest.plans.every((plan) => {
    const written = spanOf(plan.inputs.flatMap(({ id }) => live.get(id)?.meta ?? []));
    return plan.outputLevel !== op.outputLevel || written === undefined || !overlaps(written, span);
  });
}

const shape = fc.record({
  from: fc.nat(300), length: fc.nat(25), bytes: fc.integer({ min: 1000, max: 9000 }), entries: fc.integer({ min: 1, max: 40 }),
  garbage: fc.nat(20), old: fc.boolean(),
}).map((s) => ({ ...s, garbage: Math.min(s.garbage, s.entries) }));

const versions = fc.tuple(...[9, 12, 20, 30].map((maxLength) => fc.array(shape, { maxLength, size: 'max' }))).map(versionOf);

describe('pickLeveled, on versions of any shape', () => {
  it('chooses what the definition chooses, and again around what is pending and blocked', () => {
    const settings: TreeSettings = { ...SMALL_SETTINGS, level1Bytes: 12_000, levelRatio: 3 };
    let picked = 0;
    fc.assert(
      fc.property(versions, fc.array(fc.nat(70), { maxLength: 6 }), (start, lost) => {
        const blocked = new Set(lost);
        let manifest = start;
        for (let round = 1; round <= 6; round++) {
          const input = { manifest, settings, proposer: 7, gcRevision: GC, blocked };
          const choice = pickLeveled(input);
          assert.deepEqual(choice.kind === 'plan' ? choice.op : undefined, new Reference(input).pick());
          if (choice.kind === 'none') return;
          picked++;
          const { kind: _, ...planned } = choice.op;
          const plan: PendingPlan = { ...planned, index: round, term: 1, bottommost: false };
          manifest = manifest.with({ plans: [...manifest.plans, plan] });
        }
      }),
      { numRuns: 400 },
    );
    assert(picked > 400, `${picked} plans were chosen`);
  });

  it('S3 a plan of any inputs is valid if the definition says so', () => {
    let valid = 0;
    const refs = fc.array(fc.nat(70), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(versions, refs, fc.integer({ min: 1, max: 4 }), (manifest, wanted, outputLevel) => {
        const found = [...new Set(wanted)].flatMap((id) => manifest.table(id) ?? []);
        const inputs = found.map((table) => ({ id: table.id, digest: table.fileDigest }));
        const op: PlanOp = { kind: 'plan', proposer: 7, purpose: 'compact', inputs, outputLevel, gcRevision: GC, format: SMALL_FORMAT };
        if (inputs.length === 0 || found.some(({ id }) => (manifest.located().get(id)?.level ?? 0) > outputLevel)) return;
        const verdict = judgePlan(manifest, op);
        assert.equal(verdict.kind === 'valid', ordered(manifest, op));
        if (verdict.kind !== 'valid') return;
        valid++;
        const span = spanOf(found);
        const below = manifest.levels.slice(outputLevel + 1).flat();
        assert.equal(verdict.bottommost, !below.some((other) => span !== undefined && overlaps(other, span)));
      }),
      { numRuns: 600 },
    );
    assert(valid > 50, `${valid} were valid`);
  });

  it('looks at each table a few times, however many there are', () => {
    for (const count of [2_000, 16_000]) {
      let looks = 0;
      const level = (tables: number, width: number, firstId: number): TableMeta[] =>
        Array.from({ length: tables }, (_, i) => {
          const table = meta(firstId + i, { from: 1 + i * width, length: width - 1, bytes: 9000, entries: 10, garbage: 9, old: true });
          const { smallest, largest } = table;
          return { ...table, get smallest() { looks++; return smallest; }, get largest() { looks++; return largest; } };
        });
      const upper = level(count / 4, 4, 1);
      const levels = [[], [], upper, level(count, 1, count), [], [], []];
      const manifest = Version.empty().with({ nextTableId: 3 * count, levels });
      const input = { manifest, settings: SMALL_SETTINGS, proposer: 7, gcRevision: GC, blocked: { has: () => true } };
      assert.equal(pickLeveled(input).kind, 'none');
      assert.equal(pickLeveled({ ...input, blocked: new Set() }).kind, 'plan');
      assert(looks < 60 * count, `${looks} looks at ${count} tables`);
    }
  });
});
