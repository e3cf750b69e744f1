/**
 * A failing seed made small: fewer faults, and an earlier end of them, while the same check still
 * fails. Streams of chance belong to single faults, so that the others stay what they were when one
 * is left out. A case is only taken if a run of it failed; runs are bounded, and what was reached
 * when they are spent is the answer.
 */

import type { FaultAction } from '../../sim/model/fault.js';
import type { SimOptions, SimResult, Violation } from '../../sim/model/result.js';
import { ddmin, type FirstFailing } from './ddmin.js';
import type { Pool } from './pool.js';

export interface Shrunk {
  /** The seed itself. */
  readonly whole: SimResult;
  /** Fails as the seed does. */
  readonly options: SimOptions;
  readonly result: SimResult;
  readonly violation: Violation;
  readonly kept: readonly FaultAction[];
  /** No single fault can be left out; false: the runs were spent. */
  readonly minimal: boolean;
  readonly runs: number;
}

export interface ShrinkLimits {
  readonly maxRuns: number;
  readonly say: (text: string) => void;
}

/** Halvings of the time in which the faults end. */
const HALVINGS = 7;

interface Case {
  readonly ids: readonly number[];
  readonly untilUs: number;
}

class Shrinker {
  readonly #pool: Pool;
  readonly #base: SimOptions;
  readonly #check: string;
  readonly #limits: ShrinkLimits;
  #best: { readonly options: SimOptions; readonly result: SimResult };
  runs = 1;

  constructor(pool: Pool, base: SimOptions, whole: SimResult, check: string, limits: ShrinkLimits) {
    this.#pool = pool;
    this.#base = base;
    this.#check = check;
    this.#limits = limits;
    this.#best = { options: base, result: whole };
  }

  get best(): { readonly options: SimOptions; readonly result: SimResult } {
    return this.#best;
  }

  violationOf(result: SimResult): Violation | undefined {
    return result.violations.find((violation) => violation.check === this.#check);
  }

  /** In waves as wide as the pool. */
  async firstFailing(cases: readonly Case[]): Promise<number | 'none' | 'spent'> {
    for (let at = 0; at < cases.length; at += this.#pool.workers) {
      const left = this.#limits.maxRuns - this.runs;
      if (left <= 0) return 'spent';
      const wave = cases.slice(at, at + Math.min(this.#pool.workers, left));
      this.runs += wave.length;
      const runs = await Promise.all(wave.map((one) => this.#pool.run(this.#optionsOf(one))));
      const found = runs.findIndex((run) => this.violationOf(run.result) !== undefined);
      const run = runs[found];
      if (run !== undefined) {
        this.#best = { options: run.options, result: run.result };
        const taken = wave[found] as Case;
        const end = taken.untilUs === NEVER_US ? '' : `, none after ${Math.round(taken.untilUs / 1e6)} s`;
        this.#limits.say(`run ${this.runs}: still fails with ${taken.ids.length} ${taken.ids.length === 1 ? 'fault' : 'faults'}${end}`);
        return at + found;
      }
    }
    return 'none';
  }

  #optionsOf({ ids, untilUs }: Case): SimOptions {
    const { seed, profile } = this.#base;
    return { seed, profile, only: ids, ...(untilUs === NEVER_US ? {} : { faultsUntilUs: untilUs }) };
  }
}

/** No end of its own. */
const NEVER_US = Infinity;

/** The seed passes. */
export interface NotShrunk {
  readonly whole: SimResult;
  readonly options: undefined;
}

export async function shrink(pool: Pool, base: SimOptions, limits: ShrinkLimits): Promise<Shrunk | NotShrunk> {
  const { result: whole } = await pool.run(base);
  const first = whole.violations[0];
  if (first === undefined) return { whole, options: undefined };
  limits.say(`run 1: ${whole.plan.length} faults planned; fails at ${(first.atUs / 1e6).toFixed(3)} s: ${first.check}`);
  const shrinker = new Shrinker(pool, base, whole, first.check, limits);
  const allowed = new Set(base.only ?? whole.plan.map((action) => action.id));
  const plan = whole.plan.filter((action) => allowed.has(action.id));
  const before = (ids: readonly number[], us: number): number[] => plan.filter((a) => a.atUs < us && ids.includes(a.id)).map((a) => a.id);

  let ids: readonly number[] = plan.map((action) => action.id);
  let untilUs = base.faultsUntilUs ?? NEVER_US;
  const end = async (): Promise<boolean> => {
    const from = plan.find((action) => ids.includes(action.id))?.atUs ?? 0;
    const to = Math.min(untilUs, Math.round(whole.simSeconds * 1e6));
    const sooner = await earlierEnd(shrinker, (us) => ({ ids: before(ids, us), untilUs: us }), from, to);
    if (sooner >= to) return false;
    ids = before(ids, sooner);
    untilUs = sooner;
    return true;
  };
  const fewer: FirstFailing<number> = (candidates) => shrinker.firstFailing(candidates.map((some) => ({ ids: some, untilUs })));

  // Faults that came after the failure did not cause it.
  const afterUs = Math.ceil((first.atUs + 1) / 1000) * 1000;
  if (afterUs < untilUs && (await shrinker.firstFailing([{ ids: before(ids, afterUs), untilUs: afterUs }])) === 0) {
    ids = before(ids, afterUs);
    untilUs = afterUs;
  }
  await end();
  let minimized = await ddmin(ids, fewer);
  ids = minimized.kept;
  if (await end()) minimized = await ddmin(ids, fewer);
  const { options, result } = shrinker.best;
  const kept = new Set(options.only ?? allowed);
  return {
    whole, options, result, violation: shrinker.violationOf(result) ?? first, kept: plan.filter((action) => kept.has(action.id)),
    minimal: minimized.minimal, runs: shrinker.runs,
  };
}

/** The earliest end that fails, to within a few percent of the run. */
async function earlierEnd(shrinker: Shrinker, caseOf: (untilUs: number) => Case, fromUs: number, untilUs: number): Promise<number> {
  let low = fromUs;
  let high = untilUs;
  for (let i = 0; i < HALVINGS && high - low > 1_000_000; i++) {
    const middle = Math.ceil((low + high) / 2 / 1000) * 1000;
    const found = await shrinker.firstFailing([caseOf(middle)]);
    if (found === 'spent') break;
    if (found === 0) high = middle;
    else low = middle;
  }
  return high;
}
