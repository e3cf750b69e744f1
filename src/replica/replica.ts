/**
 * One member of the cluster below its API: the durable log, the Raft core, the state machine and
 * the tree, wired to an `Env`. Who starts it is `node/open-member.ts`: the process shell, the
 * simulator and the tests alike.
 *
 * A start, step by step:
 *   1. hard state (who am I, what did I promise), manifest (materialized and flushed index, the
 *      tables), log (what follows): each says what the next must be (`start/open-state.ts`); a
 *      version that is lost is taken from a peer;
 *   2. peers can reach this member, and it them: what it still needs may have to come from them;
 *   3. it asks the others, and is refused if they remember more of it than its files do (R5);
 *   4. the state machine is loaded as of the flushed index;
 *   5. Raft runs from there, and the log is applied again. Nothing is served before the
 *      materialized index is applied: older tables may be gone (`reads/serve-gate.ts`).
 *
 * The rooms: see ARCHITECTURE.md. A room gets the objects that it reads.
 */

import { acquiring } from '../base/acquiring.js';
import { MiB } from '../base/bytes.js';
import type { Env } from '../base/env.js';
import type { LogIndex } from '../base/ids.js';
import type { StorageError } from '../storage/base/errors.js';
import type { TreeSettings } from '../storage/base/settings.js';
import type { Tree } from '../storage/tree/tree.js';
import type { Version } from '../storage/version/version.js';
import { Applier } from './apply/applier.js';
import type { BackupParts } from './backup/backups.js';
import { AlarmKeeper } from './consensus/alarm-keeper.js';
import { ClusterVersionRaiser } from './consensus/cluster-version.js';
import { EntryMender } from './consensus/entry-mender.js';
import { Gossip } from './consensus/gossip.js';
import { Load } from './consensus/load.js';
import { Proposals } from './consensus/proposals.js';
import { RaftDriver } from './consensus/raft-driver.js';
import type { RaftOutput } from './consensus/raft-hooks.js';
import { RoomNews } from './consensus/room-news.js';
import { ServingLog } from './consensus/serving-log.js';
import { TreeProposer } from './consensus/tree-proposer.js';
import { TableFetcher } from './fetch/table-fetcher.js';
import { TransferPace } from './fetch/transfer-pace.js';
import { TableServer } from './fetch/table-server.js';
import { Downgrades } from './downgrades.js';
import { Housekeeping } from './housekeeping.js';
import type { KvMachine } from './kv/kv-machine.js';
import { LeaseRouter } from './lease/lease-router.js';
import { ReplicatedState } from './kv/replicated-state.js';
import { transferLeadership } from './leadership-transfer.js';
import type { DurableLog } from './log/durable-log.js';
import { commitOf } from './log/joins.js';
import { MemberChanges } from './member-changes.js';
import { LogServer } from './log-recovery/log-server.js';
import { PeerHandler } from './peer-handler.js';
import { ReadIndex } from './reads/read-index.js';
import { Reads } from './reads/reads.js';
import { ServeGate } from './reads/serve-gate.js';
import { unmarkRefused } from './readmission/evidence.js';
import { Readmissions } from './readmissions.js';
import { Removal } from './removal.js';
import { RemovedMembers } from './removed-members.js';
import { removedError } from './base/removed.js';
import { LogTruncation } from './snapshot/log-truncation.js';
import { NewerVersion } from './snapshot/newer-version.js';
import { SnapshotReceiver } from './snapshot/snapshot-receiver.js';
import { SnapshotSender } from './snapshot/snapshot-sender.js';
import { MemberTables } from './snapshot/table-source.js';
import { VersionSwitch } from './snapshot/version-switch.js';
import { afterRefusal, isCuredByReadmission } from './start/after-refusal.js';
import { Announcement } from './start/announcement.js';
import { askAdmissionFirst } from './start/ask-admission.js';
import { Bootstrap } from './start/bootstrap.js';
import { EarlyHandler } from './start/early-handler.js';
import { openState, type OpenedState, type OpeningParts } from './start/open-state.js';
import { requestTimeoutMs, type ReplicaOptions } from './start/options.js';
import type { PromisesStore } from './start/promises-store.js';
import { whenRoom } from './start/when-room.js';
import { checkStart, PeerMemory } from './start/start-check.js';
import { Leadership } from './state/leadership.js';
import { Life } from './state/life.js';
import { Membership } from './state/membership.js';
import { Progress } from './state/progress.js';
import { StoreSize } from './state/store-size.js';
import { Reserve } from './state/reserve.js';
import { Room } from './state/room.js';
import { Sweeper } from './tree/sweep.js';
import { TreeMachine } from './tree/tree-machine.js';

