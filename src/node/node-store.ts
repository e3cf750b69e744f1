/**
 * The Store API over a replica. A refusal changes nothing, except a time-out or a member that stops
 * meanwhile (`server stopped`): then the outcome is unknown.
 *
 * A put, step by step:
 *   1. the request is checked against every limit of etcd's (`replica/kv/validate.ts`). If a block
 *      is lost, what applying needs is read first: better this request fails than apply;
 *   2. it gets an id (member, incarnation, sequence) and is remembered until its entry is applied
 *      here (`replica/consensus/proposals.ts`). While this member cannot keep up, it waits there;
 *   3. the Raft driver batches what arrived in one turn: a leader appends it, a follower forwards
 *      it (`replica/consensus/raft-driver.ts`);
 *   4. one write and one sync of the log carry the batch, while the leader's messages are on their
 *      way already (R2);
 *   5. once a majority has it, it is committed and applied in log order: read what it needs, gather
 *      its changes, publish them at once (`replica/apply/applier.ts`,
 *      `replica/kv/kv-machine.ts`);
 *   6. the member that proposed it answers. If leadership moved in between, the new leader gets it
 *      again; it is applied once. At its deadline it fails, and the outcome is unknown.
 *
 * A read: see `replica/reads/reads.ts`.
 */

import type {
  CompactionRequest, CompactionResponse, DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse, RangeRequest, RangeResponse,
  TxnRequest, TxnResponse,
} from '../api/requests.js';
import type { Caller } from '../api/caller.js';
import { EtcdError } from '../api/etcd-error.js';
import type { LeaseApi } from '../api/services/lease.js';
import { sleep } from '../base/env.js';
import type { ClusterVersion, NodeId, Revision, Term } from '../base/ids.js';
import type { Healing } from '../healing/healing.js';
import type { HintStatus } from '../healing/status/hint-status.js';
import type { ScrubReport, ScrubStatus } from '../healing/status/scrub-status.js';
import { isReadOnlyTxn } from '../replica/kv/txn.js';
import type { WatchOptions, WatchSession } from '../api/services/watch.js';
import { Backups, type BackupPiece } from '../replica/backup/backups.js';
import type { Replica } from '../replica/replica.js';
import { requestTimeoutMs } from '../replica/start/options.js';
import { LeaderSight } from '../replica/state/leader-sight.js';
import { WatchHub, type WatchHubOptions } from '../replica/watch/watch-hub.js';
import type { MemberChange } from '../replica/state/members.js';
import type { DowngradeAction } from '../replica/downgrades.js';
import { hashKv, type KvHash } from '../replica/kv/hash-kv.js';
import type { Alarm, AlarmChange } from '../replica/kv/alarms.js';
import type { Access } from '../replica/auth/access.js';
import { AlarmControl } from './alarm-control.js';
import { AuthControl } from './auth-control.js';
import { LeaseStore } from './lease-store.js';
import { infosOf, memberInfos, nodeStatus } from './status.js';
import type { MemberInfo, NodeStatus, Store } from './store.js';
import { Writes } from './writes.js';

/** The part of healing that the store reports and starts. */
export type HealingControl = Pick<Healing, 'hints' | 'counters' | 'scrubStatus' | 'scrub' | 'anyBlockLost'>;

/** Of its watches. */
export type NodeStoreOptions = Omit<WatchHubOptions, 'electionMs'>;

export class NodeStore implements Store {
  readonly memberId: NodeId;
  readonly clusterId: bigint;
  readonly auth: AuthControl;
  readonly #replica: Replica;
  readonly #healing: HealingControl;
  readonly #backups: Backups;
  readonly #alarms: AlarmControl;
  readonly #writes: Writes;
  readonly lease: LeaseApi;
  readonly #watches: WatchHub;
  readonly #sight: LeaderSight;

