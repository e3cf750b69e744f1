/**
 * Opens what a replica has on its disk, in the order in which each says what the next must be: hard
 * state (who am I, what did I promise), manifest (materialized and flushed index, the tables), log
 * (everything after the flushed index). Nothing is repaired or served yet.
 */

import type { Keep } from '../../base/acquiring.js';
import { assert } from '../../base/assert.js';
import { codeOf, DiskError } from '../../base/errors.js';
import type { Env } from '../../base/env.js';
import type { LogIndex, NodeId, Term } from '../../base/ids.js';
import { BlockCache } from '../../storage/cache/block-cache.js';
import { DEFAULT_TREE_SETTINGS } from '../../storage/base/settings.js';
import { StorageError } from '../../storage/base/errors.js';
import { TableStore } from '../../storage/table/table-store.js';
import { Tree } from '../../storage/tree/tree.js';
import { Version } from '../../storage/version/version.js';
import { manifestGenerations } from '../../storage/version/manifest-files.js';
import { ManifestStore, type ManifestStoreOptions } from '../../storage/version/manifest-store.js';
import type { EarlyHandler } from './early-handler.js';
import { ReplicaError } from '../base/errors.js';
import { HardStatePatrol } from '../hard-state/hard-state-patrol.js';
import { HardStateStore, type HardStateRecord } from '../hard-state/hard-state.js';
import type { DurableLog, OpenedLog } from '../log/durable-log.js';
import { readIntent, writeIntent, type RecoverIntent } from '../readmission/intent.js';
import { setAside } from '../readmission/set-aside.js';
import type { Life } from '../state/life.js';
import { joinedMissing, keeperOfJoined, type JoinError } from '../state/joined.js';
import type { Membership } from '../state/membership.js';
import { untilRoom } from '../state/until-room.js';
import { KnownPeers } from '../log-recovery/known-peers.js';
import { goingOn } from './going-on.js';
import { servingTables } from './left-tables.js';
import { LogOpener } from './log-opener.js';
import type { ReplicaOptions } from './options.js';
import { PromisesStore } from './promises-store.js';
import { refuseForgottenLog, refuseForgottenPromises } from './promises-kept.js';
import { regainVersion } from './regain-version.js';
import { refuseUnfinishedRestore } from './unfinished-restore.js';
import { refuseUnfinishedTakeover } from './unfinished-takeover.js';
import { commitOf, joins } from '../log/joins.js';

/** What an opening member has from the start. */
export interface OpeningParts {
  readonly options: ReplicaOptions;
  readonly life: Life;
  readonly membership: Membership;
  readonly early: EarlyHandler;
}

export interface OpenedState {
  readonly hardState: HardStateStore;
  readonly patrol: HardStatePatrol;
  /** Of this start: a durable counter. */
  readonly incarnation: number;
  /**
   * What the files held at the start, before anything was taken from a peer. Term 0: no promise,
   * the member is new or was emptied.
   */
  readonly term: Term;
  readonly vote: NodeId;
  readonly store: ManifestStore;
  readonly log: DurableLog;
  /** Where the files said that the log ends, before anything was cut that proved of no use. */
  readonly logEnd: LogIndex;
  readonly tables: TableStore;
  readonly tree: Tree;
  readonly commit: LogIndex;
  /** What the others promised to this member, as far as it is remembered. */
  readonly promises: PromisesStore;
  /** This member comes back as a new one, and that is not over. */
  readonly intent: RecoverIntent | undefined;
}

/**
 * Files that stay open are kept with `keep`. Rejects with ReplicaError, HardStateError, LogError,
 * StorageError or DiskError: what is wrong, and what to do.
 */
