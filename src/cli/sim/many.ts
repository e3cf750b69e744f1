/**
 * Many runs over worker processes: a range, the coverage of a range, the list of regressions, the
 * shrinking of one seed.
 */

import { hasOps, type SimProfile } from '../../sim/model/profile.js';
import type { SimOptions } from '../../sim/model/result.js';
import type { Io } from '../ctl/context.js';
import { formatSeconds, plainTable } from '../render/table.js';
import { Progress, runBatch } from './batch.js';
import { coverageReport, coverageText } from './coverage-report.js';
import type { SimHost } from './host.js';
import { formatSecondsUs } from './options.js';
import { Pool } from './pool.js';
import { loadRegressions, optionsOf } from './regressions.js';
import { replayCommand, replayFlags } from './replay.js';
import { shrink, type Shrunk } from './shrink.js';
import { Summary, violationLine } from './summary.js';

export interface ManyTools {
  readonly io: Io;
  readonly host: SimHost;
  readonly json: boolean;
  readonly workers: number;
  readonly limitMs: number;
}

/** The pool is closed on every way out. */
async function withPool<T>(tools: ManyTools, jobs: number, body: (pool: Pool) => Promise<T>): Promise<T> {
  const pool = new Pool({ workers: Math.max(1, Math.min(tools.workers, jobs)), limitMs: tools.limitMs, module: tools.host.module });
  try {
    return await body(pool);
  } finally {
    pool.close();
  }
}

const printJson = (io: Io, value: unknown): void => io.out(`${JSON.stringify(value)}\n`);

function* optionsFor(seeds: readonly number[], profile: SimProfile): Generator<SimOptions> {
  for (const seed of seeds) yield { seed, profile };
}

interface RangeFlags {
  readonly twice: boolean;
  readonly failFast: boolean;
}

interface Ran {
  readonly summary: Summary;
  readonly wallMs: number;
}

async function runRange(tools: ManyTools, seeds: readonly number[], profile: SimProfile, flags: RangeFlags): Promise<Ran> {
  const began = performance.now();
  const summary = new Summary(profile);
  const progress = new Progress(seeds.length, tools.host.tty, (text) => tools.io.err(text));
  await withPool(tools, seeds.length, (pool) => runBatch(pool, optionsFor(seeds, profile), {
    ...flags,
    onRun: (run) => {
      summary.add(run);
      progress.add(run);
    },
  }));
  progress.end();
  return { summary, wallMs: performance.now() - began };
}

export async function runMany(
  tools: ManyTools, seeds: readonly number[], profile: SimProfile, flags: RangeFlags & { readonly digests: boolean },
): Promise<number> {
  const { summary, wallMs } = await runRange(tools, seeds, profile, flags);
  if (tools.json) printJson(tools.io, summary.toObject(wallMs, flags.digests));
  else tools.io.out(`${summary.table(wallMs)}${summary.failed.length === 0 ? 'PASS\n' : 'FAIL\n'}`);
  return summary.failed.length === 0 ? 0 : 1;
}

/**
 * Without a profile: `table` first, and the same seeds in `full` if cells are still empty (damage
 * that `table` must spare).
 */
export async function runCoverage(
  tools: ManyTools, seeds: readonly number[], profile: SimProfile | undefined, failFast: boolean,
): Promise<number> {
  const { io, host } = tools;
  const impossible = await host.impossible();
  const began = performance.now();
  const counts = new Map<string, number>();
  const summaries: Summary[] = [];
  const ops = profile !== undefined && hasOps(profile);
  let report = coverageReport(counts, impossible, ops);
  for (const each of profile === undefined ? (['table', 'full'] as const) : [profile]) {
    if (summaries.length > 0 && report.empty.length === 0) break;
    if (summaries.length > 0) io.err(`${report.empty.length} cells are empty after profile ${summaries[0]?.profile}: on with profile ${each}\n`);
    const { summary } = await runRange(tools, seeds, each, { twice: false, failFast });
    summaries.push(summary);
    for (const [name, n] of summary.coverage) counts.set(name, (counts.get(name) ?? 0) + n);
    report = coverageReport(counts, impossible, ops);
  }
  const failed = summaries.reduce((n, summary) => n + summary.failed.length, 0);
  const passed = failed === 0 && report.empty.length === 0 && report.contradicted.length === 0;
  if (tools.json) {
    printJson(io, {
      passed, profiles: summaries.map((summary) => summary.profile), seeds: summaries.reduce((n, summary) => n + summary.runs, 0),
      wallSeconds: Math.round(performance.now() - began) / 1000,
      failed: summaries.flatMap(({ failed: seedsOf }) => seedsOf.map(({ options, violations }) => ({ ...options, violations }))),
      impossible, ...report,
    });
  } else {
    const ran = summaries.map((summary) => `${summary.runs} seeds of profile ${summary.profile}`).join(', ');
    io.out(`${coverageText(report, impossible)}${ran}, ${formatSeconds(performance.now() - began)}\n`);
    io.out(`${summaries.map((summary) => summary.failures()).join('')}${passed ? 'PASS\n' : 'FAIL\n'}`);
  }
  return passed ? 0 : 1;
}