  constructor(replica: Replica, healing: HealingControl, options: NodeStoreOptions = {}) {
    this.#replica = replica;
    this.#healing = healing;
    this.#alarms = new AlarmControl(replica);
    this.auth = new AuthControl(replica);
    this.#writes = new Writes(replica, healing, this.auth);
    this.lease = new LeaseStore(replica, this.#writes, this.auth);
    this.memberId = replica.options.self;
    this.clusterId = replica.options.clusterId;
    const { env, life, tree, state, reads, progress, leadership } = replica;
    const { electionMs, healing: hooks } = replica.options;
    this.#sight = new LeaderSight(leadership, env.clock, electionMs);
    this.#watches = new WatchHub({ env, life, tree, state, reads, progress, leadership, healing: hooks }, { ...options, electionMs });
    this.#backups = new Backups(replica.backupParts, requestTimeoutMs(replica.options));
  }

  get access(): Access {
    return this.#replica.state.access;
  }

  get term(): Term {
    return this.#replica.leadership.term;
  }

  get leader(): NodeId {
    return this.#replica.leadership.leader;
  }

  get hasLeader(): boolean {
    return this.#sight.hasLeader;
  }

  async range(request: RangeRequest, caller?: Caller): Promise<RangeResponse> {
    if (!request.serializable) this.#writes.refuseLearner();
    if (request.serializable && caller?.mayBeAhead === true) await this.auth.catchUp(caller);
    return this.#replica.reads.range(request, caller);
  }

  async put(request: PutRequest, caller?: Caller): Promise<PutResponse> {
    return (await this.#writes.propose({ kind: 'put', request }, caller)).response;
  }

  async deleteRange(request: DeleteRangeRequest, caller?: Caller): Promise<DeleteRangeResponse> {
    return (await this.#writes.propose({ kind: 'delete-range', request }, caller)).response;
  }

  async txn(request: TxnRequest, caller?: Caller): Promise<TxnResponse> {
    if (caller?.mayBeAhead === true) await this.auth.catchUp(caller);
    return isReadOnlyTxn(request) && !this.#writes.isLearner ? this.#replica.reads.txn(request, caller) : this.#writeTxn(request, caller);
  }

  async compact(request: CompactionRequest, caller?: Caller): Promise<CompactionResponse> {
    return (await this.#writes.propose({ kind: 'compact', request }, caller)).response;
  }

  watch(options?: WatchOptions): WatchSession {
    this.#writes.refuseLearner();
    return this.#watches.open(options);
  }

  status(): NodeStatus {
    return nodeStatus(this.#replica, this.#healing, this.#watches.counts);
  }

  members(): readonly MemberInfo[] {
    return memberInfos(this.#replica);
  }

  async changeMembers(change: MemberChange): Promise<readonly MemberInfo[]> {
    return infosOf(this.#replica, await this.#replica.changes.change(change));
  }

  hashKv(revision: Revision): Promise<KvHash> {
    return this.#replica.reads.local((view, state) => hashKv(view, state, revision));
  }

  async moveLeader(to: NodeId): Promise<void> {
    const { driver, leadership, membership, options, env } = this.#replica;
    if (!leadership.isLeader) throw new EtcdError('NOT_LEADER');
    if (['none', 'learner'].includes(membership.standing(to))) throw new EtcdError('BAD_LEADER_TRANSFEREE');
    if (to === membership.self) return;
    driver.transferLeader(to);
    const deadline = env.clock.now() + 2 * options.electionMs;
    while (leadership.leader !== to) {
      if (env.clock.now() >= deadline) throw new EtcdError('TIMEOUT');
      await Promise.race([leadership.next(), sleep(env.clock, 20)]);
    }
  }

  alarms(): Promise<readonly Alarm[]> {
    return this.#alarms.list();
  }

  activeAlarms(): readonly Alarm[] {
    return this.#replica.state.alarms.list();
  }

  changeAlarm(change: Omit<AlarmChange, 'byItself'>): Promise<void> {
    return this.#alarms.change(change);
  }

  downgrade(action: DowngradeAction, target: ClusterVersion): Promise<ClusterVersion> {
    return this.#replica.downgrades.change(action, target);
  }

  hints(): readonly HintStatus[] {
    return this.#healing.hints();
  }

  scrub(onProgress: (status: ScrubStatus) => void, options?: { readonly bytesPerSecond?: number }): Promise<ScrubReport> {
    return this.#healing.scrub(onProgress, options);
  }

  backup(held?: ReadonlySet<string>): AsyncGenerator<BackupPiece, void, undefined> {
    return this.#backups.stream(held);
  }

  async checkLinearizable(timeoutMs: number): Promise<void> {
    const timeout = sleep(this.#replica.env.clock, timeoutMs).then(() => {
      throw new EtcdError('TIMEOUT');
    });
    await Promise.race([this.#replica.reads.confirm(), timeout]);
  }

  async #writeTxn(request: TxnRequest, caller: Caller | undefined): Promise<TxnResponse> {
    return (await this.#writes.propose({ kind: 'txn', request }, caller)).response;
  }
}
