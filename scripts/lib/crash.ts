/**
 * kill -9 of all nodes at once under load, then restart: every acknowledged write must be there.
 * Proves replay, not fsync: the page cache survives.
 */

import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { checkHistory } from '../../src/checker/check.js';
import type { Cluster } from './cluster.js';
import { readBackEverywhere } from './failover.js';
import { toIntervals } from './load/history.js';
import type { LoadProcess } from './load/process.js';
import { expectedOf, type Expected } from './verify.js';

export interface CrashResult {
  readonly acknowledged: number;
  readonly unknown: number;
  readonly readyMs: number;
  readonly missing: number;
  readonly wrong: number;
  readonly errors: number;
  readonly firstFault: string;
  readonly linearizable: boolean;
  readonly summary: string;
  readonly prefix: string;
  readonly expected: Expected;
}

export interface CrashOptions {
  readonly round: number;
  readonly clients: number;
  readonly loadMs: number;
  /** Not before the cluster has carried out so many: a slow machine takes longer. Default 0. */
  readonly writes?: number;
  readonly valueBytes: number;
}

const PAUSE_MS = 100;
const MAX_PAUSES = 300;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function highestRevision(cluster: Cluster): Promise<number> {
  return Math.max(...(await Promise.all(cluster.nodes.map((node) => node.status()))).map(({ revision }) => revision));
}

export async function crashRound(cluster: Cluster, load: LoadProcess, options: CrashOptions): Promise<CrashResult> {
  const prefix = `c${options.round}/`;
  load.startHistory({
    endpoints: cluster.urls, writers: options.clients, readers: 4, sharedKeys: 16, sharedWrites: 0.2, casShare: 0.3,
    valueBytes: options.valueBytes, timeoutMs: 3000, seed: options.round, prefix, operationsPerSecond: 0,
  }, join(cluster.dir, 'history-crash.ndjson'));
  const began = await highestRevision(cluster);
  await sleep(options.loadMs);
  const enough = began + (options.writes ?? 0);
  for (let pauses = 0; pauses < MAX_PAUSES && (await highestRevision(cluster)) < enough; pauses++) await sleep(PAUSE_MS);
  for (const node of cluster.nodes) node.signal('SIGKILL');
  await Promise.all(cluster.nodes.map((node) => node.stop('SIGKILL')));
  const operations = await load.stopHistory();
  const readyMs = await cluster.start();
  const expected = expectedOf(operations);
  const back = await readBackEverywhere(cluster, prefix, expected);
  const limits = { timeMs: 60_000, memo: 5_000_000, now: () => performance.now() };
  const report = checkHistory(toIntervals(operations), limits);
  return {
    acknowledged: operations.filter((op) => op.outcome === 'ok' && op.kind !== 'get').length, unknown: report.unknown, readyMs,
    missing: back.missing, wrong: back.wrong, errors: back.readErrors, firstFault: back.firstFault,
    linearizable: report.passed, summary: report.summary, prefix, expected,
  };
}
