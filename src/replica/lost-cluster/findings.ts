/**
 * What a new cluster on what is left of another would hold, and what would be lost: all that an
 * operator must know before it is made. Values only.
 */

import type { Disk } from '../../base/disk.js';
import type { Workers } from '../../base/env.js';
import type { ClusterVersion, LogIndex, NodeId, Revision, TableId, Term } from '../../base/ids.js';
import { StorageError } from '../../storage/base/errors.js';
import { TableImage, type FetchPayload } from '../../storage/table/table-image.js';
import type { SpecifiedRegion } from '../../storage/table/table-layout.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import { verifyTable, type TableFault } from '../../storage/table/verify-table.js';
import type { LogPoint } from '../log/log-point.js';
import type { MemberRecord } from '../state/members.js';
import { asideLogs, type AsideLog } from './aside-logs.js';
import { highestTerm } from './directory.js';
import type { Repairs, Replay } from './replay.js';
import type { KeyRange, TouchedKeys } from './touched-keys.js';

export interface Keys {
  /** Entries of clients among them. */
  readonly entries: number;
  readonly ranges: readonly KeyRange[];
  /** There are more than are listed. */
  readonly more: boolean;
}

/** Entries from `from` up to `through`, both included. */
export interface Span {
  readonly from: LogIndex;
  readonly through: LogIndex;
}

export interface LostEntries extends Span {
  /** There may be more behind `through`: how many is not known. */
  readonly open: boolean;
  readonly why: string;
  /** Can be read all the same, and are not carried out: what comes before them is missing. */
  readonly sound: number;
  readonly keys: Keys;
}

export interface BadTable {
  readonly table: TableMeta;
  /** Stretches that are beyond parity, and were not repaired by another member. */
  readonly stretches: number;
  readonly why: string;
}

export interface Findings {
  /** Undefined: no copy of the hard state is left. */
  readonly clusterId: bigint | undefined;
  readonly memberId: NodeId | undefined;
  readonly term: Term;
  /** What is wrong with hard state and manifests. */
  readonly problems: readonly string[];
  readonly generation: number;
  readonly tables: number;
  readonly bytes: number;
  readonly flushed: LogPoint;
  readonly logFirst: LogIndex;
  readonly logLast: LogIndex;
  /** Known to be committed. */
  readonly committed: LogIndex;
  /** The last entry that is in the new cluster. */
  readonly kept: LogPoint;
  readonly revision: Revision;
  readonly compactRevision: Revision;
  readonly clusterVersion: ClusterVersion;
  /** Undefined: not known here, but from the flags of the old cluster. */
  readonly members: readonly MemberRecord[] | undefined;
  /** By the log this member was removed. */
  readonly removed: boolean;
  /** Kept, and committed by that, although nobody here knows whether the old cluster had. */
  readonly unsure: (Span & { readonly keys: Keys }) | undefined;
  /** Known to have existed. */
  readonly lost: LostEntries | undefined;
  /** At the log's end: their write never finished, nothing proves them, and they are not kept. */
  readonly torn: number;
  readonly badTables: readonly BadTable[];
  /** Older revisions may be gone: what the tables dropped is not known to have been compacted. */
  readonly historyLost: boolean;
  /** Set aside by a re-admission that is not over: none of it is in the new cluster. */
  readonly aside: readonly AsideLog[];
}

/** Something is gone for certain, or is here and would not be in the new cluster. */
export function isLossy({ lost, badTables, historyLost, aside }: Findings): boolean {
  return lost !== undefined || badTables.length > 0 || historyLost || aside.some(({ beyond }) => beyond > 0);
}

/** Reads every table, too. `onProgress`: bytes of tables. Rejects with DiskError. */
export async function findingsOf(
  disk: Disk, workers: Workers, replay: Replay, repairs: Repairs, onProgress?: (bytes: number) => void,
): Promise<Findings> {
  const { directory, state, membership, committed, index, stop, unsure } = replay;
  const { hardState, version, generation, log, problems } = directory;
  const list = version.list();
  const members = membership.applied;
  const historyLost = index < version.last.index;
  return {
    clusterId: hardState?.clusterId, memberId: hardState?.memberId, term: highestTerm(directory), problems, generation,
    tables: list.length, bytes: list.reduce((sum, { bytes }) => sum + bytes, 0),
    flushed: version.flushed, logFirst: log.base.index + 1, logLast: log.lastIndex, committed,
    kept: { index, term: replay.term },
    revision: state.kv.revision, compactRevision: historyLost ? state.kv.revision : state.kv.compactRevision,
    clusterVersion: state.version,
    members: members.isStatic ? undefined : members.list,
    removed: hardState !== undefined && membership.isRemoved(hardState.memberId),
    unsure: index > committed ? { from: committed + 1, through: index, keys: keysOf(unsure) } : undefined,
    lost: stop && {
      from: stop.index, through: Math.max(log.lastIndex, committed, stop.index), open: log.endsOpen, why: stop.why,
      sound: replay.soundBehind, keys: keysOf(replay.lost),
    },
    torn: (await log.torn(highestTerm(directory))).length,
    badTables: await badTables(disk, workers, list, repairs, onProgress),
    historyLost,
    aside: await asideLogs(disk, workers, index),
  };
}

function keysOf({ entries, ranges, more }: TouchedKeys): Keys {
  return { entries, ranges, more };
}

async function badTables(
  disk: Disk, workers: Workers, tables: readonly TableMeta[], repairs: Repairs, onProgress?: (bytes: number) => void,
): Promise<BadTable[]> {
  const bad: BadTable[] = [];
  for (const table of tables) {
    const path = tablePath(table.id);
    const fetch: FetchPayload = async ({ offset }) => repairs.patch(table, offset);
    const { faults } = await verifyTable(disk, path, table, { pace: workers, fetch });
    const beyond = await unrepaired(
      new TableImage(disk, path, table, { fetch }), faults.filter(({ kind }) => kind === 'unreadable' || kind === 'missing'),
    );
    const [first] = beyond;
    if (first !== undefined) bad.push({ table, stretches: beyond.length, why: first.why });
    onProgress?.(table.bytes);
  }
  return bad;
}

/** Those for which there is no other copy of the block. */
async function unrepaired(image: TableImage, faults: readonly TableFault[]): Promise<TableFault[]> {
  if (faults.length === 0) return [];
  try {
    const regions = await regionsOf(image);
    const left: TableFault[] = [];
    for (const fault of faults) {
      const region = regions.find(({ kind, offset }) => kind === fault.region && offset === fault.offset);
      if (region === undefined || (await image.fetch(region)) === undefined) left.push(fault);
    }
    return left;
  } finally {
    image.close();
  }
}

async function regionsOf(image: TableImage): Promise<readonly SpecifiedRegion[]> {
  try {
    return await image.regions();
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    return [];
  }
}

/** Ids of tables that lie here or are spoken of: a new one has none of them. */
export async function nextTableId(disk: Disk, { directory }: Replay): Promise<TableId> {
  let next = directory.version.nextTableId;
  for (const name of await disk.list('tables')) {
    const id = /^(\d+)\.sst$/.exec(name)?.[1];
    if (id !== undefined) next = Math.max(next, Number(id) + 1);
  }
  return next;
}
