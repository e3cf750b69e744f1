/**
 * `npm run compat:drivers`: Keyv's official test suite over the store for Keyv, against three
 * members. Its packages are of no use to anything else, so they are installed into
 * `.data/compat-drivers/`.
 */

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { binaryOf, ROOT } from './lib/binary.js';
import { Cluster } from './lib/cluster.js';
import { Failure, flags, runMain } from './lib/command.js';
import { say, verdictMark } from './lib/print.js';

const HELP = `
usage: npm run compat:drivers

Runs @keyv/test-suite, which needs vitest, over kintsugi/keyv against three members. Both are installed into .data/compat-drivers/
when they are not there, from the registry of npm. unstorage publishes no suite: its contract is in src/drivers/drivers.test.ts.

Exit 0 if every test passed; 1 if not.
`;

const SOURCES = join(ROOT, 'scripts', 'compat', 'keyv');
const BUILT = join(ROOT, '.data', 'compat-drivers');

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): boolean {
  return spawnSync(command, args, { cwd: BUILT, stdio: 'inherit', env: { ...process.env, ...env } }).status === 0;
}

function install(): void {
  const wanted = readFileSync(join(SOURCES, 'package.json'), 'utf8');
  const manifest = join(BUILT, 'package.json');
  const isThere = existsSync(join(BUILT, 'node_modules', 'vitest')) && existsSync(manifest) && readFileSync(manifest, 'utf8') === wanted;
  mkdirSync(BUILT, { recursive: true });
  cpSync(SOURCES, BUILT, { recursive: true });
  // No scripts: one of its dependencies builds a database that is not used.
  if (!isThere && !run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'])) throw new Failure('the suite cannot be installed');
}

await runMain(HELP, async () => {
  flags({});
  const binary = binaryOf('kintsugi');
  install();
  const cluster = await Cluster.create({ binary, dir: 'compat-drivers-cluster' });
  say(`three nodes answer after ${await cluster.start()} ms`);
  const passed = run(join(BUILT, 'node_modules', '.bin', 'vitest'), ['run', '--root', BUILT], {
    KINTSUGI_DIST: join(ROOT, 'dist'), KINTSUGI_ENDPOINTS: cluster.urls.join(','),
  });
  console.log(verdictMark(passed), "Keyv's test suite");
  return passed ? 0 : 1;
});
