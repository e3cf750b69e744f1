/**
 * The Store of a member that waits for an entry of its log. D1 It serves serializable reads of what
 * was applied before, out of its tables and the sound beginning of its log, as far as that is known
 * to be committed; and it says what it waits for. Everything else is refused as by a member that
 * knows no leader: clients go to another one.
 */

import type { Caller } from '../api/caller.js';
import { EtcdError } from '../api/etcd-error.js';
import type { RangeRequest, RangeResponse, RequestOp, TxnRequest, TxnResponse } from '../api/requests.js';
import type { LeaseApi } from '../api/services/lease.js';
import { NO_WATCHES } from '../api/services/watch.js';
import { drive } from '../base/drive.js';
import { codeOf, messageOf } from '../base/errors.js';
import type { Env } from '../base/env.js';
import type { LogIndex, NodeId, Term } from '../base/ids.js';
import { noCounts } from '../healing/status/heal-counters.js';
import type { HintStatus } from '../healing/status/hint-status.js';
import { NOTHING_SCRUBBED, type ScrubReport } from '../healing/status/scrub-status.js';
import { Access, type AuthHolder } from '../replica/auth/access.js';
import { SimpleTokens } from '../replica/auth/simple-tokens.js';
import type { BackupPiece } from '../replica/backup/backups.js';
import { NEWEST_VERSION } from '../replica/base/protocol.js';
import type { Alarm } from '../replica/kv/alarms.js';
import { readRange, type StoreState } from '../replica/kv/range.js';
import { isReadOnlyTxn, isSerializableTxn, readTxn } from '../replica/kv/txn.js';
import { validateCommand, validateRange } from '../replica/kv/validate.js';
import type { Undecided } from '../replica/log-recovery/outlook.js';
import { Replay } from '../replica/lost-cluster/replay.js';
import type { ReplicaOptions } from '../replica/start/options.js';
import { Membership } from '../replica/state/membership.js';
import { StorageError } from '../storage/base/errors.js';
import type { ReadView } from '../storage/base/read-view.js';
import type { AuthApi, MemberInfo, NodeStatus, Store } from './store.js';

export type WaitingOptions = Pick<ReplicaOptions, 'self' | 'clusterId' | 'members' | 'joins' | 'maxTxnOps'>;

/** Users and roles are not told, and nobody can authenticate, without a leader. */
const NO_AUTH: AuthApi = {
  status: refuse, password: refuse, change: refuse, users: refuse, roles: refuse, user: refuse, role: refuse, catchUp: refuse,
};

/** Nobody keeps the time of leases, or knows of them for sure, without a leader. */
const NO_LEASES: LeaseApi = { grant: refuse, revoke: refuse, keepAlive: refuse, timeToLive: refuse, list: refuse };

/** Whether auth is on is not known: whoever asks is refused. */
const UNKNOWN: AuthHolder = {
  get auth(): never {
    throw new EtcdError('NO_LEADER');
  },
};

export class WaitingStore implements Store {
  readonly auth = NO_AUTH;
  readonly lease = NO_LEASES;
  /** As of what was applied. */
  readonly access: Access;
  readonly memberId: NodeId;
  readonly clusterId: bigint;
  readonly term: Term;
  /** It knows of none. */
  readonly leader = 0;
  readonly hasLeader = false;
  readonly #env: Pick<Env, 'workers'>;
  readonly #options: WaitingOptions;
  readonly #undecided: Undecided;
  /** Undefined: what was applied before cannot be told here. */
  readonly #replay: Replay | undefined;

  private constructor(env: Pick<Env, 'workers'>, options: WaitingOptions, undecided: Undecided, replay: Replay | undefined) {
    this.memberId = options.self;
    this.clusterId = options.clusterId;
    this.term = undecided.term;
    this.#env = env;
    this.#options = options;
    this.#undecided = undecided;
    this.#replay = replay;
    this.access = replay?.state.access ?? new Access(UNKNOWN, new SimpleTokens());
  }

  static async open(env: Pick<Env, 'disk' | 'workers'>, options: WaitingOptions, undecided: Undecided): Promise<WaitingStore> {
    return new WaitingStore(env, options, undecided, await replayed(env, options, undecided));
  }

  close(): void {
    this.#replay?.close();
  }

  async range(request: RangeRequest, caller?: Caller): Promise<RangeResponse> {
    validateRange(request);
    this.#admit(caller, { kind: 'range', request });
    return this.#read(request.serializable, (view, state) => readRange(view, request, state));
  }

