/**
 * One member of the cluster: the durable log, the Raft core, the state machine and the tree, wired to an `Env`. The
 * process shell and the simulator open this same class.
 *
 * Order of opening: hard state (who am I, what did I promise), manifest (E, F and the tables), log (everything after F),
 * system state as of F, then Raft from F. Nothing is served before E is applied again: tables may already be gone
 * that an older state would need.
 */

import { ByteReader, ByteWriter } from '../base/bytes.js';
import { CodecError, messageOf } from '../base/errors.js';
import type { Env, NetworkHandler, Timer } from '../base/env.js';
import type { LogIndex, NodeId, Term } from '../base/ids.js';
import type { ConfState, Message, Role } from '../raft/types.js';
import type { StorageError } from '../storage/base/errors.js';
import { SYSTEM_SPACE } from '../storage/base/read-view.js';
import { readTreeSettings, writeTreeSettings, type TreeSettings } from '../storage/base/settings.js';
import type { Tree } from '../storage/tree/tree.js';
import type { LogicalManifest } from '../storage/version/logical-manifest.js';
import type { TreeOp } from '../storage/version/tree-op.js';
import { Announcement } from './start/announcement.js';
import { Applier } from './apply/applier.js';
import { FRAME_GOSSIP, frame } from './wire/frame.js';
import { Proposals } from './consensus/proposals.js';
import { RaftDriver } from './consensus/raft-driver.js';
import { ReadIndex } from './reads/read-index.js';
import { ServeGate } from './reads/serve-gate.js';
import { Door } from './start/door.js';
import { EtcdError } from '../api/etcd-error.js';
import { encodeBootstrap, encodeTreeOp } from './entry/entry.js';
import { TableFetcher } from './fetch/table-fetcher.js';
import { isTableCall, serveTables, type TableServer } from './fetch/table-server.js';
import { encodeNews, Gossip, newsOf } from './consensus/gossip.js';
import { handOverWhenBlocked } from './hand-over.js';
import type { HealingHost } from './hooks/healing-hooks.js';
import { receiveFrame } from './receive-frame.js';
import { KvMachine } from './kv/kv-machine.js';
import { SYSTEM_KEYS, systemWrite } from './kv/system-keys.js';
import { LogShortener } from './snapshot/log-shortener.js';
import type { DurableLog } from './log/durable-log.js';
import { openState, type OpenedState } from './start/open-state.js';
import { requestTimeoutMs, type ReplicaOptions } from './start/options.js';
import { NewerVersion } from './snapshot/newer-version.js';
import { HAND_OVER_METHOD, serveHandOver } from './snapshot/peer-versions.js';
import { SnapshotReceiver } from './snapshot/snapshot-receiver.js';
import { SnapshotSender } from './snapshot/snapshot-sender.js';
import { Sweeper } from './tree/sweep.js';
import { tableSource } from './fetch/table-source.js';
import { TreeMachine } from './tree/tree-machine.js';
import { answerRemembered, checkStart, REMEMBERED_METHOD } from './start/start-check.js';
import { PromisesHeard, type Promised } from './start/promises-heard.js';
import { commitOf, joins } from './log/joins.js';
import { VersionSwitch } from './snapshot/version-switch.js';

/** Time-outs, planner, gossip and retries are looked at this often. */
const STEP_MS = 50;
const GOSSIP_MS = 1_000;
const RETRY_MS = 1_000;
const MAX_PENDING = 16_384;

export class Replica {
  readonly options: ReplicaOptions;
  readonly #env: Env;
  readonly #opened: OpenedState;
  readonly #confState: ConfState;
  readonly gossip: Gossip;
  readonly heard = new PromisesHeard();
  readonly proposals: Proposals;
  readonly readIndex: ReadIndex;
  readonly applier: Applier;
  readonly machine: TreeMachine;
  readonly sender: SnapshotSender;
  readonly receiver: SnapshotReceiver;
  readonly fetcher: TableFetcher;
  readonly #tableServer: TableServer;
  readonly #gate: ServeGate;
  readonly #switch: VersionSwitch;
  readonly #newer: NewerVersion;
  readonly #leaderWaiters: ((leader: NodeId) => void)[] = [];
  #driver: RaftDriver;
  #kv: KvMachine;
  #settings: TreeSettings | undefined;
  /** This leader has applied an entry of its own term. */
  #ownTermApplied = false;
  readonly #sweeper: Sweeper;
  readonly #shortener: LogShortener;
  readonly #announcement: Announcement;
  #bootstrapProposed: Term = 0;
  #timer: Timer | undefined;
  #lastGossip = 0;
  #loaded = false;
  #dead = false;

