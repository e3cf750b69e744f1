/**
 * A cluster of real members in one process, for tests: wired as the product wires them
 * (`open-member.ts`), on disks that outlive them. `up` begins a life on what the disk holds; a
 * kill, a power loss or an orderly stop ends it.
 *
 * What no member may do is noticed whatever a test is about: one that cannot go on, a stop that
 * fails or hangs. It is in `failures`, and `until` and `close` throw it: a test that expects one
 * takes it out.
 */

import type { MemoryDisk } from '../../base/disk/memory-disk.js';
import type { Disk } from '../../base/disk.js';
import { codeOf } from '../../base/errors.js';
import type { KintsugiEvent } from '../../base/events.js';
import { TestHub } from '../../base/testing/test-env.js';
import type { HealingOptions } from '../../healing/healing.js';
import { DEFAULT_TREE_SETTINGS, type TreeSettings } from '../../storage/base/settings.js';
import type { NodeId } from '../../base/ids.js';
import type { MemberConfig } from '../../replica/base/member-config.js';
import { identityOnDisk } from '../../replica/start/identity-on-disk.js';
import { WaitingMember } from '../waiting-member.js';
import { openMember, type MemberOptions } from '../open-member.js';
import { ClusterNode, type OneLife } from './cluster-node.js';
import { describeNode, MemberFailure } from './describe-node.js';
import type { Surroundings } from './surroundings.js';

/** So small that a few hundred writes are flushed and compacted. */
export const SMALL_TREE: TreeSettings = {
  ...DEFAULT_TREE_SETTINGS,
  format: { ...DEFAULT_TREE_SETTINGS.format, blockBytes: 1024, tableBytes: 32 * 1024 },
  memtableBytes: 24 * 1024,
  level0Tables: 2,
  level1Bytes: 96 * 1024,
};

const CLUSTER_ID = 77n;
const UNTIL_MS = 10_000;
const POLL_MS = 5;
/** A stop that takes longer hangs. */
const MAX_STOP_MS = 20_000;
const QUICK_HEALING: HealingOptions = { resendMs: 300, pollMs: 100, proposalTimeoutMs: 2_000 };

/** Looks on. Nothing is heard of a member that is down. */
export interface ClusterWatcher<D extends Disk> {
  onEvent?(node: ClusterNode<D>, event: KintsugiEvent): void;
  /** Its files are open, and it is about to take part. */
  onOpen?(node: ClusterNode<D>): void;
  /** It serves from now on. */
  onStart?(node: ClusterNode<D>): void;
  /** A life is over: called before the node says so. */
  onDeath?(node: ClusterNode<D>): void;
}

export interface ClusterOptions<D extends Disk> {
  /** How many there are. Default 3. */
  readonly members?: number;
  /** Who they are. Default: 1 and up. */
  readonly ids?: readonly NodeId[];
  /** Default 77. */
  readonly clusterId?: bigint;
  /** Default: {@link SMALL_TREE}. */
  readonly settings?: TreeSettings;
  /** Default 64 KiB. */
  readonly logSegmentBytes?: number;
  /** Default false. */
  readonly autoRecover?: boolean;
  /** Of each member. Default: none. */
  readonly quotaBytes?: number;
  /** Of each member. Default: a member's. */
  readonly maxTxnOps?: number;
  /** Default 256 KiB. */
  readonly cacheBytes?: number;
  /** Default: quicker than a real one, so that no test waits for long. */
  readonly healing?: HealingOptions;
  readonly watcher?: ClusterWatcher<D>;
}

export class Cluster<D extends Disk = MemoryDisk> {
  readonly hub = new TestHub();
  readonly nodes: ClusterNode<D>[];
  /** With whom the cluster began. */
  readonly #origin: readonly MemberConfig[];
  readonly failures: MemberFailure[] = [];
  readonly #surroundings: Surroundings<D>;
  readonly #options: ClusterOptions<D>;
  readonly #watcher: ClusterWatcher<D>;

  /** All members are down. */
  constructor(surroundings: Surroundings<D>, options: ClusterOptions<D> = {}) {
    this.#surroundings = surroundings;
    this.#options = options;
    this.#watcher = options.watcher ?? {};
    const ids = options.ids ?? Array.from({ length: options.members ?? 3 }, (_, i) => i + 1);
    this.nodes = ids.map((id) => new ClusterNode(id, surroundings.newDisk()));
    this.#origin = this.nodes.map(({ id }) => configOf(id));
  }

