/** Real replicas on memory disks, watched by the checks as a simulated cluster is: frames at send time, events as they are emitted. */

import { MemoryDisk } from '../../../base/disk/memory-disk.js';
import type { Env, Network } from '../../../base/env.js';
import type { KintsugiEvent } from '../../../base/events.js';
import type { NodeId } from '../../../base/ids.js';
import { Healing } from '../../../healing/healing.js';
import { NodeStore } from '../../../node/node-store.js';
import { Replica } from '../../../replica/replica.js';
import { SMALL_TREE } from '../../../node/testing/test-cluster.js';
import { testEnv, TestHub } from '../../../base/testing/test-env.js';
import type { NodeState } from '../../cluster/sim-node.js';
import { Coverage } from '../../model/coverage.js';
import type { Violation } from '../../model/result.js';
import { Checks } from '../checks.js';
import { DamageOracle } from '../../oracle/damage-oracle.js';
import type { WatchedDisk, WatchedNode } from '../../cluster/watched-node.js';

/** Everything written is on the medium at once. */
export function mediumOf(disk: MemoryDisk): WatchedDisk {
  return {
    list: () => disk.files().map((path) => ({ path, bytes: disk.sizeOf(path) ?? 0 })),
    medium: (path) => disk.node(path)?.bytes,
    isDirty: () => false,
    isNamed: (path) => disk.node(path) !== undefined,
  };
}

export interface LiveNode extends WatchedNode {
  readonly memory: MemoryDisk;
  state: NodeState;
  lives: number;
  running: { replica: Replica; healing: Healing; store: NodeStore } | undefined;
}

export class WatchedCluster {
  readonly hub = new TestHub();
  readonly world = { nowUs: 0 };
  readonly nodes: readonly LiveNode[];
  readonly violations: Violation[] = [];
  readonly oracle: DamageOracle;
  readonly checks: Checks;
  readonly failures: unknown[] = [];

  private constructor(count: number) {
    this.nodes = Array.from({ length: count }, (_, i): LiveNode => {
      const memory = new MemoryDisk();
      return { id: i + 1, memory, disk: mediumOf(memory), state: 'down', lives: 0, running: undefined };
    });
    this.oracle = new DamageOracle({ world: this.world, nodes: this.nodes });
    this.checks = new Checks({
      world: this.world, nodes: this.nodes, settings: { nodes: count }, coverage: new Coverage(), oracle: this.oracle,
      report: (violation) => void this.violations.push(violation),
    });
  }

  static async start(count = 3): Promise<WatchedCluster> {
    const cluster = new WatchedCluster(count);
    await Promise.all(cluster.nodes.map((node) => cluster.up(node)));
    await cluster.leader();
    return cluster;
  }

  node(id: NodeId): LiveNode {
    return this.nodes[id - 1] as LiveNode;
  }

  async up(node: LiveNode): Promise<void> {
    node.lives++;
    node.state = 'opening';
    const emit = (event: KintsugiEvent): void => {
      if (node.state !== 'down') this.checks.onEvent(node, event);
    };
    const env = this.#tapped(node, testEnv(node.id, node.memory, this.hub, emit));
    const healing = new Healing(env, { resendMs: 100, pollMs: 20 });
    const replica = await Replica.open({
      env, healing, self: node.id, clusterId: 77n,
      members: this.nodes.map(({ id }) => ({ id, name: `n${id}`, peerUrls: [`http://n${id}:2380`] })),
      clientUrls: [], settings: SMALL_TREE, heartbeatMs: 30, electionMs: 300, logSegmentBytes: 64 * 1024, cacheBytes: 64 * 1024,
      onFatal: (error) => this.failures.push(error),
    });
    node.running = { replica, healing, store: new NodeStore(replica, healing) };
    this.checks.onOpen(node);
    await replica.start();
    node.state = 'up';
    this.checks.onStart(node);
  }

  async kill(node: LiveNode): Promise<void> {
    const { running } = node;
    this.hub.kill(node.id);
    this.checks.onDeath(node);
    node.state = 'down';
    node.running = undefined;
    await running?.replica.stop();
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.filter((node) => node.running !== undefined).map((node) => this.kill(node)));
    if (this.failures.length > 0) throw this.failures[0];
  }

  leader(): Promise<LiveNode> {
    return this.until('a leader', () => this.nodes.find((node) => node.running?.replica.leadership.mayShapeTree === true));
  }

  async until<T>(what: string, condition: () => T | undefined | false): Promise<T> {
    const end = performance.now() + 10_000;
    for (;;) {
      if (this.failures.length > 0) throw this.failures[0];
      const found = condition();
      if (found !== undefined && found !== false) return found;
      if (performance.now() > end) throw new Error(`waited for ${what} in vain: ${this.checks.atRest().join('; ')}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  atRest(): Promise<true> {
    return this.until('rest', () => this.checks.atRest().length === 0);
  }

  #tapped(node: LiveNode, env: Env): Env {
    const network: Network = {
      maxFrameBytes: env.network.maxFrameBytes,
      start: (handler) => env.network.start(handler),
      send: (to, frame) => {
        if (node.state !== 'down') this.checks.onFrame(node.id, to, frame);
        env.network.send(to, frame);
      },
      call: (to, method, request, timeoutMs) => env.network.call(to, method, request, timeoutMs),
      stop: () => env.network.stop(),
    };
    return { ...env, network };
  }
}
