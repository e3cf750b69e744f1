/**
 * A cluster of real members on memory disks, watched by the checks as a simulated one is: frames at
 * send time, events as they are emitted.
 */

import type { MemoryDisk } from '../../../base/disk/memory-disk.js';
import type { Env, Network } from '../../../base/env.js';
import { messageOf } from '../../../base/errors.js';
import type { NodeId } from '../../../base/ids.js';
import type { Member } from '../../../node/open-member.js';
import { Cluster } from '../../../node/testing/cluster.js';
import type { ClusterNode } from '../../../node/testing/cluster-node.js';
import { calm } from '../../../node/testing/surroundings.js';
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

export class LiveNode implements WatchedNode {
  readonly id: NodeId;
  readonly member: NodeId;
  readonly memory: MemoryDisk;
  readonly disk: WatchedDisk;
  readonly node: ClusterNode;

  constructor(member: ClusterNode) {
    this.id = member.id;
    this.memory = member.disk;
    this.disk = mediumOf(member.disk);
    this.node = member;
    this.member = member.id;
  }

  get state(): NodeState {
    return this.node.state;
  }

  get lives(): number {
    return this.node.starts;
  }

  get running(): Member | undefined {
    return this.node.running;
  }
}

export class WatchedCluster {
  readonly world = { nowUs: 0 };
  readonly nodes: readonly LiveNode[];
  readonly violations: Violation[] = [];
  readonly oracle: DamageOracle;
  readonly checks: Checks;
  readonly #cluster: Cluster;

  private constructor(members: number) {
    const cluster = (this.#cluster = new Cluster(
      { ...calm, env: (parts) => this.#tapped(parts.self, calm.env(parts)) },
      {
        members,
        cacheBytes: 64 * 1024,
        healing: { resendMs: 100, pollMs: 20 },
        watcher: {
          onEvent: ({ id }, event) => this.checks.onEvent(this.node(id), event),
          onOpen: ({ id }) => this.checks.onOpen(this.node(id)),
          onStart: ({ id }) => this.checks.onStart(this.node(id)),
          onDeath: ({ id }) => this.checks.onDeath(this.node(id)),
        },
      },
    ));
    this.nodes = cluster.nodes.map((node) => new LiveNode(node));
    this.oracle = new DamageOracle({ world: this.world, nodes: this.nodes });
    this.checks = new Checks({
      world: this.world, nodes: this.nodes, settings: { logSegmentBytes: 64 * 1024 },
      coverage: new Coverage(), oracle: this.oracle,
      report: (violation) => void this.violations.push(violation),
    });
  }

  static async start(count = 3): Promise<WatchedCluster> {
    const cluster = new WatchedCluster(count);
    await cluster.#cluster.upAll();
    await cluster.leader();
    return cluster;
  }

  node(id: NodeId): LiveNode {
    return this.nodes[id - 1] as LiveNode;
  }

  up(node: LiveNode): Promise<void> {
    return this.#cluster.up(node.node);
  }

  kill(node: LiveNode): Promise<void> {
    return this.#cluster.kill(node.node);
  }

  stop(): Promise<void> {
    return this.#cluster.close();
  }

  async leader(): Promise<LiveNode> {
    return this.node((await this.#cluster.leader()).id);
  }

  /** As {@link Cluster.until}; what is not at rest is said when it fails. */
  async until<T>(what: string, condition: () => T | undefined | false): Promise<T> {
    try {
      return await this.#cluster.until(what, condition);
    } catch (error) {
      throw new Error(`${this.checks.atRest().join('; ')}\n${messageOf(error)}`, { cause: error });
    }
  }

  atRest(): Promise<true> {
    return this.until('rest', () => this.checks.atRest().length === 0);
  }

  #tapped(self: NodeId, env: Env): Env {
    const { network: inner } = env;
    const network: Network = {
      maxFrameBytes: inner.maxFrameBytes,
      start: (handler) => inner.start(handler),
      send: (to, frame, lane) => {
        if (this.node(self).state !== 'down') this.checks.onFrame(self, to, frame);
        inner.send(to, frame, lane);
      },
      call: (to, method, request, timeoutMs) => inner.call(to, method, request, timeoutMs),
      ask: (to, method, request, timeoutMs) => inner.ask(to, method, request, timeoutMs),
      describe: (url, timeoutMs) => inner.describe(url, timeoutMs),
      guests: () => inner.guests(),
      setPeers: (peers, removed) => inner.setPeers(peers, removed),
      stop: () => inner.stop(),
    };
    return { ...env, network };
  }
}