  private constructor(options: ReplicaOptions, opened: OpenedState) {
    this.options = options;
    this.#env = options.env;
    this.#opened = opened;
    const { env, self, hooks } = options;
    const { tree, tables, log, store, commit } = opened;
    const voters = options.members.map((member) => member.id).sort((a, b) => a - b);
    const peers = voters.filter((id) => id !== self);
    const flushed = tree.durable.flushed.index;
    this.#confState = { voters, votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
    const failed = (error: unknown): void => this.#fatal(error);
    const { incarnation } = opened;
    const timing = { clock: env.clock, member: self, incarnation, timeoutMs: requestTimeoutMs(options) };

    this.#gate = new ServeGate(env.clock, timing.timeoutMs, tree.durable.last.index);
    this.#kv = new KvMachine(tree);
    this.gossip = new Gossip(self, voters);
    this.fetcher = new TableFetcher(env);
    this.#tableServer = serveTables(env, tableSource(tree, tables, () => this.sender.tables()));
    this.#driver = this.#makeDriver(flushed, commit);
    this.proposals = new Proposals({
      ...timing, events: env.events, maxPending: MAX_PENDING, retryMs: RETRY_MS, propose: (data) => this.driver.propose(data),
    });
    this.#announcement = this.#makeAnnouncement(incarnation);
    this.readIndex = new ReadIndex({
      ...timing, retryMs: 250, maxWaiting: 4 * MAX_PENDING, ask: (context) => this.driver.readIndex(context),
    });
    this.applier = new Applier(
      {
        env, failed, proposals: this.proposals,
        repair: (error) => hooks.repair(error),
        unrepaired: (error, cause) => this.#jump(error, cause),
        kv: () => this.#kv,
        bootstrap: (settings) => (this.#settings ??= settings),
        treeOp: (op, at) => this.machine.apply(op, at),
        applied: (index) => this.#applied(index),
        read: (from, to, maxBytes) => log.entries(from, to, maxBytes),
      },
      flushed,
    );
    this.machine = new TreeMachine({
      env, self, voters, tree, tables, store, hooks, failed,
      repair: (error) => hooks.repair(error),
      fetcher: this.fetcher,
      leader: () => this.leader,
      canPropose: () => this.canPropose(),
      propose: (op) => this.proposeTreeOp(op),
      settings: () => this.#settings,
      gcRevision: () => this.#kv.compactRevision,
      sealState: (index) => [...this.#kv.sealState(index), ...this.#clusterState(index)],
      durableMoved: () => this.#durableMoved(),
    });
    this.sender = new SnapshotSender({
      clock: env.clock, events: env.events, tree, confState: this.#confState,
      progressOf: (peer) => this.driver.node.status().progress?.get(peer)?.state,
      giveUp: (peer) => this.driver.reportSnapshot(peer, false),
    });
    this.receiver = this.#makeReceiver(peers);
    this.#switch = new VersionSwitch({
      env, tree, store, log, gate: this.#gate, applier: this.applier, machine: this.machine,
      repair: (error) => hooks.repair(error),
      load: (index) => this.#load(index),
      shortening: () => this.#shortener.running,
      switched: (index) => this.#switched(index),
      stopped: () => this.#dead,
    });
    this.#shortener = this.#makeShortener();
    this.#newer = new NewerVersion({ env, tree, peers, receiver: this.receiver, suits: (manifest) => this.#suits(manifest) });
    this.#sweeper = new Sweeper({ env, tree, busy: () => this.receiver.active || this.#switch.busy });
    this.#moveReaders(flushed);
  }

