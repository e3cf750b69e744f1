/**
 * What a data directory shows of the member that it belongs to, and of what is wrong with it.
 * Nothing is written.
 */

import { fromUtf8, utf8 } from '../../base/bytes.js';
import type { Disk } from '../../base/disk.js';
import { codeOf, messageOf } from '../../base/errors.js';
import type { NodeId } from '../../base/ids.js';
import { replaceFile } from '../../base/replace-file.js';
import { viewHardState, type HardStateView } from '../hard-state/hard-state.js';
import { generationOf } from '../log/segment-layout.js';
import { readJoined, type Joined } from '../state/joined.js';
import { readIntent, RecoverError, type RecoverIntent } from './intent.js';

/**
 * What the last start ended in, where that cannot be seen from the files alone: others had to tell
 * it.
 */
export const REFUSED_FILE = 'refused';
const MAX_REFUSED_BYTES = 4096;

export interface Evidence {
  /** Undefined: the file is not there. */
  readonly hardState: HardStateView | undefined;
  readonly joined: Joined | 'unreadable' | undefined;
  readonly intent: RecoverIntent | 'unreadable' | undefined;
  /** Why the last start was refused by what others remember: code and words. */
  readonly refused: string | undefined;
  /** Files. */
  readonly segments: number;
  readonly manifests: number;
  readonly tables: number;
  /** Of the tables. */
  readonly tableBytes: number;
}

export async function findEvidence(disk: Disk): Promise<Evidence> {
  const tables = (await disk.list('tables')).filter((name) => name.endsWith('.sst'));
  return {
    hardState: await viewHardState(disk),
    joined: await readable(() => readJoined(disk), 'JOINED_UNREADABLE'),
    intent: await readable(() => readIntent(disk), 'INTENT_UNREADABLE'),
    refused: await readRefused(disk),
    segments: (await disk.list('log')).filter((name) => generationOf(name) !== undefined).length,
    manifests: (await disk.list('manifest')).length,
    tables: tables.length,
    tableBytes: tables.reduce((sum, name) => sum + (disk.sizeOf(`tables/${name}`) ?? 0), 0),
  };
}

async function readable<T>(read: () => Promise<T | undefined>, code: string): Promise<T | 'unreadable' | undefined> {
  try {
    return await read();
  } catch (error) {
    if (codeOf(error) !== code) throw error;
    return 'unreadable';
  }
}

/** It has never promised anything, or it was emptied. */
export function isNew(evidence: Evidence): boolean {
  const { hardState, manifests, segments } = evidence;
  return hardState === undefined ? manifests + segments === 0 : hardState.record?.term === 0 && evidence.tables === 0;
}

/** Why this directory cannot be started with; undefined: nothing of that can be seen here. */
export function whatIsWrong(evidence: Evidence): string | undefined {
  const { hardState, joined, intent, refused, segments, manifests } = evidence;
  if (refused !== undefined) return `its last start ended with ${refused}`;
  if (joined === 'unreadable') return 'JOINED_UNREADABLE: the file that says who it is cannot be read';
  if (intent === 'unreadable') return 'INTENT_UNREADABLE: it was to be re-admitted before, and the file that says so cannot be read';
  if (hardState === undefined) {
    return segments + manifests > 0 ? 'MISSING: its hard state is gone, so it is not known what it has promised' : undefined;
  }
  const { record, slots } = hardState;
  if (record === undefined) {
    const good = slots.filter((slot) => slot !== undefined).length;
    return `UNREADABLE: ${good} of ${slots.length} copies of its hard state are good, and do not agree on what it has promised`;
  }
  return record.term > 0 && segments === 0 ? 'LOG_MISSING: its log is gone, and with it the entries that it has acknowledged' : undefined;
}

/** Whose directory this shows itself to be. */
export interface Shown {
  /** 0: it does not show that. */
  readonly clusterId: bigint;
  /** The newest last. */
  readonly ids: readonly NodeId[];
}

/** Throws RecoverError OTHER_CLUSTER if what is there is of more than one. */
export function shownBy({ hardState, joined, intent }: Evidence): Shown {
  const ids: NodeId[] = [];
  const clusters = new Set<bigint>();
  const show = (clusterId: bigint, ...of: readonly NodeId[]): void => {
    if (clusterId !== 0n) clusters.add(clusterId);
    for (const id of of) if (!ids.includes(id)) ids.push(id);
  };
  if (intent !== undefined && intent !== 'unreadable') show(intent.clusterId, ...intent.shown, ...(intent.stage === 'begun' ? [intent.id] : []));
  for (const slot of hardState?.slots ?? []) if (slot !== undefined) show(slot.clusterId, slot.memberId);
  if (joined !== undefined && joined !== 'unreadable') show(joined.description.clusterId, joined.self);
  if (clusters.size > 1) {
    const names = [...clusters].map((id) => id.toString(16)).join(' and ');
    throw new RecoverError('OTHER_CLUSTER', `the files in this data directory are of different clusters (${names}): put a copy back that was made at one time`);
  }
  return { clusterId: [...clusters][0] ?? 0n, ids };
}

/** Others told that this directory is not what this member's promises were made with. */
export function markRefused(disk: Disk, error: unknown): Promise<void> {
  return replaceFile(disk, REFUSED_FILE, utf8(messageOf(error).slice(0, MAX_REFUSED_BYTES)), { unlinkFirst: true });
}

/** The others have nothing against it any more. */
export async function unmarkRefused(disk: Disk): Promise<void> {
  if (disk.sizeOf(REFUSED_FILE) === undefined) return;
  await disk.unlink(REFUSED_FILE);
  await disk.syncDir('.');
}

async function readRefused(disk: Disk): Promise<string | undefined> {
  const size = disk.sizeOf(REFUSED_FILE);
  if (size === undefined) return undefined;
  const file = await disk.open(REFUSED_FILE, 'read');
  try {
    const bytes = new Uint8Array(Math.min(size, MAX_REFUSED_BYTES));
    await file.read(bytes, 0);
    return fromUtf8(bytes);
  } finally {
    file.close();
  }
}
