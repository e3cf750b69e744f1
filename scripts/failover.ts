/**
 * Failover drill: per round kill -9 of the leader under 64 concurrent writers. Holds only if in
 * every round the gap stays under a second, requests under way on surviving nodes are answered,
 * 80 % of the rate is back within two seconds, no acknowledged write is lost and the recorded
 * history is linearizable.
 */

import { binaryOf } from './lib/binary.js';
import { Cluster } from './lib/cluster.js';
import { flags, onExit, runMain, whole } from './lib/command.js';
import { failoverRound, readBackEverywhere, type RoundResult } from './lib/failover.js';
import { LoadProcess } from './lib/load/process.js';
import { bad, dim, good, say, table, verdictMark } from './lib/print.js';

const HELP = `Kills the leader with kill -9 under load and measures what clients notice.

  npm run drill:failover -- --rounds 5
  npm run drill:failover -- --target etcd         the same against an etcd on the PATH
  npm run drill:failover -- --writers 64 --readers 8 --warmup 4 --after 5 --timeout 30

Exit code 0 only if in every round the gap is below --max-gap (1000 ms), every request in flight on a survivor is answered,
80 % of the old rate is back within --max-back (2000 ms), no acknowledged write is lost and the history is linearizable.
`;

interface Limits {
  readonly gapMs: number;
  readonly backMs: number;
}

function faultsOf(r: RoundResult, limits: Limits): string[] {
  const faults: string[] = [];
  if (!(r.gapMs < limits.gapMs)) faults.push(`the gap was ${r.gapMs.toFixed(0)} ms`);
  if (r.inFlight.errors > 0) faults.push(`${r.inFlight.errors} requests in flight on survivors failed: ${r.inFlight.firstError}`);
  if (!(r.back80Ms <= limits.backMs)) faults.push(`80 % of the rate was back after ${r.back80Ms.toFixed(0)} ms`);
  if (r.missing + r.wrong + r.readErrors > 0) {
    faults.push(`${r.missing} missing, ${r.wrong} wrong, ${r.readErrors} read errors: ${r.firstFault}`);
  }
  if (!r.history.passed) faults.push(r.history.summary);
  return faults;
}

function row(n: number, r: RoundResult, faults: readonly string[]): string[] {
  const f = r.inFlight;
  return [
    String(n), r.killed, r.rateBefore.toFixed(0), r.gapMs.toFixed(0), r.firstNewMs.toFixed(0),
    r.longestSilenceMs.toFixed(0), r.back80Ms.toFixed(0),
    String(f.answered), String(f.errors), f.longestMs.toFixed(0), String(r.rejoinMs), String(r.acknowledged), String(r.missing + r.wrong),
    r.history.passed ? good('yes') : bad('NO'), verdictMark(faults.length === 0),
  ];
}

const HEAD = [
  '#', 'killed', 'rate/s before', 'gap ms', 'first new ms', 'longest silence ms', '80 % back ms', 'in flight: answered', 'errors', 'longest ms', 'rejoin ms',
  'acknowledged', 'lost or wrong', 'linearizable', '',
];

await runMain(HELP, async () => {
  const { values } = flags({
    rounds: { type: 'string', default: '5' },
    target: { type: 'string', default: 'kintsugi' },
    writers: { type: 'string', default: '64' },
    readers: { type: 'string', default: '8' },
    warmup: { type: 'string', default: '4' },
    after: { type: 'string', default: '5' },
    timeout: { type: 'string', default: '30' },
    'max-gap': { type: 'string', default: '1000' },
    'max-back': { type: 'string', default: '2000' },
    dir: { type: 'string', default: 'failover' },
  });
  const limits = { gapMs: whole(values['max-gap'], 'max-gap'), backMs: whole(values['max-back'], 'max-back') };
  const rounds = whole(values.rounds, 'rounds', 1);
  const binary = binaryOf(values.target);
  const cluster = await Cluster.create({ binary, dir: values.dir });
  const load = await LoadProcess.start();
  onExit(() => load.stop());
  say(`three nodes of ${binary.kind} (${binary.version}), work directory ${cluster.dir}`);
  say(`all three answer after ${await cluster.start()} ms`);
  const results: RoundResult[] = [];
  const faults: string[][] = [];
  for (let round = 1; round <= rounds; round++) {
    const result = await failoverRound(cluster, load, {
      round, writers: whole(values.writers, 'writers', 1), readers: whole(values.readers, 'readers'),
      warmupMs: 1000 * whole(values.warmup, 'warmup', 2), afterMs: 1000 * whole(values.after, 'after', 3),
      requestTimeoutMs: 1000 * whole(values.timeout, 'timeout', 1), say,
    });
    results.push(result);
    faults.push(faultsOf(result, limits));
    say(`round ${round}: gap ${result.gapMs.toFixed(0)} ms, ${result.history.summary} (${result.history.operations} operations)`);
  }
  for (const [i, r] of results.entries()) {
    const again = await readBackEverywhere(cluster, r.prefix, r.expected);
    if (again.missing + again.wrong + again.readErrors > 0) faults[i]?.push(`at the end: ${again.firstFault}`);
  }
  console.log(table(HEAD, results.map((r, i) => row(i + 1, r, faults[i] ?? []))));
  console.log(dim('gap: from the kill to the first acknowledged write after the longest silence; first new: of a write that began after the kill'));
  faults.forEach((list, i) => list.forEach((fault) => console.log(bad(`round ${i + 1}: ${fault}`))));
  const passed = faults.every((list) => list.length === 0);
  console.log(verdictMark(passed), `${rounds} rounds against ${binary.kind}`);
  return passed ? 0 : 1;
});
