/**
 * Lease storm: a hundred thousand leases are granted, kept alive, taken over by another leader
 * after a kill -9, and then let go all at once, while puts go on. Holds only if none is lost that
 * is kept alive, all end in time that nobody keeps alive, no put fails, and no turn of any event
 * loop is long.
 */

import { binaryOf } from './lib/binary.js';
import { Cluster } from './lib/cluster.js';
import { flags, onExit, runMain, whole } from './lib/command.js';
import { LeaseCrowd } from './lib/lease-crowd.js';
import { Histogram } from './lib/load/histogram.js';
import type { ClusterNode } from './lib/node.js';
import { pacedPuts } from './lib/paced-puts.js';
import { bytes, endProgress, say, table, verdictMark } from './lib/print.js';
import { Turns } from './lib/turns.js';

const HELP = `A hundred thousand leases: granted, kept alive, through the kill of a leader, and let go all at once.

  npm run drill:lease-storm
  npm run drill:lease-storm -- --leases 5000 --ttl 6 --seconds 10     a short form

Exit code 0 only if no lease is lost that is kept alive, all are gone within their TTL, --grace (3000 ms) and a second for each
--per-second (1,000) of them once they are not, no put fails, and no turn of the event loop of a member takes more than --max-turn (50 ms).
`;

const RATE = 50;
const LOOK_MS = 100;
const STREAMS = 4;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function leasesOf(node: ClusterNode): Promise<number> {
  const answer = await fetch(`${node.spec.metricsUrl}/metrics`, { signal: AbortSignal.timeout(10_000) });
  return Number(/^kintsugi_leases (\d+)$/m.exec(await answer.text())?.[1] ?? 'NaN');
}

class Storm {
  readonly #cluster: Cluster;
  readonly #crowd: LeaseCrowd;
  readonly #turns: readonly Turns[];
  readonly rows: string[][] = [];
  longestTurnMs = 0;
  failedPuts = 0;

  constructor(cluster: Cluster, crowd: LeaseCrowd) {
    this.#cluster = cluster;
    this.#crowd = crowd;
    this.#turns = cluster.nodes.map((node) => new Turns(node));
  }

  /** A stretch of the drill, with puts beside it through the leader. */
  async stretch(what: string, work: () => Promise<void>): Promise<void> {
    await Promise.all(this.#turns.map((turns) => turns.longest()));
    this.#crowd.look();
    const cpuOf = (): number => this.#cluster.nodes.reduce((sum, node) => sum + node.usage().cpuSeconds, 0);
    const cpu = cpuOf();
    const began = performance.now();
    const { endpoint } = await this.#cluster.leader();
    const latencies = new Histogram();
    let goesOn = true;
    const working = work().finally(() => (goesOn = false));
    const puts = pacedPuts(endpoint, RATE, 3_600, (n) => `beside/${n % 100}`, latencies, () => goesOn);
    await working;
    const { failed } = await puts;
    const seconds = (performance.now() - began) / 1000;
    const turns = await Promise.all(this.#turns.map((one) => one.longest()));
    this.longestTurnMs = Math.max(this.longestTurnMs, ...turns);
    this.failedPuts += failed;
    const kept = this.#crowd.look();
    const memory = Math.max(...this.#cluster.nodes.map((node) => node.usage().rssBytes));
    this.rows.push([
      what, seconds.toFixed(1), (cpuOf() - cpu).toFixed(1), `${kept.latencies.count}`, kept.latencies.percentile(0.99).toFixed(0),
      Math.max(kept.latencies.maxMs, kept.oldestMs).toFixed(0), latencies.percentile(0.99).toFixed(1), latencies.maxMs.toFixed(0), turns.join(' '), bytes(memory),
    ]);
    say(`${what}: ${seconds.toFixed(1)} s, turns of at most ${turns.join(', ')} ms`);
  }
}

const HEAD = ['', 's', 'CPU s of all', 'keep-alives', 'p99, ms', 'at most, ms', 'p99 of puts, ms', 'at most, ms', 'longest turns, ms', 'memory'];

await runMain(HELP, async () => {
  const { values } = flags({
    leases: { type: 'string', default: '100000' }, ttl: { type: 'string', default: '60' }, seconds: { type: 'string', default: '30' },
    grace: { type: 'string', default: '3000' }, 'per-second': { type: 'string', default: '1000' }, 'max-turn': { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
  });
  const count = whole(values.leases, 'leases', 1);
  const ttl = whole(values.ttl, 'ttl', 2);
  const seconds = whole(values.seconds, 'seconds', 1);
  const limitMs = 1000 * ttl + whole(values.grace, 'grace') + (1000 * count) / whole(values['per-second'], 'per-second', 1);
  const cluster = await Cluster.create({ binary: binaryOf('kintsugi'), dir: 'lease-storm' });
  say(`three nodes answer after ${await cluster.start()} ms`);
  const crowd = new LeaseCrowd(cluster.urls, count, ttl);
  onExit(() => crowd.close());
  const storm = new Storm(cluster, crowd);
  await storm.stretch(`${count} leases are granted`, async () => {
    // The first must not end while the last are granted.
    const granted = crowd.grantAll();
    await sleep((1000 * ttl) / 6);
    crowd.keepAll(STREAMS);
    await granted;
  });
  endProgress();
  await storm.stretch('kept alive', () => sleep(1000 * seconds));
  const killed = await cluster.leader();
  await killed.stop('SIGKILL');
  const began = performance.now();
  await cluster.leader();
  say(`another leads after ${(performance.now() - began).toFixed(0)} ms`);
  killed.start();
  await killed.waitReady(120_000);
  await storm.stretch('kept alive after the kill of the leader', () => sleep(1000 * Math.max(seconds, ttl)));
  const { lost } = crowd;
  const leader = await cluster.leader();
  let goneMs = Infinity;
  await storm.stretch('let go all at once', async () => {
    await crowd.letGo();
    const letGo = performance.now();
    while (performance.now() - letGo < limitMs && goneMs === Infinity) {
      await sleep(LOOK_MS);
      if ((await leasesOf(leader)) === 0) goneMs = performance.now() - letGo;
    }
  });
  console.log(table(HEAD, storm.rows));
  const maxTurn = whole(values['max-turn'], 'max-turn', 1);
  const checks = [
    { what: `${lost} leases that are kept alive are lost`, holds: lost === 0 },
    { what: `all are gone ${(goneMs / 1000).toFixed(1)} s after they are let go, at most ${(limitMs / 1000).toFixed(1)} s`, holds: goneMs <= limitMs },
    { what: `${storm.failedPuts} puts failed`, holds: storm.failedPuts === 0 },
    { what: `the longest turn took at most ${storm.longestTurnMs} ms`, holds: storm.longestTurnMs <= maxTurn },
  ];
  for (const { what, holds } of checks) console.log(verdictMark(holds), what);
  return checks.every(({ holds }) => holds) ? 0 : 1;
});
