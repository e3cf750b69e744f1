/**
 * The unit tests, all at once, as plain JavaScript and without the loader that serves a single file
 * while it is worked on (`npx mocha src/x.test.ts`): what that adds to each function costs a third
 * of their time. So mocha gets what it needs of its own configuration from here.
 * `--all`: what draws or crashes at random does so as often as it was ever asked to, not as every
 * day: src/base/testing/runs.ts.
 *
 * `.unit/` is `src/` without its types, as deep below the root, so that what lies beside it is found.
 */

import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const OUT = '.unit';
const files = readdirSync('src', { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath ?? entry.path, entry.name));

rmSync(OUT, { recursive: true, force: true });
const options = { outdir: OUT, outbase: 'src', format: 'esm', platform: 'node', target: 'node20', logLevel: 'warning' };
const sources = files.filter((file) => file.endsWith('.ts'));
const ofScripts = sources.filter((file) => /from '(?:\.\.\/)+scripts\//u.test(readFileSync(file, 'utf8')));
await build({ ...options, entryPoints: sources.filter((file) => !ofScripts.includes(file)) });
/** What they need of scripts/ stands in them: all else is found where it is. */
const onlyScripts = {
  name: 'only-scripts',
  setup: (bundle) =>
    bundle.onResolve({ filter: /./ }, ({ path, kind, importer }) =>
      (kind === 'entry-point' || /\/scripts\//.test(path) || (importer.includes('/scripts/') && path.startsWith('./')) ? undefined : { path, external: true })),
};
await build({ ...options, entryPoints: ofScripts, bundle: true, plugins: [onlyScripts] });
for (const file of files.filter((other) => !other.endsWith('.ts'))) {
  const copy = join(OUT, relative('src', file));
  mkdirSync(dirname(copy), { recursive: true });
  copyFileSync(file, copy);
}
/** What takes longest begins first: else one core waits at the end for what another has begun last. */
const LONGEST = [
  'node/testing/readmission', 'sim/faults/strike-disk', 'node/testing/regain-version', 'sim/workload/workload', 'node/testing/downgrade',
  'sim/campaigns/campaigns', 'node/testing/lost-cluster', 'sim/workload/judge/judge', 'node/testing/membership', 'node/backup',
  'node/testing/full-disk', 'sim/operator/operator', 'node/testing/log-recovery',
].map((name) => `${OUT}/${name}.test.js`);
const tests = files.filter((file) => file.endsWith('.test.ts')).map((file) => `${OUT}/${relative('src', file).replace(/ts$/u, 'js')}`);
const inTurn = [...LONGEST.filter((test) => tests.includes(test)), ...tests.filter((test) => !LONGEST.includes(test)).sort()];

// Files share nothing, and some wait more than they compute: two more at a time than there are cores.
const jobs = String(availableParallelism() + 2);
/** Most of what a test makes is garbage soon, and the cores have work without the collector's threads. */
const V8 = ['--min-semi-space-size=32', '--max-semi-space-size=32', '--single-threaded-gc'];
const { require, timeout } = JSON.parse(readFileSync('.mocharc.json', 'utf8'));
const args = [
  '--no-config', '--timeout', String(timeout), ...require.flatMap((module) => ['--require', module]),
  '--parallel', '--jobs', jobs, '--reporter', 'scripts/unit-reporter.cjs', ...inTurn,
];
const env = process.argv.includes('--all') ? { ...process.env, KINTSUGI_RUNS: 'all' } : process.env;
const { status } = spawnSync(process.execPath, [...V8, 'node_modules/mocha/bin/mocha.js', ...args], { stdio: 'inherit', env });
process.exit(status ?? 1);