  #makeReceiver(peers: readonly NodeId[]): SnapshotReceiver {
    const { tree, tables } = this.#opened;
    const complete = (message: Message): void => this.driver.step(message);
    return new SnapshotReceiver({ env: this.#env, tree, fetcher: this.fetcher, peers, complete, forget: (table) => tables.forget(table) });
  }

  #makeAnnouncement(incarnation: number): Announcement {
    const known = (): number => this.#kv.incarnationOf(this.options.self);
    return new Announcement({ incarnation, known, propose: (command) => this.proposals.propose(command) });
  }

  #makeShortener(): LogShortener {
    const { log, tree } = this.#opened;
    const busy = (): boolean => this.#switch.busy || this.#dead;
    return new LogShortener({ log, tree, gossip: this.gossip, events: this.#env.events, floor: () => this.sender.floor(), busy });
  }

  #makeDriver(applied: LogIndex, commit: LogIndex): RaftDriver {
    const { env, self, heartbeatMs, electionMs } = this.options;
    const { log, hardState } = this.#opened;
    return new RaftDriver(
      {
        committed: (entries) => this.applier.enqueue(entries),
        readStates: (states) => this.readIndex.readStates(states),
        leadershipChanged: (role, leader, term) => this.#leadershipChanged(role, leader, term),
        flushed: () => this.tree.durable.flushed.index,
        snapshot: () => this.sender.snapshot(),
        snapshotSent: (to, snapshot) => this.sender.started(to, snapshot),
        installSnapshot: (snapshot) => this.#switch.install(snapshot),
        failed: (error) => this.#fatal(error),
      },
      { env, self, confState: this.#confState, log, hardState, commit, applied, heartbeatMs, electionMs },
    );
  }

  /** Rejects with ReplicaError, HardStateError, LogError, StorageError or DiskError: what is wrong, and what to do. */
  static async open(options: ReplicaOptions): Promise<Replica> {
    const door = new Door(options.env.network);
    try {
      return new Replica(options, await openState(options, door));
    } catch (error) {
      await door.shut();
      throw error;
    }
  }

  /** Peers are reachable first: what is needed to know the state as of F may have to come from them. */
  async start(): Promise<void> {
    const { env, hooks } = this.options;
    await hooks.attach(this.#healingHost());
    await this.#opened.door.enter(this.#handler());
    const { incarnation, term, vote, log } = this.#opened;
    const kept = { term, vote, lastIndex: log.lastIndex() };
    const { voters } = this.#confState;
    await checkStart({ env, self: this.options.self, voters, incarnation, isNew: term === 0, kept, stopped: () => this.#dead });
    await this.#switch.loadMended((error, cause) => this.#openNewer(error, cause));
    this.machine.resume();
    this.#loaded = true;
    this.driver.start();
    this.#armTimer();
  }

  get env(): Env {
    return this.#env;
  }

  get driver(): RaftDriver {
    return this.#driver;
  }

  get tree(): Tree {
    return this.#opened.tree;
  }

  get log(): DurableLog {
    return this.#opened.log;
  }

  get kv(): KvMachine {
    return this.#kv;
  }

  /** Of the cluster's tree; undefined until the bootstrap entry is applied. */
  get settings(): TreeSettings | undefined {
    return this.#settings;
  }

  get leader(): NodeId {
    return this.driver.node.lead;
  }

  get term(): Term {
    return this.driver.node.term;
  }

  get role(): Role {
    return this.driver.node.role;
  }

  /** S3: only a leader that has applied an entry of its own term may shape the tree. */
  canPropose(): boolean {
    return this.driver.node.isLeader && this.#ownTermApplied && !this.#dead;
  }

  proposeTreeOp(op: TreeOp): boolean {
    return this.canPropose() && this.driver.proposeAsLeader(encodeTreeOp(op));
  }

  /** Resolves when E is applied: before that, nothing is served. Rejects with EtcdError. */
  servable(): Promise<void> | undefined {
    return this.#gate.wait();
  }

  /** Whether what is here may be read at this very moment: another version may take its place at any later one. */
  get isServable(): boolean {
    return this.#gate.isOpen;
  }

  /** Resolves with the next leader that this node sees; see {@link leader} for the present one. */
  nextLeader(): Promise<NodeId> {
    return new Promise((resolve) => this.#leaderWaiters.push(resolve));
  }

  /** Lets go of everything. Leadership should have been handed over before. */
  async stop(): Promise<void> {
    this.#dead = true;
    this.#timer?.cancel();
    this.proposals.stop();
    this.readIndex.stop();
    this.#gate.stop();
    this.receiver.stop();
    this.sender.stop();
    await this.#opened.door.shut();
    await this.driver.stop();
    await this.#switch.idle();
    await this.applier.stop();
    await this.machine.stop();
    await this.options.hooks.stop();
    await this.#opened.log.close();
    await this.#opened.hardState.close();
    this.#opened.store.close();
    this.#opened.tables.close();
  }

  // --- Messages ---

  #handler(): NetworkHandler {
    return {
      onFrame: (from, bytes) => {
        try {
          if (!this.#dead) receiveFrame(this, this.#loaded, from, bytes);
        } catch (error) {
          if (error instanceof CodecError) {
            this.#env.events.emit({ type: 'warning', message: 'a peer sent a frame that does not parse', data: { from, why: messageOf(error) } });
          } else this.#fatal(error);
        }
      },
      onCall: (from, method, request) => {
        if (isTableCall(method)) return this.#tableServer(method, request);
        if (method === REMEMBERED_METHOD) return this.#remembered(from, request);
        if (method === HAND_OVER_METHOD) return Promise.resolve(serveHandOver(this.sender, from));
        return this.options.hooks.onCall(from, method, request);
      },
      onDisconnect: (peer) => {
        if (this.#loaded) this.driver.peerLost(peer);
      },
    };
  }

  #remembered(from: NodeId, request: Uint8Array): Promise<Uint8Array> {
    const isNew = (): boolean => this.#opened.term === 0 && this.term === 0;
    const confirm = (): Promise<void> => (this.#loaded ? this.readIndex.wait() : Promise.reject(new EtcdError('UNHEALTHY')));
    const met = (member: NodeId): number => Math.max(this.#kv.incarnationOf(member), Number(this.gossip.of(member) !== undefined));
    const promisedBy = (member: NodeId): Promised => this.heard.of(member);
    return answerRemembered({ env: this.#env, isNew, incarnationOf: met, promisedBy, confirm }, from, request);
  }

  // --- Consensus ---

  #leadershipChanged(role: Role, leader: NodeId, term: Term): void {
    this.#ownTermApplied = false;
    this.#env.clock.defer(() => this.#bootstrap());
    this.proposals.leaderChanged(leader);
    this.readIndex.leaderChanged(leader);
    this.machine.leadershipChanged();
    this.options.hooks.leaderChanged(leader, term);
    if (leader !== 0) for (const resolve of this.#leaderWaiters.splice(0)) resolve(leader);
  }

  /** The first leader's settings are the cluster's; the log may refuse them at first. */
  #bootstrap(): void {
    if (this.#settings !== undefined || !this.driver.node.isLeader || this.#bootstrapProposed >= this.term || this.#dead) return;
    if (this.driver.proposeAsLeader(encodeBootstrap(this.options.settings))) this.#bootstrapProposed = this.term;
  }

  #applied(index: LogIndex): void {
    const node = this.driver.node;
    if (!this.#ownTermApplied && node.isLeader && this.log.term(index) === node.term) this.#ownTermApplied = true;
    this.#moveReaders(index);
    if (node.isLeader) this.machine.planner.step();
  }

  /** R4, and nothing is read before E is applied: after a snapshot the index of a read may lie between F and E. */
  #moveReaders(applied: LogIndex): void {
    this.#gate.applied(applied);
    if (this.#gate.isOpen) this.readIndex.applied(applied);
  }

  #armTimer(): void {
    this.#timer = this.#env.clock.setTimer(STEP_MS, () => {
      if (this.#dead) return;
      try {
        this.#step();
      } catch (error) {
        this.#fatal(error);
        return;
      }
      this.#armTimer();
    });
  }

  #step(): void {
    this.proposals.tick();
    this.readIndex.tick();
    this.#gate.tick();
    this.machine.planner.step();
    this.#bootstrap();
    if (this.leader !== 0) this.#announcement.tick();
    const now = this.#env.clock.now();
    if (now - this.#lastGossip < GOSSIP_MS) return;
    this.#sayNews(now);
    this.sender.tick();
    this.machine.resend();
    handOverWhenBlocked(this);
    this.#sweeper.tick(now);
    this.#shortener.run().catch((error: unknown) => this.#fatal(error));
  }

  #sayNews(now: number): void {
    this.#lastGossip = now;
    const { members, self } = this.options;
    const body = frame(FRAME_GOSSIP, encodeNews(newsOf(this.options, this.tree.durable.flushed.index, this.applier.index)));
    for (const member of members) if (member.id !== self) this.#env.network.send(member.id, body);
  }

  // --- State ---

  #load(flushed: LogIndex): void {
    this.#kv = new KvMachine(this.tree);
    const view = this.tree.current;
    this.#kv.load(view, flushed);
    const cluster = view.get(SYSTEM_SPACE, SYSTEM_KEYS.cluster, flushed);
    this.#settings = cluster ? readTreeSettings(new ByteReader(cluster.value, 'cluster settings')) : undefined;
  }

  #clusterState(index: LogIndex): ReturnType<typeof systemWrite>[] {
    if (!this.#settings) return [];
    const out = new ByteWriter(64);
    writeTreeSettings(out, this.#settings);
    return [systemWrite(index, SYSTEM_KEYS.cluster, out.finish())];
  }

  async #durableMoved(): Promise<void> {
    this.#sayNews(this.#env.clock.now());
    await this.#shortener.run();
  }

  /** The version in place cannot give the state as of F, and no peer can mend it. True: another one is in place. */
  async #openNewer(error: StorageError, cause: unknown): Promise<boolean> {
    return this.#newer.seek(error, cause, async (manifest) => {
      const { flushed } = manifest;
      // The log may begin anew: what it held before was acknowledged in an earlier term than this.
      const { hardState } = this.#opened;
      if (flushed.term > (hardState.current?.term ?? 0)) await hardState.update({ term: flushed.term });
      await this.#switch.openAt(manifest);
      this.options.hooks.durableMoved();
      this.#driver = this.#makeDriver(flushed.index, commitOf(this.log, manifest, this.#opened.commit));
      return true;
    });
  }

  /** Apply waits for a block that could not be mended: a newer version of a peer's may be the only way on. */
  #jump(error: StorageError, cause: unknown): void {
    const use = (manifest: LogicalManifest): Promise<boolean> => this.#switch.takeOver(manifest, () => this.#suits(manifest));
    this.#newer.seek(error, cause, use).catch((why: unknown) => this.#fatal(why));
  }

  /** S2: only a version that this log leads to, and newer than what is read; before Raft starts the log may begin anew. */
  #suits({ flushed, last }: LogicalManifest): boolean {
    if (last.index <= this.tree.materialized.last.index) return false;
    if (this.#loaded) return joins(this.log, flushed) && joins(this.log, last);
    return joins(this.log, flushed) || flushed.index > this.tree.durable.flushed.index;
  }

  #switched(flushed: LogIndex): void {
    this.#ownTermApplied = this.driver.node.isLeader && this.log.term(flushed) === this.term;
    this.#moveReaders(flushed);
    this.options.hooks.durableMoved();
  }

  #healingHost(): HealingHost {
    const { env, self, members } = this.options;
    return {
      env,
      memberId: self,
      peers: members.map((member) => member.id).filter((id) => id !== self),
      tables: this.#opened.tables,
      fetcher: this.fetcher,
      leader: () => this.leader,
      term: () => this.term,
      canPropose: () => this.canPropose(),
      logical: () => this.tree.latest,
      materialized: () => this.tree.materialized,
      durable: () => this.tree.durable,
      proposeTreeOp: (op) => this.proposeTreeOp(op),
    };
  }

  #fatal(error: unknown): void {
    if (this.#dead) return;
    this.#dead = true;
    this.proposals.stop();
    this.readIndex.stop();
    this.#gate.stop();
    this.options.onFatal(error);
  }
}
