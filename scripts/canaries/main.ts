/**
 * `npm run sim:canaries`: bugs put in on purpose, each found again: a canary at its recorded seed,
 * a mutant by the test that it names. `--hunt`: canaries, found from scratch.
 */

import { availableParallelism } from 'node:os';
import { ensureBuilt } from '../lib/ensure-built.mjs';
import { Failure, flags, onExit, runMain, UsageError, whole } from '../lib/command.js';
import { bad, good, say, table } from '../lib/print.js';
import { CanaryError, type Canary, type Mutant, type Planted } from './canary.js';
import { typeErrors } from './check-types.js';
import { hunt, type Hunted } from './hunt.js';
import { CANARIES, MUTANTS } from './list.js';
import { buildDigest, dropCopies, makeMutant, makeSound, ROOT } from './mutant.js';
import { finds, Runs, Slots } from './runs.js';
import { State } from './state.js';
import { makeSources, runTest } from './tested.js';

const HELP = `
usage: npm run sim:canaries [-- flags]

Puts each bug of scripts/canaries/ into a copy of the built store and runs the simulator on it, at the seed that showed it before.
The same seed must pass without the bug. Mutants are bugs that a named test must find: it runs on a copy of the sources with the bug, and
without. Exit 1 if one is not found.

  --hunt           find them from scratch: seeds 1, 2, ... until one fails; goes on where it stopped (scripts/canaries/state.json)
  --again          with --hunt: also those that were found with this build
  --max N          with --hunt: seeds to try for each (default 2000)
  --only NAME      this one; may be given several times
  --seed N         run at this seed, and print what is found; nothing is recorded
  --jobs N         runs at a time (default: one for each core)
  --list           print them
  --check          do the edits still fit, and type-check?
  --no-build       take dist/ as it is
  --keep           leave the changed copies in .data/canaries/, to run them by hand (dist/cli/main.js sim --seed N --tape)
`;

const { values } = parse();

function parse(): ReturnType<typeof flagsOfThis> {
  try {
    return flagsOfThis();
  } catch (error) {
    console.error(bad(error instanceof UsageError ? error.message : String(error)));
    console.error('Try --help.');
    process.exit(2);
  }
}

