/**
 * Members that come and go while a cluster of real processes serves, as an operator does it:
 * through the published client and the flags of `kintsugi start`.
 */

import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { checkHistory, type HistoryReport } from '../../src/checker/check.js';
import { connect, type Client, type Member } from '../../src/client/client.js';
import { freePorts } from '../../src/server/free-ports.js';
import type { Cluster } from './cluster.js';
import { Failure } from './command.js';
import { readBackEverywhere, type ReadBackSum } from './failover.js';
import { toIntervals } from './load/history.js';
import type { LoadProcess } from './load/process.js';
import { ClusterNode } from './node.js';
import { expectedOf } from './verify.js';

const READY_MS = 60_000;
const PAUSE_MS = 100;

export class Members {
  readonly #cluster: Cluster;
  /** The number of the last node that was added. */
  #last: number;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#last = cluster.nodes.length;
  }

  async with<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const endpoints = this.#cluster.nodes.filter((node) => node.running).map((node) => node.spec.clientUrl);
    const client = connect({ endpoints, timeoutMs: 15_000 });
    try {
      return await work(client);
    } finally {
      client.close();
    }
  }

  list(): Promise<readonly Member[]> {
    return this.with(async (client) => (await client.memberList({ linearizable: true })).members);
  }

  async idOf(node: ClusterNode): Promise<bigint> {
    const found = (await this.list()).find((member) => member.peerUrls.includes(node.spec.advertisedPeerUrl));
    if (found === undefined) throw new Failure(`${node.name} is not in the member list`);
    return found.id;
  }

  /** All members know of changes of the members. */
  async ready(): Promise<void> {
    await until('the cluster version 2', async () => {
      const all = await Promise.all(this.#cluster.nodes.map((node) => node.status()));
      return all.every((status) => Number((status as unknown as { clusterVersion: number }).clusterVersion) >= 2);
    });
  }

  /** Added, started, and it answers. */
  async add(learner: boolean): Promise<ClusterNode> {
    const ports = await freePorts(3);
    // Two members answer nothing linearizable before the second one is there.
    const { members } = await this.with((client) => client.memberAdd([peerUrlOf(ports)], learner));
    return this.started(ports, members);
  }

  /**
   * One that was added at {@link peerUrlOf} these ports, so that `members` are what they are now.
   * It answers.
   */
  async started(ports: readonly number[], members?: readonly Member[]): Promise<ClusterNode> {
    const [first] = this.#cluster.nodes;
    if (first === undefined) throw new Failure('there is no node');
    const url = (at: number): string => `http://127.0.0.1:${ports[at]}`;
    const name = `n${++this.#last}`;
    const known = members ?? (await this.list());
    const nameOf = (m: Member): string => (m.peerUrls.includes(url(1)) ? name : m.name || `m${m.id}`);
    const initialCluster = known.map((member) => `${nameOf(member)}=${member.peerUrls[0]}`).join(',');
    const { dir } = this.#cluster;
    const node = new ClusterNode({
      ...first.spec, name, initialCluster, existing: true,
      clientUrl: url(0), peerUrl: url(1), advertisedPeerUrl: url(1), metricsUrl: url(2),
      dataDir: join(dir, name), logFile: join(dir, `${name}.log`),
    });
    this.#cluster.nodes.push(node);
    node.start();
    await node.waitReady(READY_MS, true);
    await until(`${name} to be known by its name`, async () => (await this.list()).some((member) => member.name === name));
    return node;
  }

  async promote(node: ClusterNode): Promise<void> {
    const id = await this.idOf(node);
    await this.#whenInSync((client) => client.memberPromote(id));
    await node.waitReady(READY_MS);
  }

  async replace(removed: bigint, node: ClusterNode): Promise<void> {
    const id = await this.idOf(node);
    await this.#whenInSync((client) => client.memberReplace(id, removed));
    await node.waitReady(READY_MS);
  }

  /** Its process ends by itself, and says why. */
  async remove(node: ClusterNode): Promise<void> {
    const id = await this.idOf(node);
    await this.with((client) => client.memberRemove(id));
    if (node.running) await until(`${node.name} to end`, () => Promise.resolve(!node.running));
    await until('its exit code', () => Promise.resolve(node.exitCode !== null));
    if (node.exitCode !== 1 || !node.logTail().includes('was removed from the cluster')) throw new Failure(`${node.name} ended with ${node.exitCode}:\n${node.logTail()}`);
    this.forget(node);
  }

  forget(node: ClusterNode): void {
    node.endpoint.close();
    this.#cluster.nodes.splice(this.#cluster.nodes.indexOf(node), 1);
  }

  /** The cluster refuses a learner that is behind. */
  #whenInSync(change: (client: Client) => Promise<unknown>): Promise<void> {
    return until('a learner to be in sync', async () => {
      try {
        await this.with(change);
        return true;
      } catch (error) {
        if (!String(error).includes('in sync with leader')) throw error;
        return false;
      }
    });
  }
}

/** Of a node on these ports: client, peer, ops. */
export function peerUrlOf(ports: readonly number[]): string {
  return `http://127.0.0.1:${ports[1]}`;
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + READY_MS;
  while (!(await condition())) {
    if (performance.now() > end) throw new Failure(`waited for ${what} in vain`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

export interface MemberRound extends ReadBackSum {
  readonly name: string;
  readonly members: number;
  readonly acknowledged: number;
  readonly tookMs: number;
  /** The longest time without an acknowledged write while members came and went. */
  readonly gapMs: number;
  readonly history: HistoryReport;
}

export interface MemberRoundOptions {
  readonly name: string;
  readonly writers: number;
  readonly readers: number;
  /** Whom the clients ask: members that stay. */
  readonly clients: readonly ClusterNode[];
}

/** What `work` does to the members goes on under load. */
export async function memberRound(
  cluster: Cluster, load: LoadProcess, options: MemberRoundOptions, work: () => Promise<void>,
): Promise<MemberRound> {
  const prefix = `m-${options.name}/`;
  load.startHistory({
    endpoints: options.clients.map((node) => node.spec.clientUrl), writers: options.writers, readers: options.readers, sharedKeys: 32,
    sharedWrites: 0.15, casShare: 0.3, valueBytes: 100, timeoutMs: 30_000, seed: 1, prefix, operationsPerSecond: 0,
  }, join(cluster.dir, `history-${options.name}.ndjson`));
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  const began = performance.now();
  await work();
  const tookMs = performance.now() - began;
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const operations = await load.stopHistory();
  const times = operations.filter(({ outcome, kind }) => outcome === 'ok' && kind !== 'get').map(({ end }) => end).sort((a, b) => a - b);
  const expected = expectedOf(operations);
  const back = await readBackEverywhere(cluster, prefix, expected);
  const gapMs = times.reduce((longest, time, i) => Math.max(longest, i === 0 ? 0 : time - (times[i - 1] as number)), 0);
  const limits = { timeMs: 60_000, memo: 5_000_000, now: () => performance.now() };
  const history = checkHistory(toIntervals(operations), limits);
  return { name: options.name, members: cluster.nodes.length, acknowledged: times.length, tookMs, gapMs, history, ...back };
}
