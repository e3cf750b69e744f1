/** STUB: signatures first, bodies follow. */
import type { Disk } from '../../base/disk.js';
import type { Workers } from '../../base/env.js';
import type { Memtable } from '../memtable/memtable.js';
import type { TableStore } from '../table/table-store.js';
import type { PendingPlan, PendingSeal } from '../version/logical-manifest.js';
import type { ProducedTable, TableMeta } from '../version/table-meta.js';

export interface ProduceContext {
  readonly disk: Disk;
  readonly workers: Workers;
  readonly tables: TableStore;
  /** Checked at each slice; true: StorageError CANCELLED. */
  readonly cancelled?: () => boolean;
}
/** Writes, syncs and reads back outputPath(seal.index, 0); no table for an empty memtable. */
export async function produceFlush(memtable: Memtable, seal: PendingSeal, context: ProduceContext): Promise<ProducedTable[]> {
  await Promise.resolve();
  throw new Error(`stub ${memtable.bytes} ${seal.index} ${typeof context}`);
}
/**
 * Writes, syncs and reads back outputPath(plan.index, 0..n-1). `inputs` are the metas of plan.inputs in that order. A block that is beyond
 * parity rejects with BLOCK_UNREADABLE (or TABLE_UNREADABLE): repair, then run again from the start.
 */
export async function produceCompaction(plan: PendingPlan, inputs: readonly TableMeta[], context: ProduceContext): Promise<ProducedTable[]> {
  await Promise.resolve();
  throw new Error(`stub ${plan.index} ${inputs.length} ${typeof context}`);
}
