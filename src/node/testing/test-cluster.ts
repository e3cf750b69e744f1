/** Whole replicas in one process, for tests: start, kill, restart, wait. */

import { MemoryDisk } from '../../base/disk/memory-disk.js';
import type { Env } from '../../base/env.js';
import type { KintsugiEvent } from '../../base/events.js';
import type { NodeId } from '../../base/ids.js';
import { noFaults } from '../../storage/table/block-faults.js';
import { DEFAULT_TREE_SETTINGS, type TreeSettings } from '../../storage/base/settings.js';
import { tablePath } from '../../storage/table/table-meta.js';
import type { HealingHooks } from '../../replica/hooks/healing-hooks.js';
import { NodeStore, type HealingControl } from '../node-store.js';
import type { ReplicaOptions } from '../../replica/start/options.js';
import { Replica } from '../../replica/replica.js';
import { testEnv, TestHub } from '../../base/testing/test-env.js';

export const SMALL_TREE: TreeSettings = {
  ...DEFAULT_TREE_SETTINGS,
  format: { ...DEFAULT_TREE_SETTINGS.format, blockBytes: 1024, tableBytes: 32 * 1024 },
  memtableBytes: 24 * 1024,
  level0Tables: 2,
  level1Bytes: 96 * 1024,
};

export interface TestNode {
  readonly id: NodeId;
  readonly disk: MemoryDisk;
  replica: Replica;
  store: NodeStore;
  hooks: HealingHooks & HealingControl;
  up: boolean;
  readonly events: KintsugiEvent[];
}

/** Heals nothing but relinks; for tests that are not about healing. */
export function noHealing(): HealingHooks & HealingControl {
  let relink: (from: string, to: string) => Promise<void> = () => Promise.resolve();
  return {
    faults: noFaults,
    attach: (host) => {
      relink = async (from, to) => {
        await host.env.disk.link(from, to);
        await host.env.disk.syncDir('tables');
      };
      return Promise.resolve();
    },
    repair: (error) => Promise.reject(error),
    materializeHeal: async (removed, added) => {
      await relink(tablePath(removed.id), tablePath(added.id));
      return 'relink';
    },
    healEditApplied: () => undefined,
    durableMoved: () => undefined,
    onCall: (_from, method) => Promise.reject(new Error(`no such method: ${method}`)),
    blocked: () => false,
    stop: () => Promise.resolve(),
    hints: () => [],
    counters: {
      correctedBlocks: 0, transientFaults: 0, uncorrectableBlocks: 0, repairedBlocks: 0, hintsForwarded: 0, hintsReceived: 0,
      healsProposed: 0, healsApplied: 0, healsFailed: 0,
    },
    scrubStatus: () => ({
      state: 'idle', scannedBytes: 0, totalBytes: 0, scannedTables: 0, totalTables: 0, faults: 0, lastCompletedAt: null, pastCache: false,
    }),
    scrub: () => Promise.reject(new Error('no scrub here')),
    suspicious: () => false,
  };
}

export class TestCluster {
  readonly hub = new TestHub();
  readonly nodes: TestNode[] = [];
  readonly failures: unknown[] = [];
  readonly #settings: TreeSettings;
  readonly #makeHooks: (env: Env) => HealingHooks & HealingControl;
  readonly #logSegmentBytes: number;

  private constructor(settings: TreeSettings, logSegmentBytes: number, makeHooks: (env: Env) => HealingHooks & HealingControl) {
    this.#settings = settings;
    this.#logSegmentBytes = logSegmentBytes;
    this.#makeHooks = makeHooks;
  }

  static async start(
    count = 3,
    options: { settings?: TreeSettings; logSegmentBytes?: number; makeHooks?: (env: Env) => HealingHooks & HealingControl } = {},
  ): Promise<TestCluster> {
    const cluster = new TestCluster(options.settings ?? SMALL_TREE, options.logSegmentBytes ?? 64 * 1024, options.makeHooks ?? noHealing);
    const ids = Array.from({ length: count }, (_, i) => i + 1);
    for (const id of ids) {
      const disk = new MemoryDisk();
      cluster.nodes.push({ id, disk, up: false, events: [] } as unknown as TestNode);
    }
    await Promise.all(cluster.nodes.map((node) => cluster.up(node)));
    await cluster.leader();
    return cluster;
  }

  /** Opens a node on what its disk holds. */
  async up(node: TestNode): Promise<void> {
    const env = testEnv(node.id, node.disk, this.hub, (event) => {
      node.events.push(event);
      if (node.events.length > 5_000) node.events.splice(0, 2_500);
    });
    const options: ReplicaOptions = {
      env,
      healing: (node.hooks = this.#makeHooks(env)),
      self: node.id,
      clusterId: 77n,
      members: this.nodes.map(({ id }) => ({ id, name: `n${id}`, peerUrls: [`http://n${id}:2380`] })),
      clientUrls: [`http://n${node.id}:2379`],
      settings: this.#settings,
      heartbeatMs: 30,
      electionMs: 300,
      logSegmentBytes: this.#logSegmentBytes,
      cacheBytes: 1024 * 1024,
      onFatal: (error) => this.failures.push(error),
    };
    node.replica = await Replica.open(options);
    node.store = new NodeStore(node.replica, node.hooks);
    await node.replica.start();
    node.up = true;
  }

  /** Without a goodbye; what is on the memory disk stays. */
  async kill(node: TestNode): Promise<void> {
    node.up = false;
    this.hub.kill(node.id);
    await node.replica.stop();
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.filter((node) => node.up).map((node) => this.kill(node)));
    if (this.failures.length > 0) throw this.failures[0];
  }

  get alive(): TestNode[] {
    return this.nodes.filter((node) => node.up);
  }

  async leader(): Promise<TestNode> {
    return this.until('a leader', () => this.alive.find((node) => node.replica.leadership.mayShapeTree));
  }

  async follower(): Promise<TestNode> {
    const leader = await this.leader();
    return this.until('a follower', () => this.alive.find((node) => node !== leader && node.replica.leadership.leader === leader.id));
  }

  /** Polls until the condition gives something; fails with its name after ten seconds. */
  async until<T>(what: string, condition: () => T | undefined | false): Promise<T> {
    const end = performance.now() + 10_000;
    for (;;) {
      if (this.failures.length > 0) throw this.failures[0];
      const found = condition();
      if (found !== undefined && found !== false) return found;
      if (performance.now() > end) throw new Error(`waited for ${what} in vain:\n${this.alive.map(describeNode).join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** All live nodes have applied the same index, owe nothing, and have nothing left to flush or compact. */
  async settled(): Promise<void> {
    await this.until('the cluster to settle', () => {
      const states = this.alive.map((node) => node.store.status());
      const last = Math.max(...states.map((state) => state.lastLogIndex));
      return states.every(
        (state) => state.appliedIndex === last && state.owedTables === 0 && state.pendingPlans === 0 && state.sealedMemtables === 0,
      );
    });
  }
}

function describeNode(node: TestNode): string {
  const status = node.store.status();
  const progress = [...(node.replica.driver.node.status().progress ?? [])].map(([id, p]) => `${id}:${p.state}/${p.match}/${p.next}`);
  const events = node.events.filter((event) => event.type === 'warning' || event.type.startsWith('snapshot')).slice(-4);
  return JSON.stringify({ ...status, manifest: undefined, members: undefined, heal: undefined, scrub: undefined, progress, events });
}
