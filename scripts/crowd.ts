/**
 * Crowd drill: one watcher that is far behind beside a thousand that are not, and ten thousand
 * watchers of one member. Puts must not notice, memory must stay bounded, each hears all.
 */

import { binaryOf } from './lib/binary.js';
import { Cluster } from './lib/cluster.js';
import { flags, runMain, whole } from './lib/command.js';
import { Histogram } from './lib/load/histogram.js';
import { METHODS } from './lib/load/grpc.js';
import { LeanEndpoint } from './lib/load/lean.js';
import { putRequest, revisionOf } from './lib/load/wire.js';
import type { ClusterNode } from './lib/node.js';
import { pacedPuts } from './lib/paced-puts.js';
import { bad, bytes, endProgress, progress, say, table, verdictMark } from './lib/print.js';
import { Crowd } from './lib/watches/crowd.js';
import { startLaggard } from './lib/watches/laggard.js';

const HELP = `One watcher far behind beside a thousand live ones; ten thousand watchers of one member.

  npm run drill:crowd                                       500,000 revisions behind, 1,000 live; then 10,000 watchers
  npm run drill:crowd -- --lagging 20000 --watchers 2000     a short form
  npm run drill:crowd -- --target etcd                       the same against an etcd on the PATH

Exit code 0 only if puts beside the watcher that catches up are answered within 1.2 times (--max-ratio) their p99 without it, in
windows that take turns and end when it has caught up (of 100 puts at least), the member's memory grows by less than --max-growth-mib (100), and every watcher hears every event.
`;

const MiB = 1024 * 1024;
const WRITERS = 64;
const LIVE_STREAMS = 10;
const CROWD_STREAMS = 20;
const WINDOWS = 6;
/** Beside the watcher that catches up; a p99 of fewer says nothing. */
const MIN_PUTS = 100;
const PATIENCE_MS = 300_000;

interface Check {
  readonly what: string;
  readonly how: string;
  readonly holds: boolean;
}

async function writeHistory(node: ClusterNode, revisions: number): Promise<void> {
  const endpoint = new LeanEndpoint(node.spec.clientUrl, 1);
  let next = 0;
  const value = Buffer.alloc(100, 'h');
  await Promise.all(Array.from({ length: WRITERS }, async () => {
    while (next < revisions) {
      const n = next++;
      await new Promise<void>((resolve, reject) => {
        endpoint.call(METHODS.put, putRequest(Buffer.from(`past/${n % 50_000}`), value), (error) => (error ? reject(error) : resolve()));
      });
      if (n % 1_000 === 0) progress(`${n} of ${revisions} revisions written`);
    }
  }));
  endProgress();
  endpoint.close();
}

function mostMemory(node: ClusterNode): { readonly stop: () => number } {
  let most = 0;
  const look = (): void => {
    most = Math.max(most, node.usage().rssBytes);
  };
  const timer = setInterval(look, 50);
  return {
    stop: () => {
      look();
      clearInterval(timer);
      return most;
    },
  };
}

interface Limits {
  readonly ratio: number;
  readonly growth: number;
}

