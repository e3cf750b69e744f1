/**
 * `npm run faults:NAME`: a campaign of faults on the disks of a simulated cluster of the shipping
 * replica. Prints one line of JSON at the end; exits 1 unless every case came to what its oracle,
 * which counts the copies that are left, says that it must. See SIMULATOR.md.
 */

import { build } from 'esbuild';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { CAMPAIGNS, MAY_WAIT, type CampaignName } from '../src/sim/campaigns/campaigns.js';
import { isCorrect } from '../src/sim/campaigns/case-result.js';
import { flags, onExit, runMain, UsageError, whole } from './lib/command.js';
import { runCases } from './lib/faults/pool.js';
import { DIR, Results } from './lib/faults/results.js';
import { summary } from './lib/faults/summary.js';

const HELP = `npm run faults:${Object.keys(CAMPAIGNS).join('|')} -- [options]

  --seeds A..B     cases A to B alone, from 0 on (also --seeds A: one of them)
  --sample N       so many of them, spread evenly
  --workers N      processes (default: one for each core)
  --anew           forget what was run before
  --failures N     so many of the cases that failed are shown (10)

Results are kept by commit in ${DIR}, and a further run goes on from there.

  npm run faults:ctrl-4096                        all of it
  npm run faults:ctrl-4096 -- --sample 200        about five percent
  npm run faults:ctrl-4096 -- --seeds 273 --anew  one case again
`;

await runMain(HELP, async () => {
  const { values, positionals } = flags({
    seeds: { type: 'string' }, sample: { type: 'string' }, workers: { type: 'string', default: String(availableParallelism()) },
    anew: { type: 'boolean', default: false }, failures: { type: 'string', default: '10' },
  });
  const name = campaignOf(positionals);
  const wanted = wantedCases(name, values.seeds, values.sample);
  const workers = whole(values.workers, 'workers', 1);
  mkdirSync(DIR, { recursive: true });
  const module = resolve(DIR, `worker-${process.pid}.mjs`);
  onExit(() => rmSync(module, { force: true }));
  // Plain JavaScript: what a loader adds to each function would be half of the time.
  await build({
    entryPoints: [fileURLToPath(new URL('./lib/faults/worker.ts', import.meta.url))], outfile: module, bundle: true, format: 'esm', platform: 'node',
    target: 'node20', packages: 'external', sourcemap: 'inline', logLevel: 'warning',
  });
  const results = new Results(name, readFileSync(module), values.anew);
  onExit(() => results.save());
  const left = wanted.filter((number) => results.get(number) === undefined);
  const began = performance.now();
  let said = began;
  let done = 0;
  let failed = 0;
  await runCases(left, { module, campaign: name, workers }, ({ number, result }) => {
    results.set(number, result);
    done++;
    if (!isCorrect(result)) failed++;
    if (performance.now() - said < 5_000 && done < left.length) return;
    said = performance.now();
    results.save();
    process.stderr.write(`${done} of ${left.length}, ${failed} failed, ${Math.round((said - began) / 1000)} s\n`);
  });
  const mayWait = MAY_WAIT[name];
  const { json, failures, unavailable } = summary(wanted.map((number) => ({ number, result: results.get(number) })));
  for (const { number, result } of failures.slice(0, whole(values.failures, 'failures'))) {
    process.stderr.write(`${name} --seeds ${number}: must be ${result.expected}, is ${result.outcome}: ${result.why.slice(0, 2_000)}\n`);
  }
  process.stdout.write(`${JSON.stringify({ campaign: name, version: results.version, ...json })}\n`);
  const tolerated = mayWait === undefined ? 0 : Math.min(unavailable, (mayWait * wanted.length) / CAMPAIGNS[name]);
  if (mayWait !== undefined) process.stderr.write(`${unavailable} of ${wanted.length} wait in vain: of ${CAMPAIGNS[name]} ${mayWait} may\n`);
  return failures.length <= tolerated ? 0 : 1;
});

function campaignOf([name, ...more]: readonly string[]): CampaignName {
  if (name === undefined || !Object.hasOwn(CAMPAIGNS, name) || more.length > 0) {
    throw new UsageError(`one campaign is run, of ${Object.keys(CAMPAIGNS).join(', ')}; got ${[name, ...more].join(' ') || 'none'}`);
  }
  return name as CampaignName;
}

/** `seeds`: A, or A..B. `sample`: so many of them. Throws UsageError. */
function wantedCases(name: CampaignName, seeds: string | undefined, sample: string | undefined): number[] {
  const count = CAMPAIGNS[name];
  const [from = '0', to = from] = (seeds ?? `0..${count - 1}`).split('..');
  const [first, last] = [Number(from), Number(to)];
  if (!(Number.isSafeInteger(first) && Number.isSafeInteger(last) && first >= 0 && first <= last && last < count)) {
    throw new UsageError(`--seeds: ${name} has cases 0 to ${count - 1}, got ${seeds}`);
  }
  const every = sample === undefined ? 1 : Math.max(1, (last - first + 1) / whole(sample, 'sample', 1));
  const cases = new Set<number>();
  for (let at = first; at <= last; at += every) cases.add(Math.floor(at));
  return [...cases];
}