const RETRY_MS = 1_000;
const READ_RETRY_MS = 250;
const MAX_PENDING = 16_384;

export class Replica {
  readonly options: ReplicaOptions;
  readonly life: Life;
  readonly membership: Membership;
  readonly leadership: Leadership;
  readonly room: Room;
  readonly progress: Progress;
  readonly state: ReplicatedState;
  readonly mender: EntryMender;
  readonly driver: RaftDriver;
  readonly gossip: Gossip;
  readonly proposals: Proposals;
  readonly proposer: TreeProposer;
  readonly readIndex: ReadIndex;
  readonly reads: Reads;
  readonly machine: TreeMachine;
  readonly applier: Applier;
  readonly leaseRouter: LeaseRouter;
  readonly changes: MemberChanges;
  readonly readmissions: Readmissions;
  readonly downgrades: Downgrades;
  readonly sender: SnapshotSender;
  readonly receiver: SnapshotReceiver;
  readonly fetcher: TableFetcher;
  readonly pace: TransferPace;
  readonly promises: PromisesStore;
  readonly #opened: OpenedState;
  readonly #early: EarlyHandler;
  readonly #peers: PeerHandler;
  readonly #switch: VersionSwitch;
  readonly #newer: NewerVersion;
  readonly #truncation: LogTruncation;
  readonly #housekeeping: Housekeeping;
  #end: Promise<void> | undefined;

