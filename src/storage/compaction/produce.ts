/**
 * What a seal or plan says, done with this node's files. The bytes are a function of the plan and
 * the content of its inputs alone: not of memtable shapes, slices, or what was there before (S2). A
 * failed or cancelled run leaves nothing that counts.
 *
 * A flush:
 *
 * 1. A seal entry is applied: every replica seals its memtable there (`Tree.seal`) and writes go to
 *    a new one.
 * 2. `produceFlush` writes all that the memtable holds, in key order, into one table,
 *    `tables/plan-<seal>-0.tmp`.
 * 3. `OutputFiles.finish`: the file is synced, its name is made durable, and it is read back; its
 *    digest must be that of the bytes that were handed to the disk (S6).
 * 4. Members report their digests. When a majority has the same, the leader proposes the edit
 *    (replica/tree).
 * 5. The edit is applied (`applyTreeOp`): the table gets an id and goes to the front of level 0.
 *    The file is renamed, reads move to the new version, the memtable goes, and the manifest is
 *    recorded.
 *
 * A compaction:
 *
 * 1. The leader picks inputs (`pickLeveled`) and proposes a plan. Applied, it makes them busy
 *    (`judgePlan`).
 * 2. `produceCompaction` merges the inputs in key order (`MergeCursor`), leaves out what GC allows
 *    (`MvccGc`), and begins a new table whenever one is full.
 * 3. The outputs are synced, named and read back, as in a flush.
 * 4. Members report, and the leader proposes the edit, as in a flush.
 * 5. The edit puts the outputs in the place of the inputs. The files of those go when no version
 *    that is kept, no reader and no transfer needs them (`TreeFiles`, S5).
 */

import { assert } from '../../base/assert.js';
import { KiB, MiB } from '../../base/bytes.js';
import type { Disk } from '../../base/disk.js';
import type { Breather } from '../../base/env.js';
import { StorageError } from '../base/errors.js';
import { MergeCursor } from '../iterator/merge-cursor.js';
import { comparePrefixes } from '../base/key.js';
import type { Memtable } from '../memtable/memtable.js';
import type { TableStore } from '../table/table-store.js';
import type { PendingPlan, PendingSeal } from '../version/pending.js';
import type { ProducedTable, TableMeta } from '../table/table-meta.js';
import { OutputFiles } from './output-files.js';
import { MemtableEntries } from './memtable-entries.js';
import { MvccGc } from './mvcc-gc.js';

export interface ProduceContext {
  readonly disk: Disk;
  readonly workers: Breather;
  readonly tables: TableStore;
  /**
   * Looked at before each slice; once it is cancelled the run rejects with StorageError CANCELLED.
   */
  readonly job?: { readonly cancelled: boolean };
}

const WRITE_BYTES = 1 * MiB;
/** Between two looks at the clock: so many versions, or so many bytes of theirs. */
const SLICE_VERSIONS = 256;
const SLICE_BYTES = 64 * KiB;

/** How much of a slice is done: whatever the data, it is over before anybody waits for long. */
class Slice {
  #versions = 0;
  #bytes = 0;

  did(bytes: number): void {
    this.#versions++;
    this.#bytes += bytes;
  }

  get over(): boolean {
    return this.#versions >= SLICE_VERSIONS || this.#bytes >= SLICE_BYTES;
  }
}

/** One slice of the work; false when there is no more. */
type Step = (out: OutputFiles, slice: Slice) => boolean;

/** Writes, syncs and reads back the one table of a sealed memtable; none if it is empty. */
export function produceFlush(memtable: Memtable, seal: PendingSeal, context: ProduceContext): Promise<ProducedTable[]> {
  assert(memtable.sealed, `S1 a memtable is flushed once nothing more is written to it (seal ${seal.index})`);
  const entries = new MemtableEntries(memtable);
  const step: Step = (out, slice) => {
    const { slot } = entries;
    while (!slice.over) {
      if (!entries.next()) return false;
      out.add(slot);
      slice.did(slot.keyEnd + slot.valueEnd - slot.valueAt);
    }
    return true;
  };
  return run(seal, false, step, context);
}

/**
 * Writes, syncs and reads back the tables of a compaction. `inputs` are those of `plan.inputs`, in
 * that order. A block beyond parity rejects with BLOCK_UNREADABLE or TABLE_UNREADABLE: repair it,
 * then run again from the start.
 */
export async function produceCompaction(
  plan: PendingPlan, inputs: readonly TableMeta[], context: ProduceContext,
): Promise<ProducedTable[]> {
  assert(
    inputs.length === plan.inputs.length &&
      inputs.every((meta, i) => meta.id === plan.inputs[i]?.id && meta.fileDigest === plan.inputs[i]?.digest),
    'S6 a plan is executed on its own inputs',
  );
  const merged = new MergeCursor(runsOf(inputs).map((run) => run.map((meta) => context.tables.reader(meta))));
  const gc = plan.purpose === 'rewrite' ? undefined : new MvccGc(plan);
  const { slot } = merged;
  const step: Step = (out, slice) => {
    while (!slice.over) {
      if (!merged.next()) {
        gc?.end(out);
        return false;
      }
      if (gc === undefined) out.add(slot);
      else gc.add(slot, out);
      slice.did(slot.keyEnd + slot.valueEnd - slot.valueAt);
    }
    return true;
  };
  return run(plan, true, step, context);
}

/** As few runs as there are: tables that follow each other by key are one. */
function runsOf(inputs: readonly TableMeta[]): TableMeta[][] {
  const runs: TableMeta[][] = [];
  for (const meta of [...inputs].sort((a, b) => comparePrefixes(a.smallest, b.smallest))) {
    const run = runs.find((r) => comparePrefixes((r.at(-1) as TableMeta).largest, meta.smallest) < 0);
    if (run === undefined) runs.push([meta]);
    else run.push(meta);
  }
  assert(runs.every((run) => run.length > 0) && runs.flat().length === inputs.length, 'S6 every input is read, and once');
  return runs;
}

async function run(origin: PendingSeal | PendingPlan, split: boolean, step: Step, context: ProduceContext): Promise<ProducedTable[]> {
  const { disk, workers, job } = context;
  const { term, proposer, index: sequence, format } = origin;
  const out = new OutputFiles({ disk, workers, format, split, birth: { term, proposer, sequence } });
  try {
    for (let more = true; more; ) {
      if (job?.cancelled === true) throw new StorageError('CANCELLED', `plan ${sequence} was cancelled`, { plan: sequence });
      more = step(out, new Slice());
      await out.complete();
      if (out.pendingBytes >= WRITE_BYTES) await out.drain();
      await workers.breathe();
    }
    const tables = await out.finish();
    assert(split || tables.length <= 1, `S2 a flush gives one table, not ${tables.length}`);
    return tables;
  } catch (error) {
    await out.abort();
    throw error;
  }
}
