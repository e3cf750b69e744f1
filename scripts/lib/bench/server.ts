/** Who is measured: this build, and the peers that it is held against. */

import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { etcdAt, findEtcds, kintsugi, KINTSUGI_MAIN, ROOT, type Binary } from '../binary.js';
import { UsageError } from '../command.js';

export interface Server {
  /** As in the table, and under which its results are kept. */
  readonly name: string;
  readonly binary: Binary;
  readonly ours: boolean;
}

const OURS = 'kintsugi';

export interface ServerChoice {
  readonly etcds: readonly string[];
  readonly noEtcd: boolean;
  readonly noKintsugi: boolean;
  /** `dist/cli/main.js` of another build, which takes the place of etcd. */
  readonly base: string | undefined;
}

/** This build first. Throws UsageError if nothing is left. */
export function chooseServers(choice: ServerChoice): Server[] {
  const ours = choice.noKintsugi ? [] : [{ name: OURS, binary: kintsugi(), ours: true }];
  const named = choice.etcds.map(etcdAt);
  const found = named.length > 0 ? named : choice.noEtcd || choice.base !== undefined ? [] : findEtcds();
  const etcds = found.map((binary) => ({ name: `etcd ${binary.version}`, binary, ours: false }));
  const base = choice.base === undefined ? [] : [baseOf(resolve(choice.base))];
  const servers = [...ours, ...base, ...etcds];
  if (servers.length === 0) throw new UsageError('nothing to measure: no etcd on the PATH');
  if (new Set(servers.map(({ name }) => name)).size < servers.length) throw new UsageError('two etcds of one version');
  return servers;
}

function baseOf(main: string): Server {
  if (!existsSync(main)) throw new UsageError(`--base: there is no ${main}`);
  return { name: `base ${digestOf(main)}`, binary: { ...kintsugi(), args: [main, 'start'], version: 'base' }, ours: false };
}

/** Eight digits that follow from the program's files, wherever they lie. */
function digestOf(main: string): string {
  const hash = createHash('sha256');
  const dist = dirname(dirname(main));
  for (const name of readdirSync(dist, { recursive: true, encoding: 'utf8' }).sort()) {
    if (/\.(?:[mc]?js|json)$/.test(name)) hash.update(name).update(readFileSync(join(dist, name)));
  }
  return hash.digest('hex').slice(0, 8);
}

/**
 * What this build's results are kept by: the commit, and the program's digest, since a working tree
 * may differ from its commit.
 */
export function buildId(): string {
  let commit = 'no-commit';
  try {
    commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    // Not a clone.
  }
  return `${commit}-${digestOf(KINTSUGI_MAIN)}`;
}
