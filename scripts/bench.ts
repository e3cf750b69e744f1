/**
 * The benchmark: a local three-node cluster and, where an etcd is on the PATH, a three-member etcd,
 * in the same run and in turns, both with default flags (fsync on). The load is a lean process of
 * its own; it verifies everything it reads. Medians of several runs.
 */

import { findEtcd, kintsugi, type Binary, type BinaryKind } from './lib/binary.js';
import { measure, CASES, type BenchCase, type Measurement } from './lib/bench.js';
import { Cluster } from './lib/cluster.js';
import { flags, onExit, runMain, UsageError, whole } from './lib/command.js';
import { LoadProcess } from './lib/load/process.js';
import { bad, dim, endProgress, progress, say, strong, table } from './lib/print.js';

const HELP = `Measures the local cluster against etcd, in one run, alternating, medians.

  npm run bench                                   all cases, 5 runs each, under 10 minutes
  npm run bench -- --quick                        2 runs of 1 s each, 20000 keys
  npm run bench -- --cases put@64,get@256         only these
  npm run bench -- --runs 5 --seconds 2 --keys 100000 --value-bytes 100
  npm run bench -- --no-etcd                      kintsugi alone (--no-kintsugi: etcd alone)
  npm run bench -- --json out.json                all runs as JSON besides the table

Cases: ${CASES.map((c) => c.name).join(' ')}
Columns: median operations per second, p50 and p99 in ms; "ratio" is kintsugi / etcd. Server CPU is that of all three nodes, disk what the
device was sent meanwhile, both per operation; client CPU is the load process. With two cores for four processes compare only numbers of one run.
`;

interface Options {
  readonly runs: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly keys: number;
  readonly valueBytes: number;
  readonly cases: readonly BenchCase[];
}

interface Side {
  readonly binary: Binary;
  readonly cluster: Cluster;
}

const ETCD_KEEPS_QUIET = ['--log-level=warn'];

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const low = sorted[sorted.length % 2 === 0 ? middle - 1 : middle] ?? NaN;
  return (low + (sorted[middle] ?? NaN)) / 2;
}

async function prepare(binary: Binary, load: LoadProcess, options: Options): Promise<Side> {
  const extraArgs = binary.kind === 'etcd' ? ETCD_KEEPS_QUIET : [];
  const cluster = await Cluster.create({ binary, dir: `bench-${binary.kind}`, extraArgs });
  say(`${binary.kind} (${binary.version}): three nodes answer after ${await cluster.start()} ms`);
  const fill = await measure(cluster, load, { name: 'load@256', kind: 'fill', clients: 256 }, { ...options, run: 0 });
  say(`${binary.kind}: ${options.keys} keys loaded, ${fill.opsPerSecond.toFixed(0)}/s`);
  if (fill.errors > 0) throw new Error(`${fill.errors} errors while loading: ${fill.firstError}`);
  return { binary, cluster };
}

type Results = Map<string, Map<BinaryKind, Measurement[]>>;

async function runCase(test: BenchCase, sides: readonly Side[], load: LoadProcess, options: Options, results: Results): Promise<void> {
  const byKind = new Map<BinaryKind, Measurement[]>(sides.map(({ binary }) => [binary.kind, []]));
  results.set(test.name, byKind);
  for (let run = 1; run <= options.runs; run++) {
    for (const { binary, cluster } of run % 2 === 1 ? sides : [...sides].reverse()) {
      progress(`${test.name}: ${binary.kind}, run ${run} of ${options.runs}`);
      byKind.get(binary.kind)?.push(await measure(cluster, load, test, { ...options, run }));
    }
  }
  endProgress();
  const parts = [...byKind].map(([kind, ms]) => `${kind} ${median(ms.map((m) => m.opsPerSecond)).toFixed(0)}/s`);
  say(`${test.name.padEnd(10)} ${parts.join(', ')}`);
}

const KINDS: readonly BinaryKind[] = ['kintsugi', 'etcd'];

