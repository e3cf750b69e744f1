/**
 * Plain JavaScript without dependencies: it runs before anything is installed. Installs what
 * `package-lock.json` names if `node_modules` is missing, and builds if `dist` is missing or older
 * than a source file.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** @param {string} dir @returns {number} */
function newest(dir) {
  let latest = 0;
  if (!existsSync(dir)) return latest;
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) latest = Math.max(latest, newest(path));
    else if (!entry.name.endsWith('.test.ts')) latest = Math.max(latest, statSync(path).mtimeMs);
  }
  return latest;
}

/** @param {string} what @param {string[]} args @param {boolean} quiet */
function npm(what, args, quiet) {
  console.log(`${what} (npm ${args.join(' ')}) ...`);
  const done = spawnSync('npm', args, { cwd: root, stdio: quiet ? 'pipe' : 'inherit', encoding: 'utf8' });
  if (done.status === 0) return;
  if (quiet) console.error(`${done.stdout ?? ''}${done.stderr ?? ''}`);
  throw new Error(`npm ${args.join(' ')} failed`);
}

export function ensureInstalled() {
  if (!existsSync(join(root, 'node_modules', 'tsx'))) npm('installing', ['ci', '--no-audit', '--no-fund'], false);
}

/** Builds only if something changed. */
export function ensureBuilt() {
  ensureInstalled();
  const built = join(root, 'dist', 'bin', 'kintsugi.js');
  const sources = Math.max(newest(join(root, 'src')), newest(join(root, 'proto')));
  if (existsSync(built) && newest(join(root, 'dist')) >= sources) return;
  npm('building', ['run', '--silent', 'build'], true);
}
