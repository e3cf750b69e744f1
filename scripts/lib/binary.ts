/**
 * The two servers a drill can run: this project's build and, for comparison, an etcd on the PATH.
 * Both take the same flags.
 */

import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UsageError } from './command.js';

export type BinaryKind = 'kintsugi' | 'etcd';

export interface Binary {
  readonly kind: BinaryKind;
  readonly command: string;
  /** Before the flags. */
  readonly args: readonly string[];
  readonly version: string;
}

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** `DRILL_KINTSUGI_MAIN` names another build's entry. */
export const KINTSUGI_MAIN = process.env['DRILL_KINTSUGI_MAIN'] ?? join(ROOT, 'dist', 'bin', 'kintsugi.js');

/** Every `name` on the PATH, first come first. */
function all(name: string): string[] {
  return (process.env['PATH'] ?? '').split(delimiter).map((dir) => join(dir, name)).filter(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Where `name` is on the PATH, if anywhere. */
export function which(name: string): string | undefined {
  return all(name)[0];
}

/** An etcd by its file or by the folder that holds it. Throws UsageError if there is none. */
export function etcdAt(path: string): Binary {
  const command = [path, join(path, 'etcd')].find(isExecutable);
  if (command === undefined) throw new UsageError(`there is no etcd at ${path}`);
  const version = /etcd Version: (\S+)/.exec(execFileSync(command, ['--version'], { encoding: 'utf8' }))?.[1] ?? '?';
  return { kind: 'etcd', command, args: [], version };
}

export function findEtcd(): Binary | undefined {
  return findEtcds()[0];
}

/** Every etcd on the PATH, one of each version. */
export function findEtcds(): Binary[] {
  const byVersion = new Map<string, Binary>();
  for (const etcd of all('etcd').map(etcdAt)) if (!byVersion.has(etcd.version)) byVersion.set(etcd.version, etcd);
  return [...byVersion.values()];
}

export function kintsugi(): Binary {
  if (!existsSync(KINTSUGI_MAIN)) throw new UsageError(`${KINTSUGI_MAIN} is not there: run npm run build first`);
  return { kind: 'kintsugi', command: process.execPath, args: [KINTSUGI_MAIN, 'start'], version: 'local build' };
}

/** The binary that a `--target` flag names. */
export function binaryOf(target: string): Binary {
  if (target === 'kintsugi') return kintsugi();
  if (target !== 'etcd') throw new UsageError(`--target is kintsugi or etcd, got ${target}`);
  const etcd = findEtcd();
  if (etcd === undefined) throw new UsageError('there is no etcd on the PATH');
  return etcd;
}
