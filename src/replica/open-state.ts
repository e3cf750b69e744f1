/**
 * Opens what a replica has on its disk, in the order in which each says what the next must be: hard state (who am I, what
 * did I promise), manifest (E, F and the tables), log (everything after F). Nothing is repaired or served yet.
 */

import { assert } from '../base/assert.js';
import type { LogIndex } from '../base/ids.js';
import { BlockCache } from '../storage/cache/block-cache.js';
import { DEFAULT_TREE_SETTINGS } from '../storage/settings.js';
import { TableStore } from '../storage/table/table-store.js';
import { Tree } from '../storage/tree.js';
import { emptyManifest } from '../storage/version/apply-tree-op.js';
import type { LogicalManifest } from '../storage/version/logical-manifest.js';
import { ManifestStore } from '../storage/version/manifest-store.js';
import { ReplicaError } from './errors.js';
import { HardStateStore } from './hard-state/hard-state.js';
import { DurableLog } from './log/durable-log.js';
import type { ReplicaOptions } from './options.js';
import { refuseForgottenPromises } from './promises-kept.js';

export interface OpenedState {
  readonly hardState: HardStateStore;
  /** Of this start: a durable counter. */
  readonly incarnation: number;
  /** The files hold no promise: this member was never here, or somebody emptied its directory. */
  readonly isNew: boolean;
  readonly store: ManifestStore;
  readonly log: DurableLog;
  readonly tables: TableStore;
  readonly tree: Tree;
  readonly commit: LogIndex;
}

/** Rejects with ReplicaError, HardStateError, LogError, StorageError or DiskError: what is wrong, and what to do. */
export async function openState(options: ReplicaOptions): Promise<OpenedState> {
  const { disk } = options.env;
  await refuseForgottenPromises(disk);
  await disk.mkdir('tables');
  await disk.mkdir('manifest');
  await disk.mkdir('log');
  const hardState = await openHardState(options);
  const store = await openManifest(options, hardState);
  const tables = new TableStore(disk, new BlockCache(options.cacheBytes), options.hooks.faults);
  const tree = new Tree({ disk, tables, durable: store.manifest });
  for (const path of await tree.orphans()) await disk.unlink(path);
  const { log, commit } = await openLog(options, store.manifest);
  const { term = 0, incarnation = 0 } = hardState.current ?? {};
  const isNew = term === 0 && log.lastIndex() === 0 && store.manifest.last.index === 0;
  return { hardState, incarnation, isNew, store, log, tables, tree, commit };
}

async function openHardState(options: ReplicaOptions): Promise<HardStateStore> {
  const { self, clusterId, env } = options;
  const hardState = await HardStateStore.open(env.disk);
  if (hardState.current === undefined) {
    const nothing = { term: 0, vote: 0, incarnation: 0, manifestGeneration: 0, manifestDigest: '0'.repeat(32) };
    await hardState.create({ ...nothing, clusterId, memberId: self });
  }
  const known = hardState.current;
  assert(known, 'hard state exists once it was created');
  if (known.clusterId !== clusterId || known.memberId !== self) {
    throw new ReplicaError(
      'WRONG_IDENTITY',
      `the data directory belongs to member ${known.memberId.toString(16)} of cluster ${known.clusterId.toString(16)}, ` +
        `but the flags describe member ${self.toString(16)} of cluster ${clusterId.toString(16)}: ` +
        'check --name, --initial-cluster and --initial-cluster-token, or point --data-dir elsewhere',
    );
  }
  await hardState.update({ incarnation: known.incarnation + 1 });
  return hardState;
}

function openManifest(options: ReplicaOptions, hardState: HardStateStore): Promise<ManifestStore> {
  const known = hardState.current;
  const named = known && known.manifestGeneration > 0 ? { generation: known.manifestGeneration, digest: known.manifestDigest } : undefined;
  return ManifestStore.open(
    {
      disk: options.env.disk,
      // Never a flag's: what was written must be readable whatever a node is started with.
      scheme: DEFAULT_TREE_SETTINGS.format.scheme,
      commitGeneration: ({ generation, digest }) => hardState.update({ manifestGeneration: generation, manifestDigest: digest }),
    },
    named,
    emptyManifest(),
  );
}

/** The log as of the manifest: one that ends before F belongs to a snapshot that was installed just before a crash. */
async function openLog(options: ReplicaOptions, manifest: LogicalManifest): Promise<{ log: DurableLog; commit: LogIndex }> {
  const { env, logSegmentBytes } = options;
  const { flushed, last } = manifest;
  const known = { minCommitKnown: last.index, coveredThrough: flushed.index };
  const { log, recovered } = await DurableLog.open(env, { segmentBytes: logSegmentBytes, ...known });
  const holds = log.firstIndex() <= flushed.index + 1 && log.lastIndex() >= flushed.index;
  const joins = holds && (flushed.index === 0 || log.term(flushed.index) === flushed.term);
  if (!joins) {
    if (log.firstIndex() > flushed.index + 1) {
      throw new ReplicaError(
        'BROKEN',
        `the log starts at ${log.firstIndex()}, after what the tables hold (${flushed.index}): entries between are missing here. ` +
          'The other members go on. Keep this data directory; re-admission (kintsugi recover) comes with a later version',
      );
    }
    await log.resetTo(flushed.index, flushed.term, last.index);
  }
  const commit = Math.min(Math.max(recovered.commit, last.index, flushed.index), log.lastIndex());
  return { log, commit: Math.max(commit, flushed.index) };
}