  /** All members are up, and one of them leads. */
  static async start<D extends Disk>(surroundings: Surroundings<D>, options: ClusterOptions<D> = {}): Promise<Cluster<D>> {
    const cluster = new Cluster(surroundings, options);
    await cluster.upAll();
    await cluster.leader();
    return cluster;
  }

  /** In the order of their ids. */
  get alive(): ClusterNode<D>[] {
    return this.nodes.filter((node) => node.up);
  }

  /**
   * Resolves when the member takes part, or when this life is over before it could. Rejects with
   * what keeps it from opening; it is down then.
   */
  up(node: ClusterNode<D>): Promise<void> {
    const life = node.begin();
    const opening = this.#open(node, life);
    node.promises(opening);
    return opening;
  }

  async upAll(): Promise<void> {
    await Promise.all(this.nodes.map((node) => this.up(node)));
  }

  /**
   * Another machine, whose member was added to the cluster under this id by `by`: down, with an
   * empty disk.
   */
  machine(id: NodeId, by: ClusterNode<D>): ClusterNode<D> {
    const node = new ClusterNode<D>(id, this.#surroundings.newDisk());
    node.joins = by.replica.membership.members.map((member) => (member.id === id ? configOf(id) : member));
    this.nodes.push(node);
    return node;
  }

  /**
   * The same machine, down, as whoever its disk says that it is now: it was told to be opened
   * again.
   */
  async reopened(node: ClusterNode<D>): Promise<ClusterNode<D>> {
    const { self, joins } = await identityOnDisk(node.disk, {
      self: node.id, clusterId: this.#clusterId, members: this.#origin, joins: node.joins,
    });
    if (self === node.id) return node;
    const next = new ClusterNode<D>(self, node.disk);
    next.joins = joins;
    this.nodes.splice(this.nodes.indexOf(node), 1, next);
    return next;
  }

  /** As a supervisor has it that opens a member again whenever it is told to. */
  async recovered(node: ClusterNode<D>): Promise<ClusterNode<D>> {
    for (let at = node; ; at = await this.reopened(at)) {
      try {
        await this.up(at);
        return at;
      } catch (error) {
        if (codeOf(error) !== 'READMISSION') throw error;
      }
    }
  }

  /** A member that is not one any more: its machine is given back. */
  async without(node: ClusterNode<D>): Promise<void> {
    await this.kill(node);
    this.nodes.splice(this.nodes.indexOf(node), 1);
  }

  /**
   * No goodbye: its peers see its streams break. What it wrote stays, and its files are closed.
   * Does nothing to one that is down.
   */
  async kill(node: ClusterNode<D>): Promise<void> {
    const { running, process } = node;
    this.#end(node);
    await running?.replica.stop();
    process.alive = false;
  }

  /**
   * As an operator stops it; leadership is not handed over. A stop that fails is a failure of the
   * member.
   */
  async stop(node: ClusterNode<D>): Promise<void> {
    const { running, process } = node;
    if (running === undefined || !node.up) return this.kill(node);
    this.#watcher.onDeath?.(node);
    node.ended();
    await running.replica.stop().catch((error: unknown) => this.failed(node, 'orderly stop', error));
    this.hub.kill(node.id);
    process.alive = false;
  }

  /**
   * The power goes: what was not synced may be gone, and nothing that the life still runs can touch
   * disk or network.
   */
  crash(node: ClusterNode<D>): void {
    const { running, up, process } = node;
    process.alive = false;
    this.#end(node);
    this.#surroundings.powerLoss(node.disk);
    if (running === undefined || !up) return;
    const stopped = running.replica.stop().catch((error: unknown) => {
      if (codeOf(error) === undefined) this.failed(node, 'stop', error);
    });
    const slow = setTimeout(() => this.failed(node, 'stop', new Error('stop() of a dead replica hangs')), MAX_STOP_MS);
    void stopped.then(() => clearTimeout(slow));
  }

  /**
   * The end of the test: all members go. Throws the first failure that the test did not take out.
   */
  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => this.kill(node)));
    if (this.failures.length > 0) throw this.failures[0];
  }

  /** Who may shape the tree at this moment. */
  get leading(): ClusterNode<D> | undefined {
    return this.alive.find((node) => node.replica.leadership.mayShapeTree);
  }

  leader(): Promise<ClusterNode<D>> {
    return this.until('a leader', () => this.leading);
  }

  /** One that knows who leads. */
  async follower(): Promise<ClusterNode<D>> {
    const leader = await this.leader();
    return this.until('a follower', () => this.alive.find((node) => node !== leader && node.replica.leadership.leader === leader.id));
  }

  /** Polls until the condition gives something, and gives that; fails with its name after `ms`. */
  async until<T>(what: string, condition: () => T | undefined | false, ms = UNTIL_MS): Promise<T> {
    const end = performance.now() + ms;
    for (;;) {
      if (this.failures.length > 0) throw this.failures[0];
      const found = condition();
      if (found !== undefined && found !== false) return found;
      if (performance.now() > end) throw new Error(`waited for ${what} in vain:\n${this.describe()}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /**
   * All members are up, have applied the same index, owe nothing, and have nothing left to flush,
   * compact or heal.
   */
  async settled(ms = UNTIL_MS): Promise<void> {
    await this.until('the cluster to settle', () => this.#isSettled(), ms);
  }

  describe(): string {
    return this.nodes.map(describeNode).join('\n');
  }

  /** To be told by whoever saw a member do what none may do. */
  failed(node: ClusterNode<D>, what: string, error: unknown): void {
    this.failures.push(new MemberFailure(node, what, error));
  }

  get #clusterId(): bigint {
    return this.#options.clusterId ?? CLUSTER_ID;
  }

  async #open(node: ClusterNode<D>, life: OneLife): Promise<void> {
    const { hub } = this;
    const over = life.over.promise;
    const emit = (event: KintsugiEvent): void => {
      if (!node.lives(life)) return;
      node.heard(event);
      this.#watcher.onEvent?.(node, event);
    };
    try {
      const env = this.#surroundings.env({ self: node.id, disk: node.disk, process: life, hub, emit });
      const options = this.#memberOptions(node, life);
      const waiting = new WaitingMember(env, options);
      node.opens(waiting);
      const member = await Promise.race([openMember(env, { ...options, outlook: waiting.outlook }), over]);
      if (member === undefined || !node.lives(life)) return;
      node.opened(member);
      this.#watcher.onOpen?.(node);
      await Promise.race([member.replica.start(), over]);
      if (!node.lives(life)) return;
      node.started();
      this.#watcher.onStart?.(node);
    } catch (error) {
      if (!node.lives(life)) return;
      await this.kill(node);
      throw error;
    }
  }

  #memberOptions(node: ClusterNode<D>, life: OneLife): MemberOptions {
    const { settings = SMALL_TREE, logSegmentBytes = 64 * 1024, cacheBytes = 256 * 1024, quotaBytes = 0 } = this.#options;
    const { healing = QUICK_HEALING } = this.#options;
    return {
      self: node.id,
      clusterId: this.#clusterId,
      autoRecover: this.#options.autoRecover ?? false,
      members: this.#origin,
      joins: node.joins,
      clientUrls: [`http://n${node.id}:2379`],
      settings,
      heartbeatMs: 30,
      electionMs: 300,
      logSegmentBytes,
      cacheBytes,
      quotaBytes,
      ...(this.#options.maxTxnOps === undefined ? {} : { maxTxnOps: this.#options.maxTxnOps }),
      ...(node.newestVersion === undefined ? {} : { newestVersion: node.newestVersion }),
      healing,
      onFatal: (error) => {
        if (node.leaves && codeOf(error) === 'REMOVED') node.removed = error;
        else if (life.alive) this.failed(node, 'fatal', error);
      },
    };
  }

  #end(node: ClusterNode<D>): void {
    if (node.state === 'down') return;
    this.hub.kill(node.id);
    this.#watcher.onDeath?.(node);
    node.ended();
  }

  #isSettled(): boolean {
    if (this.alive.length < this.nodes.length) return false;
    const states = this.alive.map((node) => node.store.status());
    const last = Math.max(...states.map((state) => state.lastLogIndex));
    return states.every(
      (state) =>
        state.leader !== 0 && state.appliedIndex === last && state.owedTables === 0 && state.pendingPlans === 0 &&
        state.sealedMemtables === 0 && state.hints.length === 0,
    );
  }
}

export function configOf(id: NodeId): MemberConfig {
  return { id, name: `n${id}`, peerUrls: [`http://n${id}:2380`] };
}
