/**
 * The moment that a backup shows: all that was applied up to one entry, and nothing later. R4 every
 * write that was acknowledged before the backup was asked for is in it, because the member first
 * confirms with the others how far the log was committed then. What it shows never changes, and its
 * tables stay on the disk, until it is let go (S5).
 */

import { EtcdError } from '../../api/etcd-error.js';
import { assert } from '../../base/assert.js';
import { sleep, type Env } from '../../base/env.js';
import type { ClusterVersion, LogIndex, Revision, TableId, Term } from '../../base/ids.js';
import type { TreeWrite } from '../../storage/base/read-view.js';
import type { TableFormat } from '../../storage/base/settings.js';
import type { Tree } from '../../storage/tree/tree.js';
import type { TreeView } from '../../storage/tree/tree-view.js';
import type { ReplicatedState } from '../kv/replicated-state.js';
import type { DurableLog } from '../log/durable-log.js';
import type { Reads } from '../reads/reads.js';
import type { Progress } from '../state/progress.js';

export interface PointParts {
  readonly env: Pick<Env, 'clock'>;
  readonly tree: Tree;
  readonly state: ReplicatedState;
  readonly progress: Progress;
  readonly log: Pick<DurableLog, 'term'>;
  readonly reads: Pick<Reads, 'linearizable' | 'open'>;
}

export interface BackupPoint {
  readonly index: LogIndex;
  readonly term: Term;
  readonly revision: Revision;
  readonly compactRevision: Revision;
  readonly clusterVersion: ClusterVersion;
  /** No table had it when the view was taken. */
  readonly nextTableId: TableId;
  readonly format: TableFormat;
  /** The state machine, as the entry after `index` would find it if that sealed the memtable. */
  readonly writes: readonly TreeWrite[];
  /** Held: to be released. */
  readonly view: TreeView;
}

/** Between two looks while an entry is applied in slices. */
const AGAIN_MS = 5;

/** Rejects with EtcdError: what a linearizable read would be refused with. */
export async function takePoint(parts: PointParts, timeoutMs: number): Promise<BackupPoint> {
  const { clock } = parts.env;
  const deadline = clock.now() + timeoutMs;
  await parts.reads.linearizable();
  for (;;) {
    const point = pointNow(parts);
    if (point !== undefined) return point;
    if (clock.now() >= deadline) throw new EtcdError('TIMEOUT', 'an entry is being applied, or the cluster has no settings yet');
    await sleep(clock, AGAIN_MS);
    // Another version may have taken the place of this one meanwhile.
    if (!parts.reads.open) await parts.reads.linearizable();
  }
}

/** Undefined: part of an entry is applied, or this cluster has not begun. */
function pointNow({ tree, state, progress, log, reads }: PointParts): BackupPoint | undefined {
  const { kv, settings } = state;
  const index = progress.applied.value;
  if (!reads.open || kv.applying || kv.appliedIndex > index || settings === undefined) return undefined;
  assert(progress.flushed <= index, `S1 what is flushed was applied: ${progress.flushed} of ${index}`);
  return {
    index,
    term: log.term(index),
    revision: kv.revision,
    compactRevision: kv.compactRevision,
    clusterVersion: state.version,
    nextTableId: tree.latest.nextTableId,
    format: settings.format,
    writes: state.sealWrites(index + 1),
    view: tree.view(),
  };
}
