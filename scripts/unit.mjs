/**
 * The unit tests, all at once, as plain JavaScript: what the loader that serves a single file while
 * it is worked on (`npx mocha src/x.test.ts`) adds to each function costs a fifth of their time.
 * `.unit/` is `src/` without its types, as deep below the root, so that what lies beside it is found.
 */

import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
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
await build({
  entryPoints: files.filter((file) => file.endsWith('.ts')), outdir: OUT, outbase: 'src', format: 'esm', platform: 'node', target: 'node20',
  logLevel: 'warning',
});
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
const args = ['--parallel', '--jobs', jobs, '--reporter', 'scripts/unit-reporter.cjs', ...inTurn];
const { status } = spawnSync(process.execPath, ['node_modules/mocha/bin/mocha.js', ...args], { stdio: 'inherit' });
process.exit(status ?? 1);
