/**
 * Chaos: kills, pauses, restarts, partitions and bit flips, chosen by a seed, under load. Holds
 * only if every acknowledged write is read back through every node at the end and the recorded
 * history is linearizable.
 */

import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { checkHistory } from '../src/checker/check.js';
import { binaryOf } from './lib/binary.js';
import { Cluster } from './lib/cluster.js';
import { Failure, flags, onExit, runMain, whole } from './lib/command.js';
import { readBackEverywhere } from './lib/failover.js';
import { healCounters, scrubAll, waitQuiet } from './lib/heal.js';
import { toIntervals } from './lib/load/history.js';
import { LoadProcess } from './lib/load/process.js';
import { Nemesis } from './lib/nemesis.js';
import { bad, dim, good, say, table, verdictMark } from './lib/print.js';
import { PeerProxies } from './lib/proxy.js';
import { seededRandom } from './lib/random.js';
import { expectedOf } from './lib/verify.js';

const HELP = `Breaks processes, links and disks under load, then checks the history and reads everything back.

  npm run chaos -- --seconds 60 --seed 7
  npm run chaos -- --target etcd                    without bit flips
  npm run chaos -- --rate 2000 --clients 32 --shared-keys 24

The seed decides what is done and in which order; real processes decide the rest, so a run can be told again but not replayed exactly.
`;

const SMALL = ['--experimental-memtable-bytes=262144', '--experimental-table-bytes=262144', '--experimental-log-segment-bytes=1048576'];

await runMain(HELP, async () => {
  const { values } = flags({
    seconds: { type: 'string', default: '60' }, seed: { type: 'string', default: String(Date.now() % 100_000) },
    target: { type: 'string', default: 'kintsugi' }, rate: { type: 'string', default: '800' }, clients: { type: 'string', default: '24' },
    'shared-keys': { type: 'string', default: '24' },
  });
  const seed = whole(values.seed, 'seed');
  const seconds = whole(values.seconds, 'seconds', 1);
  const binary = binaryOf(values.target);
  const proxies = new PeerProxies();
  onExit(() => proxies.close());
  const ours = binary.kind === 'kintsugi';
  const cluster = await Cluster.create({
    binary, dir: 'chaos', extraArgs: ours ? SMALL : [], peerProxy: (node, port) => proxies.front(node, port),
  });
  proxies.nodes = cluster.nodes;
  const load = await LoadProcess.start();
  onExit(() => load.stop());
  say(`seed ${seed}; three nodes of ${binary.kind} answer after ${await cluster.start()} ms; links ${proxies.links.join(' ')}`);
  load.startHistory({
    endpoints: cluster.urls, writers: whole(values.clients, 'clients', 1), readers: 12, sharedKeys: whole(values['shared-keys'], 'shared-keys', 1),
    sharedWrites: 0.5, casShare: 0.3, valueBytes: 512, timeoutMs: 3000, seed, prefix: 'x/', operationsPerSecond: whole(values.rate, 'rate'),
  }, join(cluster.dir, 'history.ndjson'));
  const random = seededRandom(seed);
  const nemesis = new Nemesis(cluster, proxies, random, (text) => say(`${text}  ${dim(`(${load.acknowledged} acknowledged, ${load.errors} errors)`)}`));
  const until = Date.now() + seconds * 1000;
  await new Promise((resolve) => setTimeout(resolve, 1500));
  while (Date.now() < until) {
    await nemesis.strike();
    await new Promise((resolve) => setTimeout(resolve, 200 + random() * 2000));
  }
  proxies.healAll();
  for (const node of cluster.nodes) {
    node.signal('SIGCONT');
    if (!node.running) node.start();
  }
  await Promise.all(cluster.nodes.map((node) => node.waitReady(60_000)));
  say('all healed, all three answer');
  if (!(await load.waitForAcknowledged(200, 20_000))) throw new Failure('clients do not get on after everything was healed');
  const operations = await load.stopHistory();
  const expected = expectedOf(operations);
  const back = await readBackEverywhere(cluster, 'x/', expected);
  const report = checkHistory(toIntervals(operations), { timeMs: 120_000, memo: 5_000_000, now: () => performance.now() });
  const faults: string[] = [];
  if (back.missing + back.wrong + back.readErrors > 0) faults.push(`${back.missing} missing, ${back.wrong} wrong, ${back.readErrors} errors: ${back.firstFault}`);
  if (!report.passed) faults.push(report.summary);
  const healed = ours ? await healing(cluster, faults) : '-';
  const writes = operations.filter((op) => op.kind !== 'get');
  console.log(table(['what', 'how much'], [
    ['deeds', [...nemesis.done].map(([deed, n]) => `${deed} ${n}`).join(', ')],
    ['bits flipped', nemesis.flippedBits],
    ['operations', operations.length],
    ['acknowledged writes', writes.filter((op) => op.outcome === 'ok').length],
    ['writes of unknown outcome', writes.filter((op) => op.outcome === 'unknown').length],
    ['keys', expected.acknowledged.size],
    ['lost', back.missing],
    ['wrong', back.wrong],
    ['history', report.passed ? good(report.summary) : bad(report.summary)],
    ['healing', healed],
  ]));
  for (const fault of faults) console.log(bad(fault));
  console.log(verdictMark(faults.length === 0), `chaos, ${seconds} s, seed ${seed}`);
  if (faults.length > 0) console.log(`tell it again: npm run chaos -- --seconds ${seconds} --seed ${seed}; history and logs in ${cluster.dir}`);
  return faults.length === 0 ? 0 : 1;
});

/** After the storm every table must be whole and equal again. */
async function healing(cluster: Cluster, faults: string[]): Promise<string> {
  await scrubAll(cluster);
  const quiet = await waitQuiet(cluster, 60_000);
  if (!quiet.quiet) faults.push(`not at rest a minute after the end: ${quiet.why}`);
  const again = await scrubAll(cluster);
  if (again.faults > 0) faults.push(`the second scrub found ${again.faults} faults`);
  const applied = [...(await healCounters(cluster)).values()].reduce((n, counters) => n + (counters['healsApplied'] ?? 0), 0);
  return `${applied} heals applied since the last restarts, ${quiet.tables.tables} tables ${quiet.tables.equal ? 'equal' : 'NOT equal'}`;
}
