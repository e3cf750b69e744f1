/**
 * Three (or more) nodes on loopback, of either binary, in one work directory. Nothing is shared
 * with another run.
 */

import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../src/server/free-ports.js';
import { ROOT, type Binary } from './binary.js';
import { Failure, onExit } from './command.js';
import { Endpoint } from './load/grpc.js';
import { ClusterNode, type NodeSpec } from './node.js';

export interface ClusterOptions {
  readonly binary: Binary;
  /** Below `.data/` unless absolute. Emptied first. */
  readonly dir: string;
  readonly size?: number;
  readonly extraArgs?: readonly string[];
  /** Ports to use instead of free ones: client, peer, ops of each node in turn. */
  readonly ports?: readonly number[];
  /** What the others dial instead of a node's peer port, once that is known. */
  readonly peerProxy?: (node: number, peerPort: number) => Promise<number>;
  /** Both ports speak TLS, by certificates that the members make for themselves. */
  readonly autoTls?: boolean;
  /** The processes outlive this command. */
  readonly keepRunning?: boolean;
}

export function workDir(dir: string): string {
  return dir.startsWith('/') ? dir : join(ROOT, '.data', dir);
}

/** Clusters that end with this command, even if it throws. */
const ours: Cluster[] = [];

export class Cluster {
  readonly nodes: ClusterNode[];
  readonly dir: string;

  constructor(nodes: ClusterNode[], dir: string) {
    this.nodes = nodes;
    this.dir = dir;
  }

  /** Chooses ports and directories; nothing runs yet. */
  static async create(options: ClusterOptions): Promise<Cluster> {
    const dir = workDir(options.dir);
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir, { recursive: true });
    const cluster = new Cluster((await layOut(options, dir)).map((spec) => new ClusterNode(spec)), dir);
    if (!options.keepRunning) {
      onExit(() => cluster.stop('SIGKILL'));
      if (ours.push(cluster) === 1) process.once('exit', () => ours.forEach(({ nodes }) => nodes.forEach((node) => node.signal('SIGKILL'))));
    }
    return cluster;
  }

  get urls(): string[] {
    return this.nodes.map((node) => node.spec.clientUrl);
  }

  node(i: number): ClusterNode {
    const node = this.nodes[i];
    if (node === undefined) throw new Error(`there is no node ${i}`);
    return node;
  }

  /**
   * Starts every node and waits until each answers a linearizable read. Says how long that took, in
   * ms.
   */
  async start(timeoutMs = 60_000): Promise<number> {
    const began = Date.now();
    for (const node of this.nodes) node.start();
    await Promise.all(this.nodes.map((node) => node.waitReady(timeoutMs)));
    return Date.now() - began;
  }

  /** The node that leads, by its own word and that of a majority; waits for one. */
  async leader(timeoutMs = 15_000): Promise<ClusterNode> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const asked = await Promise.allSettled(this.nodes.filter((n) => n.running).map((n) => n.grpcStatus()));
      const said = asked.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
      const up = this.nodes.filter((n) => n.running);
      const claims = asked.findIndex((a) => a.status === 'fulfilled' && a.value.leader !== 0n && a.value.leader === a.value.memberId);
      const claimed = asked[claims];
      if (claimed?.status === 'fulfilled') {
        const votes = said.filter((s) => s.leader === claimed.value.leader).length;
        const node = up[claims];
        if (node && votes > this.nodes.length / 2) return node;
      }
      if (Date.now() > deadline) throw new Failure(`no leader after ${timeoutMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async followers(): Promise<ClusterNode[]> {
    const leader = await this.leader();
    return this.nodes.filter((node) => node !== leader);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop(signal)));
    for (const node of this.nodes) node.endpoint.close();
  }

  /** Fresh connections, of the caller's own. */
  endpoints(sessions = 1): Endpoint[] {
    return this.urls.map((url) => new Endpoint(url, sessions));
  }
}

async function layOut(options: ClusterOptions, dir: string): Promise<NodeSpec[]> {
  const size = options.size ?? 3;
  const ports = options.ports ?? (await freePorts(3 * size));
  const port = (node: number, which: number): number => ports[3 * node + which] as number;
  const advertised: string[] = [];
  const scheme = options.autoTls === true ? 'https' : 'http';
  const tlsArgs = options.autoTls === true ? ['--auto-tls', '--peer-auto-tls'] : [];
  for (let i = 0; i < size; i++) {
    const peerPort = options.peerProxy ? await options.peerProxy(i, port(i, 1)) : port(i, 1);
    advertised.push(`${scheme}://127.0.0.1:${peerPort}`);
  }
  const initialCluster = advertised.map((url, i) => `n${i + 1}=${url}`).join(',');
  return advertised.map((advertisedPeerUrl, i) => ({
    name: `n${i + 1}`,
    binary: options.binary,
    dataDir: join(dir, `n${i + 1}`),
    logFile: join(dir, `n${i + 1}.log`),
    clientUrl: `${scheme}://127.0.0.1:${port(i, 0)}`,
    peerUrl: `${scheme}://127.0.0.1:${port(i, 1)}`,
    advertisedPeerUrl,
    metricsUrl: `http://127.0.0.1:${port(i, 2)}`,
    initialCluster,
    token: `local-${ports[0]}`,
    extraArgs: [...tlsArgs, ...(options.extraArgs ?? [])],
  }));
}
