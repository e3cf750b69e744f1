/**
 * Lease drill: a thousand leases of 2 to 10 s, half of them held by a client that keeps them alive,
 * half left alone, while leaders are killed with kill -9. Holds only if none ends that is kept
 * alive, none ends before its TTL, and all others end within their TTL and a grace. What its holder
 * gives up because nothing was answered for its TTL is counted by itself, and fails as well.
 */

import { connect } from '../src/client/client.js';
import { binaryOf } from './lib/binary.js';
import { Cluster } from './lib/cluster.js';
import { flags, onExit, runMain, whole } from './lib/command.js';
import { LeaseDrill, type LeaseFaults, type Watched } from './lib/leases.js';
import { bad, say, table, verdictMark } from './lib/print.js';

const HELP = `A thousand leases through kills of leaders: what is kept alive stays, what is not ends in time.

  npm run drill:leases
  npm run drill:leases -- --rounds 5 --leases 2000 --kills 3
  npm run drill:leases -- --target etcd           the same against an etcd on the PATH

Exit code 0 only if no lease that is kept alive ends, none ends before its TTL is over, and each that nobody keeps alive
ends within its TTL and --grace (3000 ms). A lease whose holder heard nothing for its TTL is lost, too, or,
where reads went unanswered meanwhile, counted as unanswered: both fail.
`;

const HEAD = ['#', 'leases', 'kills', 'lost while kept alive', 'unanswered', 'too early', 'too late', 'latest after its TTL, ms', ''];
const MAX_TTL_MS = 10_000;
const SLACK_MS = 10_000;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The leader goes, and comes back a second later. */
async function killLeader(cluster: Cluster): Promise<void> {
  const leader = await cluster.leader();
  await leader.stop('SIGKILL');
  await sleep(1_000);
  leader.start();
  await leader.waitReady(30_000);
}

function latest(all: readonly Watched[]): number {
  return Math.max(0, ...all.map(({ ttl, idleFrom, seenAt }) => (idleFrom === Infinity ? 0 : seenAt - idleFrom - 1000 * ttl)));
}

await runMain(HELP, async () => {
  const { values } = flags({
    rounds: { type: 'string', default: '2' }, leases: { type: 'string', default: '1000' }, kills: { type: 'string', default: '2' },
    grace: { type: 'string', default: '3000' }, seed: { type: 'string', default: '1' }, target: { type: 'string', default: 'kintsugi' },
    dir: { type: 'string', default: 'leases' },
  });
  const half = Math.ceil(whole(values.leases, 'leases', 2) / 2);
  const kills = whole(values.kills, 'kills');
  const graceMs = whole(values.grace, 'grace');
  const binary = binaryOf(values.target);
  const cluster = await Cluster.create({ binary, dir: values.dir });
  say(`three nodes of ${binary.kind} answer after ${await cluster.start()} ms; work directory ${cluster.dir}`);
  const client = connect({ endpoints: cluster.urls, timeoutMs: 10_000 });
  onExit(() => client.close());
  const drill = new LeaseDrill(client, whole(values.seed, 'seed'), graceMs);
  const rows: string[][] = [];
  let passed = true;
  for (let round = 1; round <= whole(values.rounds, 'rounds', 1); round++) {
    const prefix = `round/${round}/`;
    const held = await drill.hold(prefix, half);
    const idle = await drill.leaveAlone(prefix, half);
    const all = [...held, ...idle];
    say(`round ${round}: ${all.length} leases are granted`);
    const watching = drill.watch(prefix, all, Date.now() + MAX_TTL_MS + graceMs + SLACK_MS);
    for (let kill = 0; kill < kills; kill++) {
      await sleep(1_000);
      await killLeader(cluster);
    }
    await watching;
    // Those that are held, after the last kill.
    await drill.watch(prefix, all, Date.now() + SLACK_MS);
    const faults: LeaseFaults = { early: [], late: [], lost: [], unanswered: [] };
    drill.judge(all, faults);
    for (const one of held) {
      one.lease.abandon();
      one.idleFrom = Date.now();
    }
    await drill.watch(prefix, held, Date.now() + MAX_TTL_MS + graceMs + SLACK_MS);
    drill.judge(held, faults);
    const { early, late, lost, unanswered } = faults;
    for (const one of unanswered.slice(0, 3)) console.log(bad(one));
    for (const fault of [...lost, ...early, ...late].slice(0, 10)) say(bad(fault));
    const holds = early.length + late.length + lost.length + unanswered.length === 0;
    passed &&= holds;
    const counts = [round, all.length, kills, lost.length, unanswered.length, early.length, late.length, latest(all)];
    rows.push([...counts.map(String), verdictMark(holds)]);
  }
  console.log(table(HEAD, rows));
  console.log(verdictMark(passed), `${2 * half} leases a round against ${binary.kind}, grace ${graceMs} ms`);
  return passed ? 0 : 1;
});
