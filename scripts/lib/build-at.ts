/**
 * This project as of another commit, built below `.data/builds/`: what an upgrade starts from.
 * Built once; a build that was interrupted is made anew.
 */

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, type Binary } from './binary.js';
import { UsageError } from './command.js';

/** Throws UsageError if this clone does not know `commit`. */
export function buildAt(commit: string, say: (text: string) => void): Binary {
  const full = commitOf(commit);
  const dir = join(ROOT, '.data', 'builds', full);
  const main = join(dir, 'dist', 'bin', 'kintsugi.js');
  if (!existsSync(main)) {
    say(`building ${full.slice(0, 12)} (a minute)`);
    const made = `${dir}.tmp`;
    rmSync(made, { recursive: true, force: true });
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(made, { recursive: true });
    const archive = execFileSync('git', ['archive', full], { cwd: ROOT, maxBuffer: 1 << 30 });
    execFileSync('tar', ['-x', '-C', made], { input: archive });
    dependencies(made);
    execFileSync(process.execPath, ['scripts/build.mjs'], { cwd: made, stdio: ['ignore', 'ignore', 'inherit'] });
    renameSync(made, dir);
  }
  return { kind: 'kintsugi', command: process.execPath, args: [main, 'start'], version: full.slice(0, 12) };
}

function commitOf(commit: string): string {
  try {
    return execFileSync('git', ['rev-parse', '--verify', `${commit}^{commit}`], { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    throw new UsageError(`this clone has no commit ${commit}: give --from another, or fetch the whole history (git fetch --unshallow)`);
  }
}

/** Those of this checkout where they are the same, else from the registry. */
function dependencies(dir: string): void {
  const lock = (root: string): string => readFileSync(join(root, 'package-lock.json'), 'utf8');
  if (lock(dir) === lock(ROOT)) symlinkSync(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  else execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: dir, stdio: ['ignore', 'ignore', 'inherit'] });
}