export async function openState(parts: OpeningParts, keep: Keep): Promise<OpenedState> {
  const { options } = parts;
  const { disk } = options.env;
  await refuseUnfinishedRestore(disk);
  await refuseUnfinishedTakeover(disk);
  const found = await readIntent(disk);
  assert(found?.stage !== 'asks', 'R5 a member that is to be re-admitted asks first');
  if (found?.stage === 'admitted') await beginAnew(options, found);
  else await refuseForgottenPromises(disk);
  await disk.mkdir('tables');
  await disk.mkdir('manifest');
  await disk.mkdir('log');
  const hardState = await openHardState(options, keep);
  // From now on what it promises under its new id is in there.
  const intent = found && { ...found, stage: 'begun' as const };
  if (intent !== undefined && found?.stage === 'admitted') await writeIntent(disk, intent);
  const { term = 0, vote = 0, incarnation = 0 } = hardState.current ?? {};
  if (term > 0) await refuseForgottenLog(disk);
  assert(incarnation > 0, `R5 each start has a number: ${incarnation}`);
  const { store, log, logEnd, commit } = await openVersion(parts, hardState, keep, intent);
  assert(joins(log, store.manifest.flushed), `S1 the log goes on after ${store.manifest.flushed.index}, where the tables end`);
  assert(commit >= store.manifest.flushed.index && commit <= log.lastIndex(), `R3 what is committed (${commit}) is in tables or in the log`);
  const tables = keep(new TableStore(disk, new BlockCache(options.cacheBytes), options.healing.faults));
  const tree = new Tree({ disk, tables, durable: store.manifest });
  for (const path of await tree.orphans()) await disk.unlink(path);
  const patrol = new HardStatePatrol({ env: options.env, life: parts.life, hardState, joined: await keeperOfJoined(disk, options.self) });
  await patrol.begin();
  const promises = await PromisesStore.open(options.env, options);
  return { hardState, patrol, incarnation, term, vote, store, log, logEnd, tables, tree, commit, promises, intent };
}

/** What its old id has promised is no concern of the new one: it has not promised anything. */
async function beginAnew({ self, clusterId, joins = [], env }: ReplicaOptions, { id }: RecoverIntent): Promise<void> {
  if (id !== self) throw joinedMissing({ memberId: id, clusterId }, joins.length > 0 ? self : undefined, true);
  await setAside(env.disk, id);
}

async function openHardState(options: ReplicaOptions, keep: Keep): Promise<HardStateStore> {
  const { self, clusterId, env } = options;
  const hardState = keep(await HardStateStore.open(env.disk));
  if (hardState.current === undefined) {
    const nothing = { term: 0, vote: 0, incarnation: 0, manifestGeneration: 0, manifestDigest: '0'.repeat(32) };
    await hardState.create({ ...nothing, clusterId, memberId: self });
  }
  const known = hardState.current;
  assert(known, 'hard state exists once it was created');
  if (known.clusterId !== clusterId || known.memberId !== self) {
    throw wrongIdentity(known, options);
  }
  await hardState.update({ incarnation: known.incarnation + 1 });
  return hardState;
}

/**
 * Flags name the cluster that they began, so one of which they name every founder is theirs: if the
 * member is none of these, what says who it is has gone. What was told, or read beside hard state,
 * is never of another directory.
 */
function wrongIdentity(
  known: Pick<HardStateRecord, 'memberId' | 'clusterId'>, { self, clusterId, members, joins = [] }: ReplicaOptions,
): ReplicaError | JoinError {
  if (joins.length > 0 && known.clusterId === clusterId) return joinedMissing(known, self, true);
  const mayLackJoined = joins.length === 0 && !members.some(({ id }) => id === known.memberId);
  if (mayLackJoined && known.clusterId === clusterId) return joinedMissing(known, undefined, true);
  return new ReplicaError(
    'WRONG_IDENTITY',
    `the data directory belongs to member ${known.memberId.toString(16)} of cluster ${known.clusterId.toString(16)}, ` +
      `but the flags describe member ${self.toString(16)} of cluster ${clusterId.toString(16)}: ` +
      'check --name, --initial-cluster and --initial-cluster-token, or point --data-dir elsewhere' +
      (mayLackJoined ? `. ${JOINED_PERHAPS_LOST}` : ''),
    { mayLackJoined },
  );
}

const JOINED_PERHAPS_LOST =
  'If these are as they were at its last start, the file joined is lost that went before them: kintsugi recover --data-dir DIR, and start it again; ' +
  'or, if it is the only member of its cluster, kintsugi recover --force-new-cluster --data-dir DIR';

type OpenedVersion = Pick<OpenedState, 'store' | 'log' | 'logEnd' | 'commit'>;

/**
 * The version that hard state names and the log that goes with it; if either does not suit the
 * other any more, a peer's version.
 */
