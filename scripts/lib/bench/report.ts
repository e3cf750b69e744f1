/** The tables: what was measured, and which floors hold. */

import { bad, dim, good, strong, table } from '../print.js';
import { LOAD, type BenchCase } from './cases.js';
import type { Measurement } from './measure.js';
import type { Rounds } from './rounds.js';
import type { Server } from './server.js';
import { compare, judge, median, warmUpOf, type Verdict } from './verdicts.js';

/** Above this much of one core the load itself may be what a case measures. */
const LOAD_IS_BUSY = 0.9;

/** Above this share of the machine others make rates a matter of luck. */
const OTHERS_MATTER = 0.15;

const HEAD = [
  'case', 'server', 'op/s', 'ratio', 'of rounds', 'floor', 'by CPU', 'p50 ms', 'p99 ms', 'server us/op', 'load us/op', 'load core %',
  'device B/op', 'others %', 'RSS MB', 'errors',
];

const percent = (share: number): string => (share * 100).toFixed(0);

/** How much of one core the load process had. */
export function loadShare(m: Measurement): number {
  return m.clientCpuSeconds / m.seconds;
}

function row(test: BenchCase, server: Server, runs: readonly Measurement[], judged: readonly string[]): string[] {
  const of = (pick: (m: Measurement) => number): number => median(runs.map(pick));
  const errors = runs.reduce((sum, m) => sum + m.errors, 0);
  const busy = of(loadShare);
  const others = of((m) => m.othersShare);
  return [
    test.name, server.name, strong(of((m) => m.opsPerSecond).toFixed(0)), ...judged,
    of((m) => m.p50Ms).toFixed(2), of((m) => m.p99Ms).toFixed(2),
    of((m) => m.serverCpuUs).toFixed(0), of((m) => m.clientCpuUs).toFixed(0), busy > LOAD_IS_BUSY ? bad(percent(busy)) : percent(busy),
    of((m) => m.deviceBytes).toFixed(0), others > OTHERS_MATTER ? bad(percent(others)) : percent(others),
    (Math.max(...runs.map((m) => m.rssBytes)) / 1e6).toFixed(0),
    errors > 0 ? bad(String(errors)) : '0',
  ];
}

function judgement(rounds: Rounds, ours: string, peers: readonly string[], test: BenchCase, floors: boolean): string[] {
  const comparison = compare(rounds, ours, peers, test.name);
  if (comparison === undefined) return ['', '', '', ''];
  const { ratio, lowest, highest, cpuRatio } = comparison;
  const floor = floors ? test.floor : undefined;
  const missed = floor !== undefined && ratio < floor;
  return [
    (missed ? bad : strong)(`${ratio.toFixed(2)}x`), dim(`${lowest.toFixed(2)}-${highest.toFixed(2)}`),
    floor === undefined ? '' : missed ? bad(`missed ${floor}x`) : `${floor}x`,
    `${cpuRatio.toFixed(2)}x`,
  ];
}

/** `floors`: peers are etcds, for which the floors are meant. */
export function printTable(rounds: Rounds, servers: readonly Server[], cases: readonly BenchCase[], floors: boolean): void {
  const ours = servers.find((server) => server.ours)?.name ?? '';
  const peers = servers.flatMap((server) => (server.ours ? [] : [server.name]));
  const rows: string[][] = [];
  for (const test of [LOAD, ...cases]) {
    for (const server of servers) {
      const runs = rounds.of(server.name, test.name);
      const judged = server.ours ? judgement(rounds, ours, peers, test, floors) : ['', '', '', ''];
      if (runs.length > 0) rows.push(row(test, server, runs, judged));
    }
  }
  console.log(table(HEAD, rows));
  const all = rounds.all.flatMap(({ clusters }) => clusters.flatMap((cluster) => Object.values(cluster.cases)));
  const others = median(all.map((m) => m.othersShare));
  if (others > OTHERS_MATTER) console.log(bad(`others had ${percent(others)} % of the machine: its rates say little, "by CPU" a little more`));
  for (const { name } of servers) {
    const warmUp = warmUpOf(rounds, name);
    if (!Number.isNaN(warmUp)) console.log(dim(`${name}: its first puts ran at ${percent(warmUp)} % of its later rate`));
  }
}

const say = ({ what, found, demanded }: Verdict): string => `${what}: ${found.toFixed(2)}, floor ${demanded}`;

/** Says which floors hold, and returns how many do not. */
export function printFloors(rounds: Rounds, servers: readonly Server[], cases: readonly BenchCase[]): number {
  const ours = servers.find((server) => server.ours)?.name ?? '';
  const verdicts = judge(rounds, ours, servers.flatMap((server) => (server.ours ? [] : [server.name])), cases);
  const missed = verdicts.filter(({ held }) => !held);
  for (const verdict of verdicts) console.log(verdict.held ? good(`held    ${say(verdict)}`) : bad(`MISSED  ${say(verdict)}`));
  console.log(`${verdicts.length - missed.length} floors held, ${missed.length} missed`);
  return missed.length;
}

/** As Markdown, for a document: rates, ratio and CPU alone. */
export function printMarkdown(rounds: Rounds, servers: readonly Server[], cases: readonly BenchCase[]): void {
  const ours = servers.find((server) => server.ours)?.name ?? '';
  const peers = servers.flatMap((server) => (server.ours ? [] : [server.name]));
  const cell = (name: string, test: string): string => {
    const runs = rounds.of(name, test);
    const of = (pick: (m: Measurement) => number): string => median(runs.map(pick)).toFixed(0);
    return runs.length === 0 ? '-' : `${of((m) => m.opsPerSecond)} (${of((m) => m.serverCpuUs)})`;
  };
  console.log(`| case | ${servers.map(({ name }) => name).join(' | ')} | ratio | floor |\n|${'---|'.repeat(servers.length + 3)}`);
  for (const test of [LOAD, ...cases]) {
    const ratio = compare(rounds, ours, peers, test.name)?.ratio.toFixed(2) ?? '-';
    console.log(`| ${test.name} | ${servers.map(({ name }) => cell(name, test.name)).join(' | ')} | ${ratio} | ${test.floor ?? ''} |`);
  }
}
