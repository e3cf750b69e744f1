/**
 * One measured run: the load's own numbers joined with what the kernel charged to the three servers
 * meanwhile.
 */

import type { Cluster } from './cluster.js';
import type { LoadProcess } from './load/process.js';
import type { BenchKind, BenchResult } from './load/protocol.js';
import { deviceWriteBytes, sumUsage, type Usage } from './proc.js';

export interface BenchCase {
  readonly name: string;
  readonly kind: BenchKind;
  readonly clients: number;
}

/** In an order in which reads come before the writes that would flatter or hurt them. */
export const CASES: readonly BenchCase[] = [
  { name: 'put@64', kind: 'put', clients: 64 },
  { name: 'put@256', kind: 'put', clients: 256 },
  { name: 'get@64', kind: 'get', clients: 64 },
  { name: 'get@256', kind: 'get', clients: 256 },
  { name: 'sget@64', kind: 'sget', clients: 64 },
  { name: 'sget@256', kind: 'sget', clients: 256 },
  { name: 'range@64', kind: 'range', clients: 64 },
  { name: 'cas@64', kind: 'cas', clients: 64 },
  { name: 'cas@256', kind: 'cas', clients: 256 },
];

export interface Measurement extends BenchResult {
  readonly serverCpuUs: number;
  readonly clientCpuUs: number;
  readonly diskBytes: number;
  readonly rssBytes: number;
}

export interface MeasureOptions {
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly keys: number;
  readonly valueBytes: number;
  readonly run: number;
}

const SESSIONS_AT_MOST = 5;
const CLIENTS_PER_SESSION = 16;

export async function measure(cluster: Cluster, load: LoadProcess, test: BenchCase, options: MeasureOptions): Promise<Measurement> {
  const usage = (): Usage => {
    const sum = sumUsage(cluster.nodes.map((node) => node.usage()));
    return { ...sum, diskWriteBytes: deviceWriteBytes(cluster.dir) ?? sum.diskWriteBytes };
  };
  let before = usage();
  let after = before;
  load.onMark = (what) => {
    if (what === 'measuring') before = usage();
    else after = usage();
  };
  const perEndpoint = Math.ceil(test.clients / cluster.nodes.length);
  const result = await load.bench({
    ...options, kind: test.kind, clients: test.clients, endpoints: cluster.urls, seed: 20_000,
    sessionsPerEndpoint: Math.min(SESSIONS_AT_MOST, Math.max(1, Math.ceil(perEndpoint / CLIENTS_PER_SESSION))),
    run: options.run * 1000 + test.clients,
  });
  const operations = Math.max(1, result.operations);
  return {
    ...result,
    serverCpuUs: ((after.cpuSeconds - before.cpuSeconds) * 1e6) / operations,
    clientCpuUs: (result.clientCpuSeconds * 1e6) / operations,
    diskBytes: (after.diskWriteBytes - before.diskWriteBytes) / operations,
    rssBytes: after.rssBytes,
  };
}