function rows(results: Results): string[][] {
  const out: string[][] = [];
  for (const [name, byKind] of results) {
    const of = (kind: BinaryKind, pick: (m: Measurement) => number): number => median((byKind.get(kind) ?? []).map(pick));
    const ratio = of('kintsugi', (m) => m.opsPerSecond) / of('etcd', (m) => m.opsPerSecond);
    for (const kind of KINDS) {
      const runs = byKind.get(kind);
      if (runs === undefined) continue;
      const errors = runs.reduce((sum, m) => sum + m.errors, 0);
      out.push([
        name, kind, strong(of(kind, (m) => m.opsPerSecond).toFixed(0)),
        kind === 'kintsugi' && !Number.isNaN(ratio) ? strong(`${ratio.toFixed(2)}x`) : '',
        of(kind, (m) => m.p50Ms).toFixed(2), of(kind, (m) => m.p99Ms).toFixed(2),
        of(kind, (m) => m.serverCpuUs).toFixed(0), of(kind, (m) => m.clientCpuUs).toFixed(0), of(kind, (m) => m.diskBytes).toFixed(0),
        (Math.max(...runs.map((m) => m.rssBytes)) / 1e6).toFixed(0), errors > 0 ? bad(String(errors)) : '0',
      ]);
    }
  }
  return out;
}

const HEAD = [
  'case', 'server', 'op/s', 'ratio', 'p50 ms', 'p99 ms', 'server CPU us/op', 'client CPU us/op', 'disk B/op', 'RSS MB', 'errors',
];

function selectCases(list: string | undefined): readonly BenchCase[] {
  if (list === undefined) return CASES;
  return list.split(',').map((name) => {
    const found = CASES.find((test) => test.name === name);
    if (!found) throw new UsageError(`there is no case ${name}; cases: ${CASES.map((c) => c.name).join(' ')}`);
    return found;
  });
}

await runMain(HELP, async () => {
  const { values } = flags({
    runs: { type: 'string' }, seconds: { type: 'string' }, keys: { type: 'string' }, 'value-bytes': { type: 'string', default: '100' },
    cases: { type: 'string' }, quick: { type: 'boolean', default: false }, json: { type: 'string' },
    'no-etcd': { type: 'boolean', default: false }, 'no-kintsugi': { type: 'boolean', default: false },
  });
  const options: Options = {
    runs: whole(values.runs ?? (values.quick ? '2' : '5'), 'runs', 1),
    seconds: whole(values.seconds ?? (values.quick ? '1' : '2'), 'seconds', 1),
    warmupSeconds: values.quick ? 0.3 : 0.5,
    keys: whole(values.keys ?? (values.quick ? '20000' : '100000'), 'keys', 1000),
    valueBytes: whole(values['value-bytes'], 'value-bytes', 24),
    cases: selectCases(values.cases),
  };
  const etcd = values['no-etcd'] ? undefined : findEtcd();
  const binaries = [...(values['no-kintsugi'] ? [] : [kintsugi()]), ...(etcd ? [etcd] : [])];
  if (binaries.length === 0) throw new UsageError('nothing to measure: no etcd on the PATH');
  const load = await LoadProcess.start();
  onExit(() => load.stop());
  const sides: Side[] = [];
  for (const binary of binaries) sides.push(await prepare(binary, load, options));
  const results: Results = new Map();
  for (const test of options.cases) await runCase(test, sides, load, options, results);
  console.log(table(HEAD, rows(results)));
  if (!etcd) console.log(dim('no etcd on the PATH: nothing to compare with'));
  console.log(dim(`medians of ${options.runs} runs of ${options.seconds} s, ${options.keys} keys of 16 B, values of ${options.valueBytes} B, default flags`));
  if (values.json !== undefined) {
    const { writeFileSync } = await import('node:fs');
    const plain = Object.fromEntries([...results].map(([name, byKind]) => [name, Object.fromEntries(byKind)]));
    writeFileSync(values.json, JSON.stringify({ options, results: plain }, null, 1));
  }
  const wrong = [...results.values()].flatMap((byKind) => [...byKind.values()].flat()).reduce((n, m) => n + m.wrong, 0);
  if (wrong > 0) console.log(bad(`${wrong} answers were wrong`));
  return wrong > 0 ? 1 : 0;
});
