/**
 * `kintsugi sim`: the whole cluster in one process, driven by a seed. Exit codes: 0 all passed; of
 * a single seed 127 crash, 128 liveness, 129 correctness; 1 failures among many seeds, or a report
 * with a hole; 2 wrong usage.
 */

import { Command, CommanderError } from 'commander';
import type { Io } from '../ctl/context.js';
import { processIo } from '../ctl/process-io.js';
import { processHost, type SimHost } from './host.js';
import { runCoverage, runMany, runRegressions, runShrink } from './many.js';
import { parseIds, parseProfile, parseSecondsUs, parseSeeds, parseWhole, UsageFault } from './options.js';
import { runOne } from './one.js';

/** As commander gives them. */
interface Given {
  readonly seed?: string;
  readonly seeds?: string;
  readonly profile?: string;
  readonly twice?: boolean;
  readonly tape?: string | true;
  readonly only?: string;
  readonly until?: string;
  readonly shrink?: boolean;
  readonly runs?: string;
  readonly coverage?: boolean;
  readonly regressions?: string;
  readonly workers?: string;
  readonly limit: string;
  readonly failFast?: boolean;
  readonly digests?: boolean;
  readonly json?: boolean;
}

const HELP = `
Exit codes: 0 all passed. One seed: 127 crash, 128 liveness, 129 correctness. Many seeds: 1 if any failed. 2 wrong usage.

Examples:
  kintsugi sim --seed 7 --twice                  the same trace both times?
  kintsugi sim --seed 7 --tape                   a row for each event, a column for each node
  kintsugi sim --seed 7 --only 3,9 --until 90    again with two of its faults, and none after 90 s
  kintsugi sim --seed 7 --shrink                 the smallest set of faults that still fails alike
  kintsugi sim --seeds 1..500 --json             on all cores
  kintsugi sim --seeds 1..500 --coverage         which fault struck what; fails if a cell is empty
  kintsugi sim --regressions FILE                seeds that once found a bug

Profiles: table (default): all that the store must survive without fetching its log from peers. full: also damage to log and
hard state after which a node may stop with its typed error, and changes of the members; every safety check stays on. members:
as full, and members come and go all the time. With +streams (table+streams) clients also watch, and hold leases;
with +ops also backups, pauses, clocks that jump and older copies of a directory. See
SIMULATOR.md.`;

function build(io: Io): Command {
  const program = new Command('kintsugi sim').description('run a whole cluster under faults in virtual time; the same seed is the same run');
  program
    .option('--seed <n>', 'one seed')
    .option('--seeds <range>', 'many: A..B, both included, or a list such as 7,9,20..30')
    .option('--profile <name>', 'table, full or members, each also with +streams or +ops (default table; with --coverage table and full)')
    .option('--twice', 'run each seed twice and compare the traces')
    .option('--tape [file]', 'print what happens, or write it to a file (one seed)')
    .option('--only <ids>', 'only these faults of the plan, such as 3,7,9, or none (one seed)')
    .option('--until <seconds>', 'no faults after this time (one seed)')
    .option('--shrink', 'make a failing seed small')
    .option('--runs <n>', 'with --shrink: at most so many runs (default 400)')
    .option('--coverage', 'with --seeds: print which fault struck which structure, and which branches ran')
    .option('--regressions <file>', 'run the seeds of this list')
    .option('--workers <n>', 'processes (default: one for each core)')
    .option('--limit <seconds>', 'wall-clock time that a run may take; 0: any', '300')
    .option('--fail-fast', 'begin no more seeds after the first failure')
    .option('--digests', 'with --json: the trace digest of each seed')
    .option('--json', 'one JSON object on standard output')
    .addHelpText('after', HELP);
  return program.exitOverride().configureOutput({ writeOut: (text) => io.out(text), writeErr: () => undefined });
}

function refuse(given: Given, mode: string, names: readonly (keyof Given)[]): void {
  const wrong = names.find((name) => given[name] !== undefined);
  if (wrong !== undefined) throw new UsageFault(`--${wrong === 'failFast' ? 'fail-fast' : wrong} means nothing with ${mode}`);
}

/** Seconds. Timers count milliseconds in 31 bits. */
const MAX_LIMIT = 2_147_483;

function parseLimit(text: string): number {
  const limit = parseWhole('--limit', text, 0);
  if (limit > MAX_LIMIT) throw new UsageFault(`--limit is at most ${MAX_LIMIT} seconds, or 0 for none`);
  return limit;
}

async function dispatch(given: Given, io: Io, host: SimHost): Promise<number> {
  const profile = given.profile === undefined ? undefined : parseProfile(given.profile);
  const shared = {
    io, host, json: given.json === true, limitMs: parseLimit(given.limit) * 1000,
    workers: given.workers === undefined ? host.cores : parseWhole('--workers', given.workers, 1),
  };
  const ways = [given.seed, given.seeds, given.regressions].filter((way) => way !== undefined).length;
  if (ways !== 1) throw new UsageFault('one of --seed N, --seeds A..B and --regressions FILE is needed; see kintsugi sim --help');
  if (given.regressions !== undefined) {
    refuse(given, '--regressions', ['profile', 'twice', 'tape', 'only', 'until', 'shrink', 'runs', 'coverage', 'failFast', 'digests']);
    return runRegressions(shared, given.regressions);
  }
  if (given.seeds !== undefined) {
    refuse(given, '--seeds', ['tape', 'only', 'until', 'shrink', 'runs']);
    const seeds = parseSeeds(given.seeds);
    const failFast = given.failFast === true;
    if (given.coverage === true) {
      refuse(given, '--coverage', ['twice', 'digests']);
      return runCoverage(shared, seeds, profile, failFast);
    }
    return runMany(shared, seeds, profile ?? 'table', { twice: given.twice === true, failFast, digests: given.digests === true });
  }
  refuse(given, '--seed', ['coverage', 'failFast', 'digests']);
  const options = {
    seed: parseWhole('--seed', given.seed ?? '', 0), profile: profile ?? 'table',
    ...(given.only === undefined ? {} : { only: parseIds(given.only) }),
    ...(given.until === undefined ? {} : { faultsUntilUs: parseSecondsUs('--until', given.until) }),
  };
  if (given.shrink === true) {
    refuse(given, '--shrink', ['twice', 'tape']);
    return runShrink(shared, options, given.runs === undefined ? 400 : parseWhole('--runs', given.runs, 1));
  }
  refuse(given, '--seed', ['workers', 'runs']);
  if (given.json === true && given.tape === true) throw new UsageFault('with --json the tape needs a file: --tape FILE');
  return runOne({ ...shared, twice: given.twice === true, tape: given.tape }, options);
}

/** Runs the command; resolves to its exit code. */
export async function sim(args: readonly string[], io: Io = processIo(), host: SimHost = processHost()): Promise<number> {
  const program = build(io);
  try {
    if (args.length === 0) throw new UsageFault('what is to be run? --seed N or --seeds A..B; see kintsugi sim --help');
    program.parse([...args], { from: 'user' });
    return await dispatch(program.opts<Given>(), io, host);
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      io.err(`${error.message.replace(/^error:/, 'Error:')}\nSee kintsugi sim --help\n`);
      return 2;
    }
    if (error instanceof UsageFault) {
      io.err(`Error: ${error.message}\n`);
      return 2;
    }
    throw error;
  }
}