  private constructor({ options, life, membership, early }: OpeningParts, opened: OpenedState) {
    this.options = options;
    this.life = life;
    this.membership = membership;
    this.#opened = opened;
    this.#early = early;
    const { env, healing, clientUrls, electionMs, clusterId, transferBytesPerSecond = 64 * MiB } = options;
    const { tree, tables, log, store, incarnation, intent, patrol, promises } = opened;
    this.promises = promises;
    const { clock, events } = env;
    const timeoutMs = requestTimeoutMs(options);

    const room = (this.room = new Room({ env, life, reserve: new Reserve(env.disk, options.logSegmentBytes) }));
    const leadership = (this.leadership = new Leadership(membership.self, life));
    const progress = (this.progress = new Progress(tree));
    const state = (this.state = new ReplicatedState(tree, options.newestVersion, options.sliceKeys, membership, options.recentBytes));
    state.peekMembers(progress.flushed);
    const removal = new Removal({ env, life, membership, electionMs });
    const mender = (this.mender = new EntryMender({ env, life, membership, log }));
    const common = { env, life, room, membership, leadership, progress, state, healing, tree, tables, log, mender, patrol, promises };

    const driver = (this.driver = this.#makeDriver());
    const proposer = (this.proposer = new TreeProposer(leadership, driver));
    const gossip = (this.gossip = new Gossip({ ...common, clientUrls, hardState: opened.hardState }));
    const bootstrap = new Bootstrap({ ...common, driver, settings: options.settings });
    const proposals = (this.proposals = new Proposals(
      { events, clock, workers: env.workers, leadership, load: new Load({ ...common, driver, gossip }), driver },
      { incarnation, timeoutMs, maxPending: MAX_PENDING, retryMs: RETRY_MS },
    ));
    const clusterVersion = new ClusterVersionRaiser({ ...common, gossip, driver });
    const rooms = new RoomNews(common);
    const announcement = new Announcement({ self: membership.self, incarnation, state, hardState: opened.hardState, proposals });

    progress.applied.subscribe((index) => this.#noteOwnTerm(index));
    const gate = new ServeGate(clock, timeoutMs, tree.durable.last.index);
    const readIndex = (this.readIndex = new ReadIndex(
      { clock, leadership, driver }, { incarnation, timeoutMs, maxWaiting: 4 * MAX_PENDING, retryMs: READ_RETRY_MS },
    ));
    const reads = (this.reads = new Reads({ ...common, gate, readIndex }, options.maxTxnOps));

    const pace = (this.pace = new TransferPace(clock, transferBytesPerSecond));
    const fetcher = (this.fetcher = new TableFetcher(env, {}, pace.in));
    const machine = (this.machine = new TreeMachine({ ...common, proposer, store, fetcher }, { durableMoved: () => this.#durableMoved() }));
    const alarms = new AlarmKeeper({ ...common, rooms, size: new StoreSize(common), driver, planner: machine.planner }, options.quotaBytes);
    const applier = (this.applier = new Applier(
      { ...common, proposals, machine }, { unrepaired: (error, cause) => this.#seekNewer(error, cause) },
    ));

    const leaseRouter = (this.leaseRouter = new LeaseRouter({ ...common, reads, driver }, { electionMs, timeoutMs }));
    const changing = { ...common, electionMs, driver, removed: new RemovedMembers({ ...common, driver }), gossip, applier, clusterVersion };
    this.changes = new MemberChanges({ ...changing, clientUrls, timeoutMs, strict: options.strictReconfig ?? true });
    const downgrades = (this.downgrades = new Downgrades({ ...common, driver, machine, clusterVersion, timeoutMs }));
    const readmissions = (this.readmissions = new Readmissions({ ...common, intent, clusterId, driver, changes: this.changes, timeoutMs }));
    const sender = (this.sender = new SnapshotSender({ clock, events, tree, membership }));
    const receiver = (this.receiver = new SnapshotReceiver({ ...common, fetcher, raft: { driver, life } }));
    const truncation = (this.#truncation = new LogTruncation({ life, log, tree, gossip, events, sender }));
    this.#switch = new VersionSwitch({ ...common, store, reads, gate, applier, machine, truncation });
    this.#newer = new NewerVersion({ ...common, clusterId: options.clusterId, receiver });

    const peerMemory = new PeerMemory({ ...common, hardState: opened.hardState, wasNew: opened.term === 0, heard: promises.heard, reads });
    const tableServer = new TableServer(env, new MemberTables(tree, tables, sender), pace.out);
    const logServer = new LogServer(new ServingLog({ ...common, driver, hardState: opened.hardState }));
    this.#peers = new PeerHandler({
      ...common, clusterId, driver, gossip, rooms, machine, sender, receiver, tableServer, logServer, peerMemory,
      memberChanges: this.changes, readmissions, downgrades, removal, leaseRouter,
    });
    const sweeper = new Sweeper({ env, life, tree, transfers: [receiver, this.#switch] });
    this.#housekeeping = new Housekeeping({
      ...common, electionMs, driver, proposals, gossip, reads, applier, machine, sender, truncation, sweeper, bootstrap, announcement,
      clusterVersion, memberChanges: this.changes, readmissions, downgrades, rooms, alarms, leaseRouter, versionSwitch: this.#switch, pace,
    });
    life.subscribe((now) => {
      if (now.s === 'failed') this.#failed(now.error);
    });
    reads.applied(progress.flushed);
  }

  #makeDriver(): RaftDriver {
    const { log, hardState, commit } = this.#opened;
    const { life, room, membership, leadership, progress, mender, options: { env, heartbeatMs, electionMs } } = this;
    return new RaftDriver(
      { env, life, room, membership, leadership, progress, log, hardState, mender },
      {
        take: (output) => this.#take(output),
        snapshot: () => this.sender.snapshot(),
        installSnapshot: (snapshot) => this.#switch.install(snapshot),
      },
      { applied: progress.flushed, commit },
      { heartbeatMs, electionMs },
    );
  }

  /**
   * Rejects with ReplicaError, HardStateError, LogError, StorageError or DiskError: what is wrong,
   * and what to do.
   */
  static async open(options: ReplicaOptions): Promise<Replica> {
    const life = new Life();
    const attempt = (): Promise<Replica> => acquiring(async (keep) => {
      const early = keep(new EarlyHandler(options.env.network));
      const opening = { options, life, membership: new Membership(options.self, options.members, options.joins), early };
      await askAdmissionFirst(opening);
      return new Replica(opening, await openState(opening, keep));
    });
    try {
      return await whenRoom(options.env, life, attempt);
    } catch (error) {
      throw await afterRefusal(options, error);
    }
  }

  /**
   * Resolves when this member takes part, or was told to stop. Rejects with ReplicaError, and
   * whatever `open` rejects with.
   */
  async start(): Promise<void> {
    try {
      await this.#start();
    } catch (error) {
      throw await afterRefusal(this.options, error);
    }
  }

  async #start(): Promise<void> {
    const { env, healing, authTokenTtlMs = 300_000 } = this.options;
    this.state.tokens.begin(this.log.lastIndex(), authTokenTtlMs);
    const { life, membership, leadership, tree, fetcher, proposer } = this;
    const { incarnation, term, vote, log, logEnd, tables } = this.#opened;
    if (life.ended) return;
    life.to({ s: 'joining' });
    await healing.attach({ membership, leadership, tree, tables, fetcher, proposer, hardState: this.#opened.patrol });
    if (life.ended) return;
    await this.#early.replaceBy(this.#peers);
    const kept = { term, vote, lastIndex: Math.max(log.lastIndex(), logEnd) };
    await checkStart({ env, life, membership, clusterId: this.options.clusterId, incarnation, isNew: term === 0, kept });
    if (life.ended) return;
    await unmarkRefused(env.disk);
    await this.#switch.loadMended((error, cause) => this.#openNewer(error, cause));
    if (life.ended) return;
    if (membership.isRemoved(membership.self)) throw removedError(membership.self, 'its tables say so');
    this.machine.resume();
    life.to({ s: 'serving' });
    this.driver.start();
    this.#housekeeping.start();
    this.room.start();
  }

  get env(): Env {
    return this.options.env;
  }

  get tree(): Tree {
    return this.#opened.tree;
  }

  /** What a backup is made of. */
  get backupParts(): BackupParts {
    const { tree, tables, log } = this.#opened;
    const { life, state, progress, reads, options: { env, self, clusterId, healing } } = this;
    return { env, life, self, clusterId, tree, tables, log, state, progress, reads, healing };
  }

  get log(): DurableLog {
    return this.#opened.log;
  }

  get kv(): KvMachine {
    return this.state.kv;
  }

  /** Of the cluster's tree; undefined until the bootstrap entry is applied. */
  get settings(): TreeSettings | undefined {
    return this.state.settings;
  }

  /**
   * Hands leadership to the follower that is furthest ahead. True if another member leads now, or
   * did all along.
   */
  transferLeadership(): Promise<boolean> {
    const { driver, leadership, applier, gossip } = this;
    const { env, electionMs } = this.options;
    return transferLeadership({ env, electionMs, driver, leadership, applier, gossip });
  }

  /**
   * Lets go of everything. Leadership should have been handed over before. Called again, it
   * returns the same promise.
   */
  stop(): Promise<void> {
    return (this.#end ??= this.#stop());
  }

  async #stop(): Promise<void> {
    this.life.stop();
    this.#housekeeping.stop();
    this.#refuseAll();
    this.receiver.stop();
    this.sender.stop();
    await this.#early.close();
    await this.driver.stop();
    await this.room.stop();
    await this.#switch.idle();
    await this.applier.stop();
    await this.machine.stop();
    await this.options.healing.stop();
    await this.promises.stop();
    await this.#opened.log.close();
    await this.#opened.hardState.close();
    this.#opened.store.close();
    this.#opened.tables.close();
  }

  // Hooks: what lower rooms tell the higher ones.

  #take(output: RaftOutput): void {
    switch (output.kind) {
      case 'committed':
        return this.applier.enqueue(output.entries);
      case 'read-states':
        return this.readIndex.readStates(output.states);
      case 'snapshot-sent':
        return this.sender.started(output.to, output.snapshot);
    }
  }

  #noteOwnTerm(applied: LogIndex): void {
    if (this.leadership.awaitsOwnTerm) this.leadership.applied(this.log.term(applied));
  }

  async #durableMoved(): Promise<void> {
    this.gossip.say();
    await this.#truncation.run();
  }

  /**
   * The version in place cannot give the state as of its flushed index, and no peer can mend it.
   * True: another one is in place.
   */
  async #openNewer(error: StorageError, cause: unknown): Promise<boolean> {
    return this.#newer.seek(error, cause, async (manifest) => {
      const { flushed } = manifest;
      // The log may begin anew: then no term may be below that of the entry it goes on from (R2).
      const { hardState, commit } = this.#opened;
      if (flushed.term > (hardState.current?.term ?? 0)) await hardState.update({ term: flushed.term });
      await this.#switch.openAt(manifest);
      if (this.life.ended) return false;
      this.options.healing.durableMoved();
      this.driver.restart({ applied: flushed.index, commit: commitOf(this.log, manifest, commit) });
      return true;
    });
  }

  /**
   * Apply waits for a block that could not be mended: a newer version of a peer's may be the only
   * way on.
   */
  #seekNewer(error: StorageError, cause: unknown): void {
    const use = (manifest: Version): Promise<boolean> => this.#switch.takeOver(manifest, () => this.#newer.suits(manifest));
    this.#newer.seek(error, cause, use).catch((why: unknown) => this.life.fail(why));
  }

  #failed(error: unknown): void {
    this.#refuseAll();
    const { onFatal } = this.options;
    if (isCuredByReadmission(error)) afterRefusal(this.options, error).then(onFatal, onFatal);
    else onFatal(error);
  }

  #refuseAll(): void {
    this.proposals.stop();
    this.reads.stop();
  }
}