function flagsOfThis() {
  return flags({
    hunt: { type: 'boolean', default: false },
    again: { type: 'boolean', default: false },
    max: { type: 'string', default: '2000' },
    only: { type: 'string', multiple: true },
    seed: { type: 'string' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    list: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    'no-build': { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h' },
  });
}

interface Chosen {
  readonly canaries: readonly Canary[];
  readonly mutants: readonly Mutant[];
}

function chosen(): Chosen {
  const { only } = values;
  if (only === undefined) return { canaries: CANARIES, mutants: MUTANTS };
  const unknown = only.find((name) => ![...CANARIES, ...MUTANTS].some((each) => each.name === name));
  if (unknown !== undefined) throw new UsageError(`no canary or mutant is called ${unknown}; see --list`);
  const isWanted = ({ name }: Planted): boolean => only.includes(name);
  return { canaries: CANARIES.filter(isWanted), mutants: MUTANTS.filter(isWanted) };
}

interface Row {
  readonly planted: Canary | Mutant;
  readonly seed: number | undefined;
  readonly check: string;
  readonly seconds: number | undefined;
  readonly ok: boolean;
}

/**
 * Runs `work` for each, no more at a time than there are jobs. A canary that cannot be made or run
 * is its own failure.
 */
async function each<P extends Planted, T>(
  planted: readonly P[], jobs: number, work: (one: P) => Promise<T>, failed: (one: P, why: string) => T,
): Promise<T[]> {
  const slots = new Slots(jobs);
  return Promise.all(planted.map((one) => slots.use(() => work(one).catch((error: unknown) => {
    if (!(error instanceof CanaryError)) throw error;
    say(bad(error.message));
    return failed(one, error.message);
  }))));
}

async function withRuns<T>(dist: string, slots: Slots, workers: number, work: (runs: Runs) => Promise<T>): Promise<T> {
  const runs = await Runs.of(dist, slots, workers);
  onExit(() => runs.close());
  try {
    return await work(runs);
  } finally {
    runs.close();
  }
}

/**
 * All at the beginning, from one build: the sources may change while a hunt goes on. One that
 * cannot be made fails when its turn comes.
 */
function makeAll(canaries: readonly Canary[]): (canary: Canary) => string {
  const made = new Map<Canary, string | CanaryError>();
  for (const canary of canaries) {
    try {
      made.set(canary, makeMutant(canary));
    } catch (error) {
      if (!(error instanceof CanaryError)) throw error;
      made.set(canary, error);
    }
  }
  return (canary) => {
    const dist = made.get(canary);
    if (typeof dist !== 'string') throw dist ?? new CanaryError(`${canary.name} was not made`);
    return dist;
  };
}

/** At one seed, with the canary and without. */
async function again(canary: Canary, seed: number, dist: string, slots: Slots, sound: Runs): Promise<Row> {
  return withRuns(dist, slots, 1, async (mutant) => {
    const outcome = await mutant.run(seed, canary.profile);
    const { first, wallMs } = outcome;
    const row = { planted: canary, seed, seconds: wallMs / 1000 };
    if (first === undefined) return { ...row, check: 'passed', ok: false };
    if (!finds(canary, outcome)) return { ...row, check: `found by ${first.check} instead`, ok: false };
    const control = await sound.once(seed, canary.profile);
    if (control.first === undefined) return { ...row, check: first.check, ok: true };
    say(bad(`PRODUCT BUG: seed ${seed}, profile ${canary.profile} fails without any canary: ${control.first.check}: ${control.first.message}`));
    return { ...row, check: `also without it: ${control.first.check}`, ok: false };
  });
}

/** By its test, with the bug and without. */
async function tested(mutant: Mutant): Promise<Row> {
  const { failed, wallMs } = await runTest(mutant.killedBy, makeSources(mutant));
  const row = { planted: mutant, seed: undefined, seconds: wallMs / 1000 };
  if (failed === 0) return { ...row, check: `survives ${mutant.killedBy.file}`, ok: false };
  const control = await runTest(mutant.killedBy, ROOT);
  if (control.failed > 0) return { ...row, check: `also without it: ${control.why.slice(0, CHECK_CHARS)}`, ok: false };
  return { ...row, check: mutant.killedBy.file, ok: true };
}

const CHECK_CHARS = 80;

function print(rows: readonly Row[]): void {
  const cells = rows.map((row) => [
    row.planted.name, row.planted.breaks, 'profile' in row.planted ? row.planted.profile : 'test', row.seed === undefined ? '-' : String(row.seed), row.check,
    row.seconds === undefined ? '-' : row.seconds.toFixed(1), row.ok ? good('found') : bad('NOT FOUND'),
  ]);
  console.log(table(['canary', 'breaks', 'profile', 'seed', 'check or test that found it', 'seconds', ''], cells));
  const found = rows.filter((row) => row.ok).length;
  console.log(`${found} of ${rows.length} found`);
}

async function replayAll({ canaries, mutants }: Chosen, jobs: number): Promise<number> {
  const nothing = (planted: Canary | Mutant, why: string): Row =>
    ({ planted, seed: undefined, check: why.split('\n')[0] ?? '', seconds: undefined, ok: false });
  const rows = [...(canaries.length === 0 ? [] : await replay(canaries, jobs, nothing)), ...(await each(mutants, jobs, tested, nothing))];
  print(rows);
  return rows.every((row) => row.ok) ? 0 : 1;
}

async function replay(canaries: readonly Canary[], jobs: number, nothing: (canary: Canary, why: string) => Row): Promise<Row[]> {
  const state = new State(CANARIES);
  const slots = new Slots(jobs);
  const distOf = makeAll(canaries);
  return withRuns(makeSound(), slots, jobs, (sound) => each(canaries, jobs, async (canary) => {
    const seed = values.seed === undefined ? state.of(canary.name)?.foundAtSeed : whole(values.seed, 'seed', 0);
    if (seed !== undefined && seed !== null) return again(canary, seed, distOf(canary), slots, sound);
    const tried = state.of(canary.name)?.seedsTried ?? 0;
    return nothing(canary, tried === 0 ? 'not hunted yet' : `not in ${tried} seeds`);
  }, nothing));
}

/** True: nothing is to be hunted, the seed that is recorded shows it. */
async function known(canary: Canary, state: State, build: string, mutant: Runs, sound: Runs): Promise<boolean> {
  const last = state.of(canary.name);
  if (values.again || last === undefined || last.foundAtSeed === null) return false;
  if (last.build === build) return true;
  const outcome = await mutant.run(last.foundAtSeed, canary.profile);
  if (!finds(canary, outcome) || (await sound.once(last.foundAtSeed, canary.profile)).first !== undefined) return false;
  state.stillFound(canary.name, build, outcome.first?.check ?? '');
  return true;
}

async function huntAll(canaries: readonly Canary[], jobs: number): Promise<number> {
  const max = whole(values.max, 'max', 1);
  const state = new State(CANARIES);
  const build = buildDigest();
  const slots = new Slots(jobs);
  const distOf = makeAll(canaries);
  const hunts = await withRuns(makeSound(), slots, jobs, (sound) => each<Canary, Hunted>(canaries, jobs, async (canary) =>
    withRuns(distOf(canary), slots, jobs, async (mutant) => {
      if (await known(canary, state, build, mutant, sound)) {
        say(`${canary.name}: known from seed ${state.of(canary.name)?.foundAtSeed}`);
        return { canary, found: undefined, productBugs: [] };
      }
      const last = state.of(canary.name);
      const unfinished = last?.build === build && last.foundAtSeed === null && last.seedsTried < max;
      if (!unfinished) state.begin(canary.name, build);
      return hunt(canary, { mutant, sound, state, width: jobs, max, say });
    }), (canary) => ({ canary, found: undefined, productBugs: [] })));
  const rows = hunts.map(({ canary, found }): Row => {
    const last = state.of(canary.name);
    const seed = last?.foundAtSeed ?? undefined;
    const check = last?.check ?? `not in ${last?.seedsTried ?? 0} seeds`;
    return { planted: canary, seed, check, seconds: found === undefined ? undefined : found.wallMs / 1000, ok: seed !== undefined };
  });
  print(rows);
  const bugs = [...new Set(hunts.flatMap(({ canary, productBugs }) => productBugs.map((seed) => `${seed} (${canary.profile})`)))];
  if (bugs.length > 0) throw new Failure(`${bugs.length} seeds fail without any canary, so they are bugs of the product: ${bugs.join(', ')}`);
  return rows.every((row) => row.ok) ? 0 : 1;
}

await runMain(HELP, async () => {
  const { canaries, mutants } = chosen();
  const jobs = whole(values.jobs, 'jobs', 1);
  if (values.list) {
    console.log(table(['canary', 'breaks', 'profile', 'what'], [
      ...canaries.map(({ name, breaks, profile, what }) => [name, breaks, profile, what]),
      ...mutants.map(({ name, breaks, what }) => [name, breaks, 'test', what]),
    ]));
    return 0;
  }
  if (values.check) {
    const errors = typeErrors([...canaries, ...mutants]);
    for (const error of errors) console.error(bad(error));
    console.log(`${canaries.length} canaries and ${mutants.length} mutants, ${errors.length} type errors`);
    return errors.length === 0 ? 0 : 1;
  }
  if (!values['no-build'] && canaries.length > 0) ensureBuilt();
  if (!values.keep) onExit(dropCopies);
  return values.hunt ? huntAll(canaries, jobs) : replayAll({ canaries, mutants }, jobs);
});
