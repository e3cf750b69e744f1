/**
 * The beginning of a new cluster on the state of another: one table more, of level 0, that says
 * what the state machine is, a version that ends with it, an empty log after both, and whose
 * directory it is. Whoever restores a backup and whoever goes on with what is left of a lost
 * cluster does this.
 *
 *   - The log's indexes go on from the old ones: system state is found by them. The term is kept,
 *     too, and nobody has voted in it, so the first leader leads a higher one (R1).
 *   - What belonged to the old members goes (`kv/system-keys.ts`).
 *   - S2 The bytes of the table follow from the state alone.
 */

import { acquiring } from '../../base/acquiring.js';
import { assert, must } from '../../base/assert.js';
import type { Env } from '../../base/env.js';
import type { LogIndex, NodeId, TableId, Term } from '../../base/ids.js';
import type { TreeWrite } from '../../storage/base/read-view.js';
import { DEFAULT_TREE_SETTINGS, type TableFormat } from '../../storage/base/settings.js';
import type { Memtable } from '../../storage/memtable/memtable.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import { verifyTable } from '../../storage/table/verify-table.js';
import { ManifestStore } from '../../storage/version/manifest-store.js';
import type { Version } from '../../storage/version/version.js';
import { HardStateStore } from '../hard-state/hard-state.js';
import { DurableLog } from '../log/durable-log.js';
import { BackupError } from './errors.js';
import { MemtableTable } from './memtable-table.js';

export type FoundingEnv = Pick<Env, 'disk' | 'clock' | 'events' | 'workers'>;

export interface Founding {
  /** Of the state machine, as of `index`. */
  readonly writes: readonly TreeWrite[];
  /** What no table holds yet, and up to which write; undefined: nothing. */
  readonly memtable?: { readonly memtable: Memtable; readonly sequence: number };
  readonly format: TableFormat;
  /** The entry after the last one that is in the state. */
  readonly index: LogIndex;
  /** Of the last one. */
  readonly term: Term;
  /** No table has it. */
  readonly tableId: TableId;
  /** Whose tables stay. */
  readonly old: Version;
}

export interface Founder {
  readonly clusterId: bigint;
  readonly self: NodeId;
  /** Not below that of any entry, nor of any promise of the old member. */
  readonly term: Term;
  readonly logSegmentBytes: number;
}

/**
 * The version that the new cluster begins with; its last table is written and proven. Rejects with
 * DiskError, BackupError DAMAGED.
 */
export async function foundingVersion(env: FoundingEnv, founding: Founding): Promise<Version> {
  const { index, term, old } = founding;
  const table = await writeTable(env, founding);
  const [first, ...others] = old.levels;
  const levels = [[table, ...must(first, 'S2 a version has a level 0')], ...others];
  const end = { index, term };
  return old.with({ levels, nextTableId: table.id + 1, seals: [], plans: [], flushed: end, last: end });
}

async function writeTable({ disk, workers }: FoundingEnv, founding: Founding): Promise<TableMeta> {
  const { writes, memtable, format, index, term, tableId } = founding;
  const birth = { term, proposer: 0, sequence: index, ordinal: 0 };
  const content = { writes, memtable: memtable?.memtable, sequence: memtable?.sequence ?? 0 };
  const made = must(await MemtableTable.of(content, birth, format, workers), 'S2 a new cluster has a state');
  const table = { ...made.table, id: tableId };
  const file = await disk.open(tablePath(table.id), 'create');
  try {
    let offset = 0;
    for await (const bytes of made.bytes()) {
      await file.write(bytes, offset);
      offset += bytes.length;
    }
    await file.sync();
  } finally {
    file.close();
  }
  await refuseUnproven({ disk, workers }, table);
  return table;
}

/** What was written is read back, past the caches where that is possible. */
export async function refuseUnproven({ disk, workers }: Pick<FoundingEnv, 'disk' | 'workers'>, table: TableMeta): Promise<void> {
  const { faults } = await verifyTable(disk, tablePath(table.id), table, { pace: workers });
  const [fault] = faults;
  if (fault === undefined) return;
  const damages = [{ file: tablePath(table.id), offset: fault.offset, length: fault.length, why: fault.why }];
  throw new BackupError('DAMAGED', `what was written does not read back: table ${table.id}, bytes from ${fault.offset}: ${fault.why}: replace this disk`, { damages });
}

/** Manifest, log, and whose directory it is; all of it durable when this resolves. */
export async function found(env: FoundingEnv, founder: Founder, version: Version): Promise<void> {
  const { disk, workers } = env;
  const { clusterId, self, term, logSegmentBytes } = founder;
  const { flushed } = version;
  assert(term >= flushed.term, `R2 the term never goes back: ${term} after ${flushed.term}`);
  await acquiring(async (keep) => {
    const hardState = keep(await HardStateStore.open(disk));
    const nothing = { vote: 0, incarnation: 0, manifestGeneration: 0, manifestDigest: '0'.repeat(32) };
    await hardState.create({ ...nothing, term, clusterId, memberId: self });
    const manifest = keep(await ManifestStore.open({
      disk, workers, scheme: DEFAULT_TREE_SETTINGS.format.scheme,
      commitGeneration: ({ generation, digest }) => hardState.update({ manifestGeneration: generation, manifestDigest: digest }),
    }, undefined, version));
    const { log } = keep(await openLog(env, logSegmentBytes));
    await log.resetTo(flushed.index, flushed.term);
    assert(log.firstIndex() === flushed.index + 1 && log.lastIndex() === flushed.index, `R3 the log of a new cluster begins after ${flushed.index}`);
    assert(manifest.manifest === version, 'S2 what is durable is what was founded');
    await log.close();
    manifest.close();
    await hardState.close();
  });
}

async function openLog(env: FoundingEnv, segmentBytes: number): Promise<{ log: DurableLog; close(): Promise<void> }> {
  const { log } = await DurableLog.open(env, { segmentBytes });
  return { log, close: () => log.close().catch(() => undefined) };
}
