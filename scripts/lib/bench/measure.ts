/**
 * One measured case: the load's own numbers joined with what the kernel charged to the three
 * servers, to the device and to everybody else meanwhile.
 */

import { cpus } from 'node:os';
import type { Cluster } from '../cluster.js';
import type { LoadProcess } from '../load/process.js';
import type { BenchResult } from '../load/protocol.js';
import { busySeconds, deviceWriteBytes, sumUsage } from '../proc.js';
import { CASES, type BenchCase } from './cases.js';

export interface Measurement extends BenchResult {
  readonly serverCpuUs: number;
  readonly clientCpuUs: number;
  /** Sent to the device per operation, less what an idle cluster sends in the same time. */
  readonly deviceBytes: number;
  readonly rssBytes: number;
  /** 0 to 1: how much of the machine others had, who are neither servers nor load. */
  readonly othersShare: number;
}

export interface MeasureSettings {
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly keys: number;
  readonly valueBytes: number;
}

const SEED = 20_000;
const SESSIONS_AT_MOST = 5;
const CLIENTS_PER_SESSION = 16;

interface Reading {
  readonly cpuSeconds: number;
  readonly deviceBytes: number;
  readonly rssBytes: number;
  readonly machineSeconds: number;
}

function read(cluster: Cluster): Reading {
  const { cpuSeconds, rssBytes, diskWriteBytes } = sumUsage(cluster.nodes.map((node) => node.usage()));
  return { cpuSeconds, rssBytes, deviceBytes: deviceWriteBytes(cluster.dir) ?? diskWriteBytes, machineSeconds: busySeconds() };
}

/** Bytes per second that the device is sent while nobody asks the cluster anything. */
export async function measureIdle(cluster: Cluster, seconds: number): Promise<number> {
  const before = read(cluster);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  return (read(cluster).deviceBytes - before.deviceBytes) / seconds;
}

export async function measure(
  cluster: Cluster, load: LoadProcess, test: BenchCase, settings: MeasureSettings, idleBytesPerSecond: number,
): Promise<Measurement> {
  let before = read(cluster);
  let after = before;
  load.onMark = (what) => {
    if (what === 'measuring') before = read(cluster);
    else after = read(cluster);
  };
  const perEndpoint = Math.ceil(test.clients / cluster.nodes.length);
  const result = await load.bench({
    ...settings, kind: test.kind, clients: test.clients, endpoints: cluster.urls, seed: SEED, run: CASES.indexOf(test),
    sessionsPerEndpoint: Math.min(SESSIONS_AT_MOST, Math.max(1, Math.ceil(perEndpoint / CLIENTS_PER_SESSION))),
  });
  const operations = Math.max(1, result.operations);
  const servers = after.cpuSeconds - before.cpuSeconds;
  const others = after.machineSeconds - before.machineSeconds - servers - result.clientCpuSeconds;
  const device = after.deviceBytes - before.deviceBytes - idleBytesPerSecond * result.seconds;
  return {
    ...result,
    serverCpuUs: (servers * 1e6) / operations,
    clientCpuUs: (result.clientCpuSeconds * 1e6) / operations,
    deviceBytes: Math.max(0, device) / operations,
    rssBytes: after.rssBytes,
    othersShare: Math.max(0, others) / (result.seconds * cpus().length),
  };
}
