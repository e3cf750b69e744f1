/**
 * The storage engine's tree on a memory disk, with flushes and compactions on demand: one replica
 * without a log.
 */

import assert from 'node:assert/strict';
import { MemoryDisk } from '../../../base/disk/memory-disk.js';
import { BlockCache } from '../../../storage/cache/block-cache.js';
import { produceCompaction, produceFlush } from '../../../storage/compaction/produce.js';
import { DEFAULT_TREE_SETTINGS, type TableFormat } from '../../../storage/base/settings.js';
import { noFaults } from '../../../storage/table/block-faults.js';
import { TableStore } from '../../../storage/table/table-store.js';
import { Tree } from '../../../storage/tree/tree.js';
import { applyTreeOp, type OpOutcome } from '../../../storage/version/apply-tree-op.js';
import { Version } from '../../../storage/version/version.js';
import { outputPath, tablePath, type ProducedTable, type TableRef } from '../../../storage/table/table-meta.js';
import type { Workers } from '../../../base/env.js';
import type { TreeWrite } from '../../../storage/base/read-view.js';
import type { TreeOp } from '../../../storage/version/tree-op.js';

const workers = { breathe: () => undefined } as unknown as Workers;
/** Small, so that a few keys fill several blocks. */
const format: TableFormat = { ...DEFAULT_TREE_SETTINGS.format, blockBytes: 128 };

export class StorageTree {
  readonly disk = new MemoryDisk();
  readonly cache = new BlockCache(1 << 20);
  readonly store = new TableStore(this.disk, this.cache, noFaults);
  tree = new Tree({ disk: this.disk, tables: this.store, durable: Version.empty() });

  /** Seals with the given system state, and flushes. Takes two log indices from `index` on. */
  async flush(index: number, state: readonly TreeWrite[]): Promise<void> {
    await this.disk.mkdir('tables');
    this.tree.write(state);
    const sealed = this.#apply(index, { kind: 'seal', proposer: 1, format });
    assert.equal(sealed.kind, 'sealed');
    this.tree.seal(index);
    const memtable = this.tree.sealed(index);
    if (sealed.kind !== 'sealed' || memtable === undefined) throw new Error('sealed');
    const added = await produceFlush(memtable, sealed.seal, { disk: this.disk, workers, tables: this.store });
    await this.#install(index + 1, index, [], added);
  }

  /**
   * Merges all tables into level 1, dropping what is not visible at `gcRevision` or above. Takes
   * two log indices.
   */
  async compact(index: number, gcRevision: number): Promise<void> {
    const metas = this.tree.latest.list();
    if (metas.length === 0) return;
    const inputs = metas.map((meta) => ({ id: meta.id, digest: meta.fileDigest }));
    const op: TreeOp = { kind: 'plan', proposer: 1, purpose: 'compact', inputs, outputLevel: 1, gcRevision, format };
    const planned = this.#apply(index, op);
    if (planned.kind !== 'planned') throw new Error(JSON.stringify(planned));
    const added = await produceCompaction(planned.plan, metas, { disk: this.disk, workers, tables: this.store });
    await this.#install(index + 1, index, inputs, added);
  }

  /**
   * Forgets all memory: what a process finds that starts again after everything was flushed. Gives
   * the flushed index.
   */
  restart(): number {
    const durable = this.tree.materialized;
    this.tree = new Tree({ disk: this.disk, tables: this.store, durable });
    return durable.flushed.index;
  }

  #apply(index: number, op: TreeOp): OpOutcome {
    const { manifest, outcome } = applyTreeOp(this.tree.latest, op, { index, term: 1 });
    this.tree.advance(manifest, { index, term: 1, op });
    return outcome;
  }

  async #install(index: number, plan: number, removed: readonly TableRef[], added: readonly ProducedTable[]): Promise<void> {
    const outcome = this.#apply(index, { kind: 'edit', plan, removed, added });
    if (outcome.kind !== 'edited') throw new Error(JSON.stringify(outcome));
    for (const meta of outcome.added) {
      await this.disk.rename(outputPath(plan, meta.birth.ordinal), tablePath(meta.id));
      this.tree.markLocal(meta.id);
    }
  }
}