async function openVersion(
  { options, life, membership, early }: OpeningParts, hardState: HardStateStore, keep: Keep,
  intent: RecoverIntent | undefined,
): Promise<OpenedVersion> {
  const { env } = options;
  const term = hardState.current?.term ?? 0;
  const { clusterId, logSegmentBytes: segmentBytes, outlook } = options;
  const logs = new LogOpener({ env, life, membership, early, hardState, clusterId, segmentBytes, term, outlook });
  const { store, lost } = await openManifest(options, hardState, intent);
  keep(store);
  let cause = lost;
  if (cause === undefined) {
    const { manifest } = store;
    const { flushed, last } = manifest;
    const opened = await servingTables(env, membership, early, manifest, () => logs.openMended({ flushed }, last.index, manifest));
    const first = opened.log.firstIndex();
    if (first <= flushed.index + 1) {
      keep(opened.log);
      return { store, logEnd: logs.lastIndex, ...(await follow(env, opened, store.manifest)) };
    }
    await opened.log.close();
    cause = new ReplicaError(
      'BROKEN',
      `the log starts at ${first}, after what the tables hold (${flushed.index}): entries between are missing here. Another member can give what ` +
        'they led to; without one, put back a copy of the whole data directory that was made at one time',
    );
  }
  life.to({ s: 'regaining', why: cause.message });
  await early.listen();
  const known = new KnownPeers(env, membership, options.clusterId);
  await known.readLog();
  const opened = await regainVersion({ env, membership: known, early, hardState, store, cause, logs, needsPeer: codeOf(cause) === 'READMISSION' });
  keep(opened.log);
  return { store, logEnd: logs.lastIndex, ...(await follow(env, opened, store.manifest)) };
}

interface OpenedManifest {
  readonly store: ManifestStore;
  /** Why it holds nothing although there was something. */
  readonly lost?: Error;
}

async function openManifest(
  options: ReplicaOptions, hardState: HardStateStore, intent: RecoverIntent | undefined,
): Promise<OpenedManifest> {
  const of = manifestOptions(options, hardState);
  const known = hardState.current;
  if (intent !== undefined && known?.manifestGeneration === 0) return openLeftTables(of);
  const named = known && known.manifestGeneration > 0 ? { generation: known.manifestGeneration, digest: known.manifestDigest } : undefined;
  try {
    return { store: await ManifestStore.open(of, named, Version.empty()) };
  } catch (error) {
    if (!(error instanceof Error) || !isManifestLost(error) || named === undefined) throw error;
    return { store: ManifestStore.lost(of, named, Version.empty()), lost: error };
  }
}

/**
 * A member that was re-admitted: which version its tables are of is not known any more, but those
 * that a peer's version names need not be fetched.
 */
async function openLeftTables(of: ManifestStoreOptions): Promise<OpenedManifest> {
  const generation = (await manifestGenerations(of.disk)).at(-1) ?? 0;
  const lost = new ReplicaError('READMISSION', 'this member was re-admitted: it begins with the version of another member, and keeps the tables of it that it has');
  return { store: ManifestStore.lost(of, { generation, digest: '0'.repeat(32) }, Version.empty()), lost };
}

/** A file that cannot be opened is as good as one that cannot be read. */
function isManifestLost(error: Error): boolean {
  return error instanceof StorageError ? error.code === 'MANIFEST_UNREADABLE' : error instanceof DiskError && error.code === 'READ_FAILED';
}

function manifestOptions({ env }: ReplicaOptions, hardState: HardStateStore): ManifestStoreOptions {
  return {
    disk: env.disk,
    // Never a flag's: what was written must be readable whatever a node is started with.
    scheme: DEFAULT_TREE_SETTINGS.format.scheme,
    workers: env.workers,
    commitGeneration: ({ generation, digest }) => hardState.update({ manifestGeneration: generation, manifestDigest: digest }),
  };
}

/**
 * The log as of the manifest: one that ends before the flushed index belongs to a snapshot that was
 * installed just before a crash.
 */
async function follow(env: Env, { log, recovered }: OpenedLog, { flushed, last }: Version): Promise<{ log: DurableLog; commit: LogIndex }> {
  assert(log.firstIndex() <= flushed.index + 1, 'S1 the log begins with what the tables lack, or before');
  // C1 Peers may have been heard already: then a start is not begun anew on a full disk.
  if (!joins(log, flushed)) await untilRoom(env, () => goingOn(env, () => log.resetTo(flushed.index, flushed.term, last.index)));
  return { log, commit: commitOf(log, { flushed, last }, recovered.commit) };
}
