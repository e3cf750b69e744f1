/**
 * Crash drill: kill -9 of all nodes at once under load, again and again; every acknowledged write
 * must be there afterwards.
 */

import { binaryOf } from './lib/binary.js';
import { Cluster } from './lib/cluster.js';
import { flags, onExit, runMain, whole } from './lib/command.js';
import { crashRound, type CrashResult } from './lib/crash.js';
import { readBackEverywhere } from './lib/failover.js';
import { LoadProcess } from './lib/load/process.js';
import { bad, good, say, table, verdictMark } from './lib/print.js';

const HELP = `Kills all three nodes at once with kill -9, under load, and restarts them.

  npm run drill:crash -- --rounds 20
  npm run drill:crash -- --rounds 5 --clients 64 --load 2000 --target etcd

Small memtables, so that kills land in flushes and compactions too. This proves replay, not fsync: what the kernel had is still there.
`;

const SMALL = ['--experimental-memtable-bytes=1048576', '--experimental-table-bytes=1048576', '--experimental-log-segment-bytes=4194304'];

const isBad = (r: CrashResult): boolean => r.missing + r.wrong + r.errors > 0 || !r.linearizable || r.acknowledged === 0;

await runMain(HELP, async () => {
  const { values } = flags({
    rounds: { type: 'string', default: '20' }, clients: { type: 'string', default: '64' }, load: { type: 'string', default: '1500' },
    'value-bytes': { type: 'string', default: '256' }, target: { type: 'string', default: 'kintsugi' },
  });
  const binary = binaryOf(values.target);
  const cluster = await Cluster.create({ binary, dir: 'crash', extraArgs: binary.kind === 'kintsugi' ? SMALL : [] });
  const load = await LoadProcess.start();
  onExit(() => load.stop());
  say(`three nodes of ${binary.kind} answer after ${await cluster.start()} ms`);
  const results: CrashResult[] = [];
  const loadMs = whole(values.load, 'load', 100);
  for (let round = 1; round <= whole(values.rounds, 'rounds', 1); round++) {
    // A different moment each round, so that kills do not always meet the same phase.
    const jitter = (round * 397) % 700;
    const result = await crashRound(cluster, load, {
      round, clients: whole(values.clients, 'clients', 1), loadMs: loadMs + jitter, valueBytes: whole(values['value-bytes'], 'value-bytes', 8),
    });
    results.push(result);
    say(`round ${round}: ${result.acknowledged} acknowledged, ready again after ${result.readyMs} ms, ${isBad(result) ? bad(result.firstFault || result.summary) : good('all there')}`);
  }
  let lostLater = 0;
  for (const { prefix, expected } of results) {
    const again = await readBackEverywhere(cluster, prefix, expected);
    lostLater += again.missing + again.wrong + again.readErrors;
  }
  console.log(table(
    ['#', 'acknowledged', 'unknown', 'ready ms', 'missing', 'wrong', 'errors', 'linearizable', ''],
    results.map((r, i) => [
      i + 1, r.acknowledged, r.unknown, r.readyMs, r.missing, r.wrong, r.errors, r.linearizable ? good('yes') : bad('NO'), verdictMark(!isBad(r)),
    ]),
  ));
  if (lostLater > 0) console.log(bad(`${lostLater} faults when everything was read again at the end`));
  const passed = lostLater === 0 && !results.some(isBad);
  console.log(verdictMark(passed), `${results.length} times kill -9 of all three ${binary.kind} nodes`);
  return passed ? 0 : 1;
});