export async function runRegressions(tools: ManyTools, path: string): Promise<number> {
  const { io } = tools;
  const list = loadRegressions(path);
  const began = performance.now();
  const progress = new Progress(list.length, tools.host.tty, (text) => io.err(text));
  const runs = await withPool(tools, list.length, (pool) => Promise.all(list.map(async (entry) => {
    const run = await pool.run(optionsOf(entry));
    progress.add(run);
    return { entry, run };
  })));
  progress.end();
  const failed = runs.filter(({ run }) => !run.result.passed);
  if (tools.json) {
    printJson(io, {
      regressions: runs.length, passed: runs.length - failed.length, wallSeconds: Math.round(performance.now() - began) / 1000,
      failed: failed.map(({ entry, run }) => ({ ...entry, violations: run.result.violations })),
    });
    return failed.length === 0 ? 0 : 1;
  }
  const rows = runs.map(({ entry, run }) => [run.result.passed ? 'pass' : 'FAIL', replayFlags(run.options), entry.check, entry.fixedBy]);
  if (rows.length > 0) io.out(plainTable(['', 'seed', 'it found', 'fixed by'], rows));
  for (const { entry, run } of failed) {
    const first = run.result.violations[0];
    io.out(`\n${replayCommand(run.options, '--tape')}\n  then: ${entry.found}\n  now:  ${first === undefined ? 'no reason is given' : violationLine(first)}\n`);
  }
  io.out(`${runs.length - failed.length} of ${runs.length} regressions pass\n`);
  return failed.length === 0 ? 0 : 1;
}

/** 0: it is smaller now, and fails alike. 1: the seed passes. */
export async function runShrink(tools: ManyTools, options: SimOptions, maxRuns: number): Promise<number> {
  const { io } = tools;
  const say = (text: string): void => io.err(`${text}\n`);
  const shrunk = await withPool(tools, tools.workers, (pool) => shrink(pool, options, { maxRuns, say }));
  if (shrunk.options === undefined) {
    if (tools.json) printJson(io, { seed: options.seed, profile: options.profile, failed: false });
    else io.out(`seed ${options.seed} passes: there is nothing to shrink\n`);
    return 1;
  }
  if (tools.json) {
    const { violation, kept, minimal, runs, whole } = shrunk;
    printJson(io, { ...shrunk.options, failed: true, violation, kept, planned: whole.plan.length, minimal, runs, command: replayCommand(shrunk.options, '--tape') });
  } else io.out(shrunkText(shrunk));
  return 0;
}

function shrunkText(shrunk: Shrunk): string {
  const { whole, kept, violation, minimal, runs, options } = shrunk;
  const rows = kept.map((action) => [action.id, formatSecondsUs(action.atUs), action.class, action.kind]);
  const end = options.faultsUntilUs === undefined ? '' : `, none after ${formatSecondsUs(options.faultsUntilUs)} s`;
  const sure = minimal ? 'none of them can be left out' : 'the runs were spent: maybe fewer would do (--runs)';
  return [
    `\n${kept.length} of ${whole.plan.length} faults${end}, after ${runs} runs; ${sure}\n`,
    kept.length === 0 ? 'It fails without any fault.\n' : plainTable(['id', 'second', 'class', 'fault'], rows, '  '),
    `\n${violationLine(violation)}\n`,
    `\n${replayCommand(options, '--tape')}\n`,
  ].join('');
}
