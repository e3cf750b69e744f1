/**
 * One act of damage, and what its kind means for what is stored: which refuse, which lie to a
 * reader, which change bytes, which take a name away. Constants and pure functions; nothing here
 * knows what happened in a run.
 */

import type { DiskFault } from '../model/fault.js';

export interface Damage {
  readonly atUs: number;
  readonly path: string;
  readonly offset: number;
  readonly length: number;
  readonly kind: DiskFault;
  /** A node need not survive it alone. What it must survive is noted too, and excuses nothing. */
  readonly grave: boolean;
}

/** To the whole node. `roll-back`: its directory is one of an earlier time. */
export type NodeFault = 'wipe' | 'roll-back';

export type Area = 'log' | 'hardstate' | 'manifest' | 'tables' | 'hints' | 'repairs' | 'joined' | 'recovering' | 'other';

/** Which part of a node's directory a file belongs to. */
export function areaOf(path: string): Area {
  const end = path.search(/[/.]/);
  const first = end === -1 ? path : path.slice(0, end);
  switch (first) {
    case 'log':
    case 'hardstate':
    case 'manifest':
    case 'tables':
    case 'hints':
    case 'repairs':
    case 'joined':
    case 'recovering':
      return first;
    default:
      return 'other';
  }
}

/**
 * The disk refuses: no byte that was promised is lost by it, but a process may end because of it.
 */
const REFUSALS: ReadonlySet<DiskFault> = new Set([
  'write-error', 'no-space', 'sync-error', 'sync-dir-error', 'read-error', 'sticky-read-error',
]);

/** What a reader gets is not what is stored; the next read may be good. */
const READ_FAULTS: ReadonlySet<DiskFault> = new Set(['read-error', 'sticky-read-error', 'misread']);

/** Nothing but time is lost. */
const SLOW: ReadonlySet<DiskFault> = new Set(['slow-io', 'stalled-sync']);

/** They change nothing of what is stored: a promise that was kept is still there to be seen. */
const HARMLESS: ReadonlySet<DiskFault> = new Set([...SLOW, ...READ_FAULTS, 'write-error', 'sync-error']);

/** After which a file that was there is not. */
const UNNAMING: ReadonlySet<DiskFault> = new Set(['missing', 'misnamed', 'unsynced-name-lost']);

/**
 * Of a name or a size: it stays until the file is replaced, and who has the file open goes on
 * elsewhere.
 */
const DISPLACING: ReadonlySet<DiskFault> = new Set(['missing', 'truncated', 'extended', 'misnamed', 'stale']);

/**
 * The disk refused something that a process may end because of: a table that cannot be read is not
 * such a thing.
 */
export function isRefusal({ kind, path }: Damage): boolean {
  return REFUSALS.has(kind) && !(kind.endsWith('read-error') && areaOf(path) === 'tables');
}

export function isReadFault({ kind }: Damage): boolean {
  return READ_FAULTS.has(kind);
}

export function isSlowness({ kind }: Damage): boolean {
  return SLOW.has(kind);
}

/** Stored bytes, or the name or size of a file, may be others since. */
export function changesBytes({ kind }: Damage): boolean {
  return !HARMLESS.has(kind);
}

export function takesName({ kind }: Damage): boolean {
  return UNNAMING.has(kind);
}

export function displaces({ kind }: Damage): boolean {
  return DISPLACING.has(kind);
}

const PROVEN_PATH = /^tables\/(plan|heal|fetch)-.*\.tmp$/;

/** A file that was healed, or replaced, is proven, has its name and is recorded within this. */
export const PROVEN_WITHIN_US = 30_000_000;

/**
 * Whatever makes a file of a table writes it, syncs it and reads it back past the caches: what the
 * device lost of it by then was noticed, and is no excuse for the file that came of it.
 */
export function isProven({ path, kind }: Pick<Damage, 'path' | 'kind'>): boolean {
  return PROVEN_PATH.test(path) && (kind === 'lost-write' || kind === 'misdirected-write');
}
