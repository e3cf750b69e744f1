/**
 * What results of long runs are kept by: the commit, and what of the tree differs from it. So a
 * run goes on where it was interrupted, and never counts what another program did.
 */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const git = (...args: string[]): string => execFileSync('git', args, { encoding: 'utf8', maxBuffer: 1 << 28 }).trim();
const TREE = ['src', 'scripts'];

/** `program`: its bytes say in what it differs; without, the sources that do. */
export function programVersion(program?: Uint8Array): string {
  const commit = git('rev-parse', '--short=12', 'HEAD');
  if (git('status', '--porcelain', '--', ...TREE) === '') return commit;
  const hash = createHash('sha256');
  if (program !== undefined) hash.update(program);
  else {
    hash.update(git('diff', 'HEAD', '--', ...TREE));
    for (const path of git('ls-files', '--others', '--exclude-standard', '--', ...TREE).split('\n')) if (path !== '') hash.update(path).update(readFileSync(path));
  }
  return `${commit}+${hash.digest('hex').slice(0, 8)}`;
}
