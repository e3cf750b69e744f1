/**
 * `npm run faults:ctrl-4096`: all placements of damage on four entries of three members, each
 * started with real members on memory disks. Prints one JSON line; exits 1 unless 2,401 recover,
 * 1,695 wait, and nothing is lost or wrong (of a part: unless each is as it must be). What was run
 * is kept by commit in .data/faults, and a further run goes on from there.
 *
 *   --from N --to N      placements, of 0 to 4095
 *   --sample N           so many of them, spread evenly
 *   --at-once N          clusters in this process at one time (8)
 *   --anew               forget what was run before
 */

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { makeTemplate, mustWait, PLACEMENTS, runPlacement, type Outcome } from '../src/node/testing/ctrl-placements.js';

const { values } = parseArgs({
  options: {
    from: { type: 'string', default: '0' }, to: { type: 'string', default: String(PLACEMENTS - 1) }, sample: { type: 'string' },
    'at-once': { type: 'string', default: '8' }, anew: { type: 'boolean', default: false },
  },
});
const [from, to] = [Number(values.from), Number(values.to)];
const every = values.sample === undefined ? 1 : Math.max(1, Math.floor((to - from + 1) / Number(values.sample)));
const commit = execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], { encoding: 'utf8' }).trim();
const path = `.data/faults/ctrl-4096-${commit}.json`;
mkdirSync('.data/faults', { recursive: true });
if (values.anew) rmSync(path, { force: true });

const known = new Map<number, Outcome>(read());
const wanted: number[] = [];
for (let placement = from; placement <= to; placement += every) wanted.push(placement);
const left = wanted.filter((placement) => !known.has(placement));
const template = await makeTemplate();
let done = 0;
let said = performance.now();
await Promise.all(Array.from({ length: Number(values['at-once']) }, async () => {
  for (let placement = left.shift(); placement !== undefined; placement = left.shift()) {
    known.set(placement, await runPlacement(template, placement));
    done++;
    if (performance.now() - said < 5_000) continue;
    said = performance.now();
    save();
    process.stderr.write(`${done} run, ${left.length} left\n`);
  }
}));
save();

const counts = { recovered: 0, waits: 0, lost: 0, wrong: 0 };
for (const placement of wanted) counts[known.get(placement) as Outcome]++;
const asItMust = wanted.every((placement) => known.get(placement) === (mustWait(placement) ? 'waits' : 'recovered'));
process.stdout.write(`${JSON.stringify({ commit, placements: wanted.length, ...counts })}\n`);
process.exit(asItMust ? 0 : 1);

function read(): [number, Outcome][] {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as [number, Outcome][];
  } catch {
    return [];
  }
}

function save(): void {
  writeFileSync(path, JSON.stringify([...known]));
}
