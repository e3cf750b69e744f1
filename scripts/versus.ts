/**
 * `npm run versus:etcd`: nine faults of disks, each on fresh clusters of real processes of this
 * build and of every etcd at hand. Exits 1 if one of ours ends otherwise than with every key
 * readable through every member.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from './lib/binary.js';
import { buildId, chooseServers, type Server } from './lib/bench/server.js';
import { workDir } from './lib/cluster.js';
import { flags, runMain, UsageError, whole } from './lib/command.js';
import { forAll } from './lib/documents.js';
import { bad, good, say, table, verdictMark } from './lib/print.js';
import { forbidden, page, rows, type Column } from './lib/versus/report.js';
import { Results } from './lib/versus/results.js';
import { DEFAULTS, isForbidden, runCase } from './lib/versus/run-case.js';
import { SCENARIOS, type Scenario } from './lib/versus/scenarios.js';

const HELP = `Damages logs and data files of stopped members, of this build and of every etcd on the PATH, and reads everything back.

  npm run versus:etcd -- --seeds 5                  every scenario with seeds 1 to 5
  npm run versus:etcd -- --seeds 1 --no-etcd        this build alone, one minute
  npm run versus:etcd -- --only log-zero-1-lag,data-bit-1
  npm run versus:etcd -- --etcd ~/etcd-3.4 --etcd ~/etcd-3.7/etcd    these instead of those on the PATH
  npm run versus:etcd -- --seeds 5 --write          and writes the table to docs/versus-etcd.md
  npm run versus:etcd -- --at-once 3 --anew         three clusters at a time; forget what was run before

Scenarios: ${SCENARIOS.map(({ name }) => name).join(' ')}
What was run is kept in .data/versus-results, by commit and build (an etcd's by its version): an interrupted run goes on. The
directories of cases that did not end well stay in .data/versus.
Exit code 1 if anything of ours is lost, wrong, forked, unavailable or not served by a member in the end.
`;

const PAGE = 'docs/versus-etcd.md';

interface Job {
  readonly server: Server;
  readonly scenario: Scenario;
  readonly seed: number;
}

const idOf = (server: Server): string => (server.ours ? `kintsugi-${buildId()}` : server.name.replaceAll(/\W+/g, '-'));

function chosen(only: string | undefined): readonly Scenario[] {
  if (only === undefined) return SCENARIOS;
  return only.split(',').map((name) => {
    const found = SCENARIOS.find((scenario) => scenario.name === name);
    if (found === undefined) throw new UsageError(`there is no scenario ${name}; scenarios: ${SCENARIOS.map((s) => s.name).join(' ')}`);
    return found;
  });
}

await runMain(HELP, async () => {
  const { values } = flags({
    seeds: { type: 'string', default: '5' }, only: { type: 'string' }, etcd: { type: 'string', multiple: true, default: [] },
    'no-etcd': { type: 'boolean', default: false }, 'no-kintsugi': { type: 'boolean', default: false },
    'at-once': { type: 'string', default: '2' }, anew: { type: 'boolean', default: false }, write: { type: 'boolean', default: false },
  });
  const seeds = whole(values.seeds, 'seeds', 1);
  const scenarios = chosen(values.only);
  const servers = chooseServers({ etcds: values.etcd, noEtcd: values['no-etcd'], noKintsugi: values['no-kintsugi'], base: undefined });
  const kept = new Map(servers.map((server) => [server, new Results(join(workDir('versus-results'), `${idOf(server)}.json`), values.anew)]));
  const numbers = Array.from({ length: seeds }, (_, i) => i + 1);
  const all: Job[] = numbers.flatMap((seed) => scenarios.flatMap((scenario) => servers.map((server) => ({ server, scenario, seed }))));
  const left = all.filter(({ server, scenario, seed }) => kept.get(server)?.of(scenario.name, seed) === undefined);
  if (left.length < all.length) say(`${all.length - left.length} of ${all.length} cases are there already`);

  let done = 0;
  // A case whose members were killed because this command is to end says nothing of them.
  let interrupted = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.prependListener(signal, () => (interrupted = true));
  await forAll(left, whole(values['at-once'], 'at-once', 1), async ({ server, scenario, seed }) => {
    if (interrupted) return;
    const result = await runCase(server, scenario, seed);
    if (interrupted) return;
    kept.get(server)?.add(scenario.name, seed, result);
    const words = result.words.join(' ') || 'OK';
    const mark = isForbidden(result, server.ours) ? bad(words) : result.words.length === 0 ? good(words) : words;
    say(`${++done} of ${left.length}: ${server.name.padEnd(11)} ${scenario.name.padEnd(15)} seed ${seed}: ${mark} (${result.detail})`);
  });

  const columns: Column[] = servers.map((server) => ({
    server,
    results: new Map(scenarios.map((scenario) => [scenario, numbers.flatMap((seed) => kept.get(server)?.of(scenario.name, seed) ?? [])])),
  }));
  console.log(table(['fault', ...servers.map(({ name }) => name)], rows(scenarios, columns)));
  if (values.write) {
    const { keys, valueBytes } = DEFAULTS;
    const text = page(scenarios, columns, {
      command: `npm run versus:etcd -- --seeds ${seeds} --write`, date: new Date().toISOString().slice(0, 16).replace('T', ' '), build: buildId(), seeds,
      keys, valueBytes,
    });
    mkdirSync(dirname(join(ROOT, PAGE)), { recursive: true });
    writeFileSync(join(ROOT, PAGE), text);
    say(`written: ${PAGE}`);
  }
  const bads = columns.filter(({ server }) => server.ours).reduce((n, column) => n + forbidden(column), 0);
  console.log(verdictMark(bads === 0), `${scenarios.length} scenarios, ${seeds} seeds: ${bads} forbidden outcomes of ours`);
  return bads === 0 ? 0 : 1;
});
