/**
 * A tree with a log of its own, as a replica drives it, without consensus: for the tests of the
 * storage engine.
 */

import { strict as assert } from 'node:assert';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import type { Disk } from '../../base/disk.js';
import type { LogIndex } from '../../base/ids.js';
import { BlockCache } from '../cache/block-cache.js';
import { produceCompaction, produceFlush, type ProduceContext } from '../compaction/produce.js';
import type { TreeWrite } from '../base/read-view.js';
import { TABLE_FORMAT_VERSION, type TableFormat, type TreeSettings } from '../base/settings.js';
import { noFaults, type BlockFaults } from '../table/block-faults.js';
import { TableStore } from '../table/table-store.js';
import { Tree } from '../tree/tree.js';
import { applyTreeOp, type OpOutcome } from '../version/apply-tree-op.js';
import { Version } from '../version/version.js';
import type { ManifestName } from '../version/manifest-record.js';
import { ManifestStore } from '../version/manifest-store.js';
import { outputPath, tablePath, type ProducedTable, type TableMeta, type TableRef } from '../table/table-meta.js';
import type { TreeOp } from '../version/tree-op.js';

export const SMALL_FORMAT: TableFormat = {
  version: TABLE_FORMAT_VERSION,
  blockBytes: 256,
  codec: 'none',
  scheme: { kind: 'xor', k: 4 },
  filterBitsPerKey: 10,
  tableBytes: 8 * 1024,
};

export const SMALL_SETTINGS: TreeSettings = {
  format: SMALL_FORMAT,
  memtableBytes: 4096,
  level0Tables: 3,
  level1Bytes: 16 * 1024,
  levelRatio: 4,
};

type Entry = { readonly kind: 'writes'; readonly writes: readonly TreeWrite[] } | { readonly kind: 'op'; readonly op: TreeOp };

export class TreeHarness {
  readonly disk: Disk;
  readonly #faults: BlockFaults;
  readonly log: Entry[] = [];
  tables!: TableStore;
  tree!: Tree;
  store!: ManifestStore;
  /** What hard state would say. */
  name: ManifestName | undefined;
  manifest: Version = Version.empty();
  term = 1;
  proposer = 7;
  context!: ProduceContext;

  private constructor(disk: Disk, faults: BlockFaults) {
    this.disk = disk;
    this.#faults = faults;
  }

  static async open(disk: Disk = new MemoryDisk(), faults: BlockFaults = noFaults): Promise<TreeHarness> {
    const harness = new TreeHarness(disk, faults);
    await disk.mkdir('tables');
    await harness.#start();
    return harness;
  }

  get lastIndex(): LogIndex {
    return this.log.length;
  }

  async #start(): Promise<void> {
    this.tables = new TableStore(this.disk, new BlockCache(256 * 1024), this.#faults, { maxOpenTables: 4 });
    const commitGeneration = async (name: ManifestName): Promise<void> => void (this.name = name);
    const workers = { breathe: () => undefined };
    const options = { disk: this.disk, workers, scheme: SMALL_FORMAT.scheme, commitGeneration, rotateBytes: 64 * 1024 };
    this.store = await ManifestStore.open(options, this.name, Version.empty());
    this.tree = new Tree({ disk: this.disk, tables: this.tables, durable: this.store.manifest });
    this.manifest = this.store.manifest;
    this.context = { disk: this.disk, workers, tables: this.tables };
  }

  /** As after a crash: memory is lost, the log is replayed from behind the flushed index. */
  async reopen(): Promise<void> {
    this.tables.close();
    this.store.close();
    await this.#start();
    const durable = this.store.manifest;
    const sealed = new Set(durable.seals.map((seal) => seal.index));
    for (let index = durable.flushed.index + 1; index <= this.log.length; index++) {
      const entry = this.log[index - 1] as Entry;
      if (entry.kind === 'writes') this.tree.write(entry.writes);
      else if (index > durable.last.index) this.#apply(entry.op, index);
      else if (sealed.has(index)) this.tree.seal(index);
    }
    for (const table of this.tree.owed()) if (this.disk.sizeOf(tablePath(table.id)) !== undefined) this.tree.markLocal(table.id);
  }

  write(writes: readonly TreeWrite[]): void {
    this.log.push({ kind: 'writes', writes });
    this.tree.write(writes);
  }

  apply(op: TreeOp): OpOutcome {
    this.log.push({ kind: 'op', op });
    return this.#apply(op, this.log.length);
  }

  #apply(op: TreeOp, index: LogIndex): OpOutcome {
    const { manifest, outcome } = applyTreeOp(this.manifest, op, { index, term: this.term });
    this.manifest = manifest;
    if (outcome.kind === 'sealed') this.tree.seal(index);
    this.tree.advance(manifest, { index, term: this.term, op });
    return outcome;
  }

  seal(): OpOutcome {
    return this.apply({ kind: 'seal', proposer: this.proposer, format: SMALL_FORMAT });
  }

  /** Produces what the oldest seal says and installs it. */
  async flush(materialize = true): Promise<OpOutcome | undefined> {
    const seal = this.manifest.seals[0];
    if (seal === undefined) return undefined;
    const memtable = this.tree.sealed(seal.index);
    assert(memtable !== undefined, 'a memtable that is not flushed is kept');
    const added = await produceFlush(memtable, seal, this.context);
    return this.edit(seal.index, [], added, materialize);
  }

  /** Produces what the pending plan says; every input must be local. */
  async produce(index: LogIndex): Promise<ProducedTable[]> {
    const plan = this.manifest.plan(index);
    assert(plan !== undefined);
    return produceCompaction(plan, plan.inputs.map((ref) => this.tree.meta(ref.id) as TableMeta), this.context);
  }

  async compact(index: LogIndex, materialize = true): Promise<OpOutcome> {
    const plan = this.manifest.plan(index);
    assert(plan !== undefined);
    return this.edit(index, plan.inputs, await this.produce(index), materialize);
  }

  async edit(plan: LogIndex, removed: readonly TableRef[], added: ProducedTable[], materialize: boolean): Promise<OpOutcome> {
    const outcome = this.apply({ kind: 'edit', plan, removed, added });
    if (materialize) await this.materialize();
    return outcome;
  }

  /** Links every owed table from its plan's output, or from a local table of the same content. */
  async materialize(): Promise<void> {
    for (const table of this.tree.owed()) {
      const output = outputPath(table.birth.sequence, table.birth.ordinal);
      const local = [...this.tree.materialized.list(), ...this.tree.durable.list()];
      const twin = local.find((t) => t.fileDigest === table.fileDigest);
      const from = this.disk.sizeOf(output) !== undefined ? output : twin && tablePath(twin.id);
      assert(from !== undefined, `table ${table.id} can be had`);
      await this.disk.link(from, tablePath(table.id));
      await this.disk.syncDir('tables');
      this.tree.markLocal(table.id);
    }
  }

  /** Records the materialized version and deletes what may go. */
  async record(): Promise<void> {
    const unrecorded = this.tree.unrecorded();
    if (unrecorded !== undefined) {
      await this.store.append(unrecorded.ops, unrecorded.manifest);
      this.tree.setDurable(unrecorded.manifest);
    }
    await this.tree.collect();
    for (const path of await this.tree.orphans()) await this.disk.unlink(path);
  }
}
