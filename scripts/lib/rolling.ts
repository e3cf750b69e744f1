/**
 * A cluster taken from one build to another, member by member, under load: what clients noticed and
 * what is left of what they were told. The history is recorded over the whole roll.
 */

import { join } from 'node:path';
import { checkHistory } from '../../src/checker/check.js';
import type { Binary } from './binary.js';
import type { Cluster } from './cluster.js';
import { readBackEverywhere } from './failover.js';
import { toIntervals, type Recorded } from './load/history.js';
import type { LoadProcess } from './load/process.js';
import type { ClusterNode } from './node.js';
import { expectedOf, type Expected } from './verify.js';

export interface Roll {
  /** Of keys, unlike those of other rolls. */
  readonly prefix: string;
  /** Which members go, in this order, and to which build. */
  readonly steps: readonly { readonly node: ClusterNode; readonly to: Binary }[];
  readonly writers: number;
  /** Between two members, and after the last. */
  readonly restMs: number;
  readonly say: (text: string) => void;
}

export interface RollResult {
  readonly operations: number;
  readonly acknowledged: number;
  /** Answered with an error by a member that was up; not those that lost their connection. */
  readonly refused: number;
  readonly firstRefusal: string;
  /** Lost their connection to a member that ended. */
  readonly cutOff: number;
  readonly longestRestartMs: number;
  readonly prefix: string;
  readonly expected: Expected;
  readonly lost: number;
  readonly firstFault: string;
  readonly linearizable: boolean;
  readonly summary: string;
}

/** A member that ends lets go of its connections: what was not answered then is no refusal. */
const CONNECTION_LOST = /connection|closed|ECONN|EPIPE|GOAWAY|socket|never sent|reset/i;
const ANSWER_MS = 30_000;

export async function roll(cluster: Cluster, load: LoadProcess, { prefix, steps, writers, restMs, say }: Roll): Promise<RollResult> {
  load.startHistory({
    endpoints: cluster.urls, writers, readers: 8, sharedKeys: 32, sharedWrites: 0.15, casShare: 0.3,
    valueBytes: 100, timeoutMs: ANSWER_MS, seed: 1, prefix, operationsPerSecond: 0,
  }, join(cluster.dir, `history-${prefix.replaceAll('/', '')}.ndjson`));
  await rest(restMs);
  let longestRestartMs = 0;
  for (const { node, to } of steps) {
    const began = Date.now();
    await node.stop('SIGTERM');
    node.start(to);
    await node.waitReady(60_000);
    const took = Date.now() - began;
    longestRestartMs = Math.max(longestRestartMs, took);
    say(`${node.name} runs ${to.version}, away for ${took} ms`);
    await rest(restMs);
  }
  const operations = await load.stopHistory();
  const unanswered = operations.filter(({ outcome }) => outcome !== 'ok');
  const refusals = unanswered.filter(({ error }) => !CONNECTION_LOST.test(error));
  const expected = expectedOf(operations);
  const back = await readBackEverywhere(cluster, prefix, expected);
  const history = checkHistory(toIntervals(operations), { timeMs: 60_000, memo: 5_000_000, now: () => performance.now() });
  return {
    operations: operations.length, acknowledged: operations.filter(acknowledged).length,
    refused: refusals.length, firstRefusal: refusals[0]?.error ?? '',
    cutOff: unanswered.length - refusals.length, longestRestartMs, prefix, expected,
    lost: back.missing + back.wrong + back.readErrors, firstFault: back.firstFault, linearizable: history.passed, summary: history.summary,
  };
}

const acknowledged = ({ kind, outcome, ok }: Recorded): boolean => kind !== 'get' && outcome === 'ok' && ok;

const rest = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
