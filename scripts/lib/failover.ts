/** One failover round, measured from outside: kill -9 of the leader under concurrent writers. */

import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { checkHistory, type HistoryReport } from '../../src/checker/check.js';
import type { Cluster } from './cluster.js';
import { toIntervals, type Recorded } from './load/history.js';
import type { LoadProcess } from './load/process.js';
import { monotonicMs } from './load/protocol.js';
import { expectedOf, readBack, type Expected } from './verify.js';

export interface RoundOptions {
  readonly round: number;
  readonly writers: number;
  readonly readers: number;
  readonly warmupMs: number;
  readonly afterMs: number;
  readonly requestTimeoutMs: number;
  readonly say: (text: string) => void;
}

export interface RoundResult {
  readonly killed: string;
  readonly rateBefore: number;
  /**
   * From the kill to the end of the silence it caused: the first acknowledgement after the longest
   * pause.
   */
  readonly gapMs: number;
  /** From the kill to the first acknowledgement of a write that began after it. */
  readonly firstNewMs: number;
  /** Between two acknowledgements, at any time after the kill. */
  readonly longestSilenceMs: number;
  readonly back80Ms: number;
  /** Requests on surviving nodes that were under way at the kill. */
  readonly inFlight: { readonly answered: number; readonly errors: number; readonly longestMs: number; readonly firstError: string };
  readonly rejoinMs: number;
  readonly acknowledged: number;
  readonly expected: Expected;
  readonly prefix: string;
  readonly missing: number;
  readonly wrong: number;
  readonly readErrors: number;
  readonly firstFault: string;
  readonly history: HistoryReport;
}

const WINDOW_MS = 200;
/**
 * What was decided before the kill is still acknowledged for a moment; the silence of the kill
 * begins within this time.
 */
const GAP_BEGINS_WITHIN_MS = 500;

const isWrite = (op: Recorded): boolean => op.kind !== 'get';

/** Times of acknowledgements, ascending. */
function ackTimes(operations: readonly Recorded[]): number[] {
  return operations.filter((op) => op.outcome === 'ok' && isWrite(op)).map((op) => op.end).sort((a, b) => a - b);
}

function countIn(times: readonly number[], from: number, to: number): number {
  let n = 0;
  for (const time of times) if (time >= from && time < to) n++;
  return n;
}

/**
 * When the longest silence that began before `withinMs` after the kill was over; Infinity if it
 * lasted until the load stopped.
 */
export function gapAfter(times: readonly number[], killedAt: number, withinMs: number, stoppedAt = Infinity): number {
  let previous = killedAt;
  let longest = 0;
  let end = Infinity;
  for (const time of times) {
    if (time < killedAt) continue;
    if (previous - killedAt > withinMs) break;
    if (time - previous > longest) {
      longest = time - previous;
      end = time;
    }
    previous = time;
  }
  if (previous - killedAt <= withinMs && stoppedAt !== Infinity && stoppedAt - previous > longest) return Infinity;
  return end - killedAt;
}

function longestSilence(times: readonly number[], killedAt: number): number {
  let longest = 0;
  let previous = killedAt;
  for (const time of times) {
    if (time < killedAt) continue;
    longest = Math.max(longest, time - previous);
    previous = time;
  }
  return longest;
}

export function back80(times: readonly number[], killedAt: number, rateBefore: number): number {
  const wanted = Math.ceil((0.8 * rateBefore * WINDOW_MS) / 1000);
  const after = times.filter((time) => time >= killedAt);
  // The tail of what was acknowledged just before the kill does not count as being back.
  const resumed = killedAt + gapAfter(times, killedAt, GAP_BEGINS_WITHIN_MS);
  for (let i = wanted - 1; i < after.length; i++) {
    const end = after[i] as number;
    const first = after[i - wanted + 1] as number;
    if (first >= resumed && end - first <= WINDOW_MS) return end - killedAt;
  }
  return Infinity;
}

function inFlightAt(operations: readonly Recorded[], killedAt: number, killed: number): RoundResult['inFlight'] {
  const under = operations.filter((op) => op.endpoint !== killed && op.call < killedAt && op.end > killedAt);
  const failed = under.filter((op) => op.outcome !== 'ok');
  return {
    answered: under.length - failed.length,
    errors: failed.length,
    longestMs: under.reduce((longest, op) => Math.max(longest, op.end - killedAt), 0),
    firstError: failed[0]?.error ?? '',
  };
}

export async function failoverRound(cluster: Cluster, load: LoadProcess, options: RoundOptions): Promise<RoundResult> {
  const { round, say } = options;
  const prefix = `f${round}/`;
  const leader = await cluster.leader();
  const killedIndex = cluster.nodes.indexOf(leader);
  load.startHistory({
    endpoints: cluster.urls, writers: options.writers, readers: options.readers, sharedKeys: 32, sharedWrites: 0.15, casShare: 0.3,
    valueBytes: 100, timeoutMs: options.requestTimeoutMs, seed: round, prefix, operationsPerSecond: 0,
  }, join(cluster.dir, `history-${round}.ndjson`));
  await new Promise((resolve) => setTimeout(resolve, options.warmupMs));
  const killedAt = monotonicMs();
  leader.signal('SIGKILL');
  say(`round ${round}: kill -9 of the leader ${leader.name}`);
  await leader.stop('SIGKILL');
  await new Promise((resolve) => setTimeout(resolve, options.afterMs));
  const stoppedAt = monotonicMs();
  const operations = await load.stopHistory();
  leader.start();
  const rejoinMs = await leader.waitReady(60_000);
  const times = ackTimes(operations);
  const rateBefore = countIn(times, killedAt - 2000, killedAt) / 2;
  const firstNew = operations.reduce((first, op) => {
    return op.outcome === 'ok' && isWrite(op) && op.call > killedAt ? Math.min(first, op.end) : first;
  }, Infinity);
  const expected = expectedOf(operations);
  const back = await readBackEverywhere(cluster, prefix, expected);
  const limits = { timeMs: 60_000, memo: 5_000_000, now: () => performance.now() };
  return {
    killed: leader.name, rateBefore, gapMs: gapAfter(times, killedAt, GAP_BEGINS_WITHIN_MS, stoppedAt),
    longestSilenceMs: longestSilence(times, killedAt), firstNewMs: firstNew - killedAt,
    back80Ms: back80(times, killedAt, rateBefore), inFlight: inFlightAt(operations, killedAt, killedIndex), rejoinMs,
    acknowledged: times.length, expected, prefix, ...back, history: checkHistory(toIntervals(operations), limits),
  };
}

export interface ReadBackSum {
  readonly missing: number;
  readonly wrong: number;
  readonly readErrors: number;
  readonly firstFault: string;
}

/**
 * Through every node, linearizable first: after that a serializable read of the same node is at
 * least as new.
 */
export async function readBackEverywhere(cluster: Cluster, prefix: string, expected: Expected): Promise<ReadBackSum> {
  let missing = 0;
  let wrong = 0;
  let readErrors = 0;
  let firstFault = '';
  for (const node of cluster.nodes) {
    for (const serializable of [false, true]) {
      const found = await readBack(node.endpoint, prefix, serializable, expected);
      missing += found.missing;
      wrong += found.wrong;
      readErrors += found.errors;
      if (found.firstFault !== '') firstFault ||= `${node.name} ${serializable ? 'serializable' : 'linearizable'}: ${found.firstFault}`;
    }
  }
  return { missing, wrong, readErrors, firstFault };
}
