/**
 * Upgrade drill: a cluster of an older build is taken to this one, member by member, under load;
 * two members go back while the cluster's version is still the old one; once it was raised, the old
 * build refuses a directory that it could not read, and harms nothing; after `downgrade enable` all
 * go back, and then forward again.
 */

import { kintsugiCommand } from './lib/backup.js';
import { kintsugi, type Binary } from './lib/binary.js';
import { buildAt } from './lib/build-at.js';
import { Cluster } from './lib/cluster.js';
import { Failure, flags, onExit, runMain, whole } from './lib/command.js';
import { readBackEverywhere } from './lib/failover.js';
import { LoadProcess } from './lib/load/process.js';
import type { ClusterNode } from './lib/node.js';
import { bad, say, table, verdictMark } from './lib/print.js';
import { roll, type Roll, type RollResult } from './lib/rolling.js';

/** The last build whose files and messages were all of cluster version 1. */
const FROM = '3451f6d';

const HELP = `Takes a cluster from an older build to this one and back, member by member, under load.

  npm run drill:upgrade
  npm run drill:upgrade -- --from <commit> --writers 64 --rest 3

Exit code 0 only if no acknowledged write is lost, no request is refused (those on a member that ends lose their connection), and
the histories are linearizable. The older build is made from git, once, below .data/builds/.
`;

const HEAD = ['what', 'operations', 'acknowledged', 'refused', 'cut off', 'lost or wrong', 'longest restart ms', 'linearizable', ''];

function faultsOf(result: RollResult): string[] {
  const faults: string[] = [];
  if (result.refused > 0) faults.push(`${result.refused} requests were refused: ${result.firstRefusal}`);
  if (result.lost > 0) faults.push(`${result.lost} keys are missing or wrong: ${result.firstFault}`);
  if (!result.linearizable) faults.push(result.summary);
  return faults;
}

/** Followers first, so that leadership moves once. */
async function inOrder(cluster: Cluster): Promise<ClusterNode[]> {
  return [...(await cluster.followers()), await cluster.leader()];
}

async function versions(cluster: Cluster): Promise<{ lowest: number; newest: number }> {
  const said = await Promise.all(cluster.nodes.map((node) => node.status()));
  return {
    lowest: Math.min(...said.map(({ clusterVersion = 1 }) => clusterVersion)),
    newest: Math.min(...said.map(({ newestVersion = 1 }) => newestVersion)),
  };
}

/** All members know more: the leader raises the version soon. */
async function raised(cluster: Cluster): Promise<number> {
  for (const deadline = Date.now() + 30_000; ; ) {
    const { lowest, newest } = await versions(cluster);
    if (lowest === newest) return lowest;
    if (Date.now() > deadline) throw new Failure(`all members know version ${newest}, and the cluster's is ${lowest} after 30 s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Version by version. It resolves when all may be started with a program of `target`. */
async function lower(cluster: Cluster, from: number, target: number): Promise<void> {
  for (let version = from - 1; version >= target; version--) {
    const began = Date.now();
    const said = await kintsugiCommand('ctl', '--endpoints', cluster.urls.join(','), 'downgrade', 'enable', String(version));
    say(`${said.trim().split('\n').at(-1)}, ${Date.now() - began} ms after it was asked for`);
  }
}

/** The old build must say why it ends, and leave everything as it was. */
async function refusesNewer(node: ClusterNode, old: Binary, current: Binary): Promise<string[]> {
  await node.stop('SIGTERM');
  node.start(old);
  for (const deadline = Date.now() + 30_000; node.running && Date.now() < deadline; ) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const faults: string[] = [];
  if (node.running) faults.push('the old build goes on with a directory of a newer version');
  else if (!/newer program|is not supported/.test(node.logTail(30))) faults.push(`the old build ends without a word of what to do:\n${node.logTail()}`);
  await node.stop('SIGKILL');
  node.start(current);
  await node.waitReady(60_000);
  return faults;
}

await runMain(HELP, async () => {
  const { values } = flags({
    from: { type: 'string', default: FROM },
    writers: { type: 'string', default: '64' },
    rest: { type: 'string', default: '3' },
    dir: { type: 'string', default: 'upgrade' },
  });
  const current = kintsugi();
  const old = buildAt(values.from, say);
  const common = { writers: whole(values.writers, 'writers', 1), restMs: 1000 * whole(values.rest, 'rest', 1), say };
  const cluster = await Cluster.create({ binary: old, dir: values.dir });
  const load = await LoadProcess.start();
  onExit(() => load.stop());
  say(`three nodes of ${old.version}, all answer after ${await cluster.start()} ms`);
  const before = await versions(cluster);

  const rows: string[][] = [];
  const faults: string[] = [];
  const results: RollResult[] = [];
  async function run(what: string, prefix: string, steps: Roll['steps']): Promise<void> {
    const result = await roll(cluster, load, { ...common, prefix, steps });
    const found = faultsOf(result);
    faults.push(...found.map((fault) => `${what}: ${fault}`));
    results.push(result);
    rows.push([
      what, String(result.operations), String(result.acknowledged), String(result.refused), String(result.cutOff), String(result.lost),
      String(result.longestRestartMs), result.linearizable ? 'yes' : 'NO', verdictMark(found.length === 0),
    ]);
  }

  const [first, second] = await cluster.followers() as [ClusterNode, ClusterNode];
  await run('two members to this build, and back', 'a/', [
    { node: first, to: current }, { node: second, to: current }, { node: first, to: old }, { node: second, to: old },
  ]);
  if ((await versions(cluster)).lowest !== before.lowest) faults.push('the cluster version was raised while a member was old');
  await run('all members to this build', 'b/', (await inOrder(cluster)).map((node) => ({ node, to: current })));
  const now = await raised(cluster);
  say(`the cluster's version is ${now}, was ${before.lowest}`);
  if (now > before.newest) faults.push(...(await refusesNewer(first, old, current)));
  if (now > before.newest) {
    await lower(cluster, now, before.newest);
    await run('all back after downgrade enable', 'c/', (await inOrder(cluster)).map((node) => ({ node, to: old })));
    if ((await versions(cluster)).lowest !== before.lowest) faults.push('the old build does not have its version back');
    await run('all to this build again', 'd/', (await inOrder(cluster)).map((node) => ({ node, to: current })));
    if ((await raised(cluster)) !== now) faults.push(`the version is not ${now} again`);
  }
  for (const { prefix, expected } of results) {
    const again = await readBackEverywhere(cluster, prefix, expected);
    if (again.missing + again.wrong + again.readErrors > 0) faults.push(`at the end: ${again.firstFault}`);
  }
  console.log(table(HEAD, rows));
  for (const fault of faults) console.log(bad(fault));
  console.log(verdictMark(faults.length === 0), `upgrade from ${old.version}, cluster version ${before.lowest} to ${now}`);
  return faults.length === 0 ? 0 : 1;
});