  async txn(request: TxnRequest, caller?: Caller): Promise<TxnResponse> {
    validateCommand({ kind: 'txn', request }, this.#options.maxTxnOps);
    this.#admit(caller, { kind: 'txn', request });
    return this.#read(isReadOnlyTxn(request) && isSerializableTxn(request), (view, state) => readTxn(view, request, state));
  }

  /** No change comes, and nobody is told of one. */
  watch(): never {
    throw new EtcdError('NO_LEADER');
  }

  put = refuse;
  deleteRange = refuse;
  compact = refuse;
  changeMembers = refuse;
  moveLeader = refuse;
  hashKv = refuse;
  alarms = refuse;
  activeAlarms = (): readonly Alarm[] => [];
  changeAlarm = refuse;
  downgrade = refuse;
  checkLinearizable = refuse;

  scrub(): Promise<ScrubReport> {
    return refuse();
  }

  hints(): readonly HintStatus[] {
    return [];
  }

  async *backup(): AsyncGenerator<BackupPiece, void, undefined> {
    await refuse();
  }

  members(): readonly MemberInfo[] {
    const { members, joins = [] } = this.#options;
    const list = this.#replay?.membership.newest;
    const told = joins.length > 0 ? joins : members;
    if (list === undefined) return told.map((member) => ({ ...member, clientUrls: [], isLearner: false }));
    const { learners } = list.confState;
    return list.list.map(({ id, name, peerUrls, clientUrls = [] }) =>
      ({ id, name, peerUrls, clientUrls, isLearner: learners.includes(id) }));
  }

  status(): NodeStatus {
    const { version, log, term, recovery } = this.#undecided;
    const replay = this.#replay;
    const waitsFor = recovery.waitsFor ?? 'its log is being mended';
    const tables = (version?.levels ?? []).flatMap((level, number) =>
      level.map(({ id, bytes, fileDigest, birth }) => ({ id, level: number, bytes, digest: fileDigest, birth })));
    const own = this.members().find(({ id }) => id === this.memberId);
    return {
      name: own?.name ?? '', memberId: this.memberId, clusterId: this.clusterId.toString(16),
      role: 'follower', term, leader: 0,
      commitIndex: replay?.index ?? version?.last.index ?? 0,
      appliedIndex: replay?.index ?? 0,
      materializedIndex: version?.last.index ?? 0,
      flushedIndex: version?.flushed.index ?? 0,
      firstLogIndex: log.base.index + 1,
      lastLogIndex: log.lastIndex,
      clusterVersion: replay?.state.version ?? 1,
      newestVersion: NEWEST_VERSION,
      storageVersion: replay?.state.version ?? 1,
      revision: replay?.state.kv.revision ?? 0,
      compactRevision: replay?.state.kv.compactRevision ?? 0,
      operations: { ranges: 0, puts: 0, deletes: 0, txns: 0 },
      leases: replay?.state.kv.leases.count ?? 0,
      authRevision: replay?.state.auth.revision ?? 0,
      watches: NO_WATCHES,
      memtableBytes: replay?.tree.memtableBytes ?? 0,
      sealedMemtables: 0, owedTables: 0, pendingPlans: 0, flushes: 0, compactions: 0,
      manifest: { tables },
      hints: [], heal: noCounts(), scrub: NOTHING_SCRUBBED,
      snapshots: { received: 0, fetchedBytes: 0, reusedBytes: 0, sent: 0, paceBytesPerSecond: 0 },
      fetchedTableBytes: 0,
      dbBytes: tables.reduce((sum, table) => sum + table.bytes, 0),
      quotaBytes: 0,
      waitsFor,
      errors: [new EtcdError('NO_LEADER').wireMessage, `this member waits for its log: ${waitsFor}`],
      members: this.members(),
      links: [],
    };
  }

  /** Throws EtcdError. */
  #admit(caller: Caller | undefined, request: RequestOp): void {
    if (this.access.isAhead(caller, this.#replay?.index ?? 0)) throw new EtcdError('NO_LEADER');
    this.access.require(caller, request);
  }

  async #read<T>(serializable: boolean, make: (view: ReadView, state: StoreState) => Generator<void, T>): Promise<T> {
    const replay = this.#replay;
    if (!serializable || replay === undefined) return refuse();
    const view = replay.tree.view();
    try {
      return await drive(make(view, replay.state.kv.state()), this.#env.workers);
    } catch (error) {
      // Until this member takes part, nobody mends its blocks.
      if (error instanceof StorageError) throw new EtcdError('UNHEALTHY', messageOf(error), error);
      throw error;
    } finally {
      view.release();
    }
  }
}

function refuse(): Promise<never> {
  return Promise.reject(new EtcdError('NO_LEADER'));
}

/**
 * Undefined: not all of it can be read, or what is known to be committed does not reach as far as
 * its tables: some of what they held before may be gone.
 */
async function replayed(
  { disk, workers }: Pick<Env, 'disk' | 'workers'>, { self, members, joins }: WaitingOptions, { version, log }: Undecided,
): Promise<Replay | undefined> {
  if (version === undefined) return undefined;
  const through = Math.min(soundThrough(log), Math.max(log.commit, version.last.index));
  if (through < version.last.index) return undefined;
  try {
    const membership = new Membership(self, members, joins);
    const directory = { hardState: undefined, version, generation: 0, log, problems: [] };
    const replay = await Replay.run(disk, workers, directory, { through, membership });
    if (replay.index >= version.last.index) return replay;
    replay.close();
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
  }
  return undefined;
}

function soundThrough(log: Undecided['log']): LogIndex {
  let index = log.base.index;
  while (index < log.lastIndex && !log.isHole(index + 1)) index++;
  return index;
}
