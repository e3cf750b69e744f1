/**
 * The benchmark: fresh three-member clusters of this build and of every etcd at hand, one after the
 * other and in turns, all with default flags (fsync on). The load is a lean process of its own; it
 * verifies everything it reads. Medians over the rounds, held against floors.
 */

import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { CASES, LATER, type BenchCase } from './lib/bench/cases.js';
import { printFloors, printMarkdown, printTable } from './lib/bench/report.js';
import { Rounds, type ClusterResult } from './lib/bench/rounds.js';
import { runCluster, type ClusterSettings } from './lib/bench/run-cluster.js';
import { buildId, chooseServers, type Server } from './lib/bench/server.js';
import { workDir } from './lib/cluster.js';
import { flags, onExit, runMain, UsageError, whole } from './lib/command.js';
import { LoadProcess } from './lib/load/process.js';
import { bad, dim, say } from './lib/print.js';

const HELP = `Measures this build against etcd: fresh clusters in turns, medians over the rounds.

  npm run bench                                   all cases, 5 rounds, 1 minute per cluster
  npm run bench -- --floors                       exit code 1 if a floor is missed
  npm run bench -- --quick                        2 rounds, 1 s a case, 20000 keys
  npm run bench -- --cases put@64,get@256         only these (and the load)
  npm run bench -- --etcd ~/etcd-3.4 --etcd ~/etcd-3.7/etcd   these instead of those on the PATH
  npm run bench -- --base ../before/dist/cli/main.js          against another build of our own
  npm run bench -- --runs 5 --seconds 2 --keys 100000 --value-bytes 100
  npm run bench -- --no-etcd                      kintsugi alone (--no-kintsugi: etcd alone)
  npm run bench -- --json out.json --markdown     all rounds as JSON; the table for a document
  npm run bench -- --fresh                        forget the rounds that are kept of this build

Servers: every etcd on the PATH, one of each version; for each case the better one counts.
Cases: ${CASES.map((c) => c.name).join(' ')}
Rounds are kept in .data/bench by commit and build: an interrupted bench goes on with the next round.

Columns: "ratio" is kintsugi / the better peer, "of rounds" the smallest and largest of single rounds, "by CPU"
the least server CPU per operation of any peer over ours, which holds where others compute meanwhile. "server us/op" is the CPU of all
three members, "load us/op" that of the load process and "load core %" how much of one core it had (red: it may be the limit itself).
"device B/op" is what the device under the data directories was sent, less what the idle cluster wrote. "others %" is how much of the
machine had neither servers nor load: compare nothing where it is high. With two cores for four processes compare only within one bench.
`;

interface Bench {
  readonly servers: readonly Server[];
  readonly cases: readonly BenchCase[];
  readonly runs: number;
  readonly settings: ClusterSettings;
}

function selectCases(list: string | undefined): readonly BenchCase[] {
  if (list === undefined) return CASES;
  const names = new Set(list.split(','));
  const unknown = [...names].find((name) => !CASES.some((test) => test.name === name));
  if (unknown !== undefined) throw new UsageError(`there is no case ${unknown}; cases: ${CASES.map((c) => c.name).join(' ')}`);
  return CASES.filter((test) => names.has(test.name));
}

/** Where the rounds of this bench are kept: what was asked is in the name. */
function resultsFile({ settings, cases }: Bench): string {
  const { seconds, keys, valueBytes } = settings;
  const which = cases === CASES ? 'all' : cases.map(({ name }) => name).join('+');
  return join(workDir('bench'), buildId(), `${which}-${seconds}s-${keys}x${valueBytes}.json`);
}

async function run(bench: Bench, rounds: Rounds): Promise<void> {
  const load = await LoadProcess.start();
  onExit(() => load.stop());
  while (rounds.all.length < bench.runs) {
    const began = new Date().toISOString();
    const at = rounds.all.length;
    const turn = at % bench.servers.length;
    const clusters: ClusterResult[] = [];
    for (const server of [...bench.servers.slice(turn), ...bench.servers.slice(0, turn)]) {
      const cluster = await runCluster(server, load, bench.cases, bench.settings);
      clusters.push(cluster);
      const rates = Object.entries(cluster.cases).map(([name, m]) => `${name} ${m.opsPerSecond.toFixed(0)}`);
      say(`round ${at + 1} of ${bench.runs}: ${server.name.padEnd(11)} ${rates.join(', ')}`);
      const failed = Object.values(cluster.cases).find((m) => m.errors > 0);
      if (failed !== undefined) say(bad(`${server.name}: ${failed.firstError}`));
    }
    rounds.add({ began, clusters });
  }
}

await runMain(HELP, async () => {
  const text = { type: 'string' } as const;
  const yes = { type: 'boolean', default: false } as const;
  const { values } = flags({
    runs: text, seconds: text, keys: text, 'value-bytes': { ...text, default: '100' }, cases: text, json: text, base: text,
    etcd: { ...text, multiple: true, default: [] }, quick: yes, floors: yes, fresh: yes, markdown: yes, 'no-etcd': yes, 'no-kintsugi': yes,
  });
  const { quick } = values;
  const bench: Bench = {
    servers: chooseServers({ etcds: values.etcd, noEtcd: values['no-etcd'], noKintsugi: values['no-kintsugi'], base: values.base }),
    cases: selectCases(values.cases),
    runs: whole(values.runs ?? (quick ? '2' : '5'), 'runs', 1),
    settings: {
      seconds: whole(values.seconds ?? (quick ? '1' : '2'), 'seconds', 1),
      warmupSeconds: quick ? 0.3 : 0.5,
      idleSeconds: quick ? 2 : 5,
      keys: whole(values.keys ?? (quick ? '20000' : '100000'), 'keys', 1000),
      valueBytes: whole(values['value-bytes'], 'value-bytes', 24),
    },
  };
  const rounds = new Rounds(resultsFile(bench), bench.servers.map(({ name }) => name), values.fresh);
  if (rounds.all.length > 0) say(`${rounds.all.length} rounds are there already: ${rounds.file}`);
  await run(bench, rounds);
  const againstEtcd = values.base === undefined;
  printTable(rounds, bench.servers, bench.cases, againstEtcd);
  if (values.markdown) printMarkdown(rounds, bench.servers, bench.cases);
  const { seconds, keys, valueBytes } = bench.settings;
  console.log(dim(`medians of ${rounds.all.length} fresh clusters each, ${seconds} s a case, ${keys} keys of 16 B, values of ${valueBytes} B,` +
    ` default flags, ${cpus().length} cores, Node ${process.versions.node}`));
  console.log(dim(`kept in ${rounds.file}`));
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify({ settings: bench.settings, rounds: rounds.all }, null, 1));
  const measured = rounds.all.flatMap(({ clusters }) => clusters.flatMap(({ cases }) => Object.values(cases)));
  const wrong = measured.reduce((n, m) => n + m.wrong, 0);
  if (wrong > 0) console.log(bad(`${wrong} answers were wrong`));
  let missed = 0;
  if (bench.servers.length < 2) console.log(dim('no peer: nothing to compare with'));
  else if (againstEtcd) missed = printFloors(rounds, bench.servers, bench.cases);
  if (againstEtcd && values.floors && !bench.cases.some(({ name }) => name === LATER)) console.log(dim(`without ${LATER} the warm-up is not judged`));
  return wrong > 0 || (values.floors && missed > 0) ? 1 : 0;
});
