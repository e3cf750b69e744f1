/** What the medians of all rounds say of each case, and which floors they miss. */

import { LATER, LOAD, WARM_UP_FLOOR, type BenchCase } from './cases.js';
import type { Measurement } from './measure.js';
import type { Rounds } from './rounds.js';

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const low = sorted[sorted.length % 2 === 0 ? middle - 1 : middle] ?? NaN;
  return (low + (sorted[middle] ?? NaN)) / 2;
}

/** A demand, what was found, and whether it holds. */
export interface Verdict {
  readonly what: string;
  readonly found: number;
  readonly demanded: number;
  readonly held: boolean;
}

export interface Comparison {
  /** Our median rate over that of the best peer. */
  readonly ratio: number;
  readonly bestPeer: string;
  /** The same of single rounds: smallest and largest. */
  readonly lowest: number;
  readonly highest: number;
  /** The least server CPU per operation of any peer, over ours: other processes count less. */
  readonly cpuRatio: number;
}

const rate = (m: Measurement): number => m.opsPerSecond;

/** Undefined if we or all peers were not measured. */
export function compare(rounds: Rounds, ours: string, peers: readonly string[], test: string): Comparison | undefined {
  const mine = rounds.of(ours, test);
  let best: { readonly name: string; readonly runs: Measurement[] } | undefined;
  for (const name of peers) {
    const runs = rounds.of(name, test);
    if (runs.length > 0 && (best === undefined || median(runs.map(rate)) > median(best.runs.map(rate)))) best = { name, runs };
  }
  if (mine.length === 0 || best === undefined) return undefined;
  const cpu = (runs: readonly Measurement[]): number => median(runs.map((m) => m.serverCpuUs));
  const leastCpu = Math.min(...peers.map((name) => rounds.of(name, test)).filter((runs) => runs.length > 0).map(cpu));
  const single = mine.map((m, i) => m.opsPerSecond / (best.runs[i]?.opsPerSecond ?? NaN));
  return {
    ratio: median(mine.map(rate)) / median(best.runs.map(rate)), bestPeer: best.name,
    lowest: Math.min(...single), highest: Math.max(...single), cpuRatio: leastCpu / cpu(mine),
  };
}

/** Every floor of these cases that can be judged by what was measured. */
export function judge(rounds: Rounds, ours: string, peers: readonly string[], cases: readonly BenchCase[]): Verdict[] {
  const verdicts: Verdict[] = [];
  for (const test of cases) {
    const comparison = compare(rounds, ours, peers, test.name);
    if (comparison === undefined) continue;
    if (test.floor !== undefined) {
      const { ratio, bestPeer } = comparison;
      verdicts.push({ what: `${test.name} against ${bestPeer}`, found: ratio, demanded: test.floor, held: ratio >= test.floor });
    }
    if (test.p99AtMost !== undefined) {
      const p99 = (name: string): number => median(rounds.of(name, test.name).map((m) => m.p99Ms));
      const found = p99(ours) / Math.min(...peers.map(p99));
      verdicts.push({ what: `p99 of ${test.name}, at most`, found, demanded: test.p99AtMost, held: found <= test.p99AtMost });
    }
  }
  const warmUp = warmUpOf(rounds, ours);
  if (!Number.isNaN(warmUp)) {
    verdicts.push({ what: `warm-up: ${LOAD.name} against our ${LATER}`, found: warmUp, demanded: WARM_UP_FLOOR, held: warmUp >= WARM_UP_FLOOR });
  }
  return verdicts;
}

/** The rate of a fresh cluster's first puts over its later rate; NaN if one was not measured. */
export function warmUpOf(rounds: Rounds, server: string): number {
  return median(rounds.of(server, LOAD.name).map(rate)) / median(rounds.of(server, LATER).map(rate));
}