async function lagging(node: ClusterNode, behind: number, live: number, perSecond: number, limits: Limits): Promise<Check[]> {
  const first = revisionOf(await node.endpoint.unary(METHODS.put, putRequest(Buffer.from('live/0'), Buffer.from('')))) + 1;
  await writeHistory(node, behind);
  say(`${behind} revisions are written`);
  const crowd = new Crowd(node.spec.clientUrl, Array.from({ length: live }, (_, i) => ({ key: `live/${i}` })), LIVE_STREAMS);
  const began = await crowd.begun(live, PATIENCE_MS);
  const keyOf = (n: number): string => `live/${n % live}`;
  let puts = (await pacedPuts(node.endpoint, perSecond, 3, keyOf)).sent;
  const idle = new Histogram();
  const beside = new Histogram();
  let growth = 0;
  let whole = true;
  let failed = 0;
  const seconds = 4;
  const catchUpMs: number[] = [];
  for (let window = 0; window < WINDOWS; window++) {
    const without = await pacedPuts(node.endpoint, perSecond, seconds, keyOf, idle);
    const laggard = await startLaggard({
      url: node.spec.clientUrl, prefix: 'past/', startRevision: first, events: behind, timeoutMs: PATIENCE_MS,
    });
    const before = node.usage().rssBytes;
    const memory = mostMemory(node);
    let behindStill = true;
    const caughtUp = laggard.go().finally(() => (behindStill = false));
    const with_ = await pacedPuts(node.endpoint, perSecond, seconds, keyOf, beside, () => behindStill);
    failed += without.failed + with_.failed;
    puts += without.sent + with_.sent;
    const end = await caughtUp;
    laggard.stop();
    whole &&= end.heard;
    catchUpMs.push(end.ms);
    growth = Math.max(growth, memory.stop() - before);
    const [p99, p99Beside] = [idle, beside].map((latencies) => latencies.percentile(0.99).toFixed(1));
    say(`window ${window + 1}: caught up in ${catchUpMs.at(-1)} ms, p99 ${p99} ms without and ${p99Beside} ms beside`);
  }
  const alive = began && (await crowd.heard(puts, 30_000)) && crowd.events === puts;
  crowd.close();
  const ratio = beside.percentile(0.99) / idle.percentile(0.99);
  return [
    { what: `p99 of puts beside a watcher ${behind} behind`, how: `${ratio.toFixed(2)} of without, of ${beside.count}`, holds: ratio <= limits.ratio && failed === 0 && beside.count >= MIN_PUTS },
    { what: 'memory of the member meanwhile', how: `+${bytes(growth)}`, holds: growth < limits.growth },
    { what: 'it hears all of the past', how: `${behind} events in ${Math.min(...catchUpMs)} to ${Math.max(...catchUpMs)} ms`, holds: whole },
    { what: `${live} live watchers hear all`, how: `${crowd.events} of ${puts} events ${crowd.firstFault}`, holds: alive },
  ];
}

async function many(node: ClusterNode, watchers: number, perSecond: number): Promise<Check[]> {
  const before = node.usage().rssBytes;
  const began = Date.now();
  const crowd = new Crowd(node.spec.clientUrl, Array.from({ length: watchers }, (_, i) => ({ key: `many/${i}` })), CROWD_STREAMS);
  const all = await crowd.begun(watchers, PATIENCE_MS);
  const ms = Date.now() - began;
  const each = (node.usage().rssBytes - before) / watchers;
  const puts = Math.max(watchers, perSecond * 10);
  const { latencies, failed } = await pacedPuts(node.endpoint, perSecond, puts / perSecond, (n) => `many/${n % watchers}`);
  const heard = (await crowd.heard(latencies.count, 30_000)) && crowd.events === latencies.count;
  const memory = node.usage().rssBytes - before;
  crowd.close();
  return [
    { what: `${watchers} watchers of one member begin`, how: `in ${ms} ms, ${bytes(each)} each, ${bytes(memory)} after ${puts} puts`, holds: all },
    { what: 'puts go on', how: `${latencies.count} at ${perSecond}/s, p99 ${latencies.percentile(0.99).toFixed(1)} ms, ${failed} failed`, holds: failed === 0 },
    { what: 'each is heard', how: `${crowd.events} events ${crowd.firstFault}`, holds: heard },
  ];
}

await runMain(HELP, async () => {
  const { values } = flags({
    lagging: { type: 'string', default: '500000' }, live: { type: 'string', default: '1000' }, watchers: { type: 'string', default: '10000' },
    rate: { type: 'string', default: '200' }, seed: { type: 'string', default: '1' }, target: { type: 'string', default: 'kintsugi' },
    'max-ratio': { type: 'string', default: '1.2' }, 'max-growth-mib': { type: 'string', default: '100' },
  });
  const rate = whole(values.rate, 'rate', 1);
  const behind = whole(values.lagging, 'lagging');
  const cluster = await Cluster.create({ binary: binaryOf(values.target), dir: 'crowd' });
  say(`three nodes answer after ${await cluster.start()} ms`);
  const node = await cluster.leader();
  const checks: Check[] = [];
  const limits = { ratio: Number(values['max-ratio']), growth: whole(values['max-growth-mib'], 'max-growth-mib', 1) * MiB };
  if (behind > 0) checks.push(...(await lagging(node, behind, whole(values.live, 'live', 1), rate, limits)));
  const watchers = whole(values.watchers, 'watchers');
  if (watchers > 0) checks.push(...(await many(node, watchers, rate)));
  console.log(table(['what', 'how', ''], checks.map(({ what, how, holds }) => [what, how, verdictMark(holds)])));
  const passed = checks.every(({ holds }) => holds);
  if (!passed) console.log(bad('not all of it held'));
  console.log(verdictMark(passed), `a crowd of watchers of ${values.target}`);
  return passed ? 0 : 1;
});
