/**
 * Bit-rot drill: rots tables of a follower and of the leader, running and stopped, then different blocks of all three nodes at once;
 * everything must be read back right through every node, the heals must go through the log, and all tables end byte-equal.
 */

import { kintsugi } from './lib/binary.js';
import { Cluster } from './lib/cluster.js';
import { Failure, flags, runMain, whole } from './lib/command.js';
import { checkFixedData, loadFixedData, type FixedData } from './lib/fixed-data.js';
import { growth, healCounters, scrubAll, waitQuiet } from './lib/heal.js';
import type { ClusterNode } from './lib/node.js';
import { bad, bytes, dim, good, say, table, verdictMark } from './lib/print.js';
import { seededRandom } from './lib/random.js';
import { rotNode, rotStripe, type Damage } from './lib/rot.js';

const HELP = `Rots table files of real nodes and demands that nothing is lost, everything heals, and all replicas end equal.

  npm run drill:bitrot
  npm run drill:bitrot -- --keys 12000 --value-bytes 1024 --seed 7
  npm run drill:bitrot -- --only follower-running      one of: ${'follower-running follower-stopped leader-running leader-stopped'}
                                                       stripes-running stripes-stopped
  npm run drill:bitrot -- --verbose                    each damage on a line of its own
`;

const SMALL = ['--experimental-memtable-bytes=1048576', '--experimental-table-bytes=1048576'];

interface Pass {
  readonly name: string;
  readonly damage: readonly Damage[];
  readonly reads: number;
  readonly wrong: number;
  readonly missing: number;
  readonly errors: number;
  readonly hints: number;
  readonly heals: number;
  readonly firstScrub: number;
  readonly secondScrub: number;
  readonly healMs: number;
  readonly equal: boolean;
  readonly faults: readonly string[];
}

type Victims = { readonly nodes: readonly ClusterNode[]; readonly stripes: boolean };

async function victims(cluster: Cluster, scenario: string): Promise<Victims> {
  if (scenario.startsWith('stripes')) return { nodes: cluster.nodes, stripes: true };
  const leader = await cluster.leader();
  if (scenario.startsWith('leader')) return { nodes: [leader], stripes: false };
  return { nodes: (await cluster.followers()).slice(0, 1), stripes: false };
}

async function rot({ nodes, stripes }: Victims, seed: number): Promise<Damage[]> {
  const out: Damage[] = [];
  for (const [i, node] of nodes.entries()) {
    if (stripes) out.push(await rotStripe(node, i, nodes.length));
    else out.push(...(await rotNode(node, seededRandom(seed))));
  }
  return out;
}

async function readEverything(cluster: Cluster, data: FixedData): Promise<Pick<Pass, 'reads' | 'wrong' | 'missing' | 'errors'> & { first: string }> {
  const sum = { reads: 0, wrong: 0, missing: 0, errors: 0, first: '' };
  for (const node of cluster.nodes) {
    for (const serializable of [false, true]) {
      const back = await checkFixedData(node.endpoint, data, serializable);
      sum.reads += back.keys;
      sum.wrong += back.wrong;
      sum.missing += back.missing;
      sum.errors += back.errors;
      if (back.firstFault !== '') sum.first ||= `${node.name} ${serializable ? 'serializable' : 'linearizable'}: ${back.firstFault}`;
    }
  }
  return sum;
}

async function runPass(cluster: Cluster, name: string, data: FixedData, seed: number): Promise<Pass> {
  const who = await victims(cluster, name);
  const stopped = name.endsWith('stopped');
  const before = await healCounters(cluster);
  const faults: string[] = [];
  if (stopped) await Promise.all(who.nodes.map((node) => node.stop('SIGTERM')));
  // A process that starts anew counts from zero.
  if (stopped) who.nodes.forEach((node) => before.delete(node.name));
  const damage = await rot(who, seed);
  say(`${name}: ${damage.reduce((n, d) => n + d.blocks, 0)} blocks rotten on ${who.nodes.map((n) => n.name).join(', ')}`);
  if (stopped) {
    for (const node of who.nodes) node.start();
    await Promise.all(who.nodes.map((node) => node.waitReady(60_000)));
  }
  const read = await readEverything(cluster, data);
  if (read.wrong + read.missing + read.errors > 0) faults.push(`${read.wrong} wrong, ${read.missing} missing, ${read.errors} errors: ${read.first}`);
  const first = await scrubAll(cluster);
  const quiet = await waitQuiet(cluster, 120_000);
  if (!quiet.quiet) faults.push(`not healed after ${quiet.ms} ms: ${quiet.why}`);
  const second = await scrubAll(cluster);
  if (second.faults > 0) faults.push(`the second scrub found ${second.faults} faults`);
  const after = await healCounters(cluster);
  const grown = growth(before, after);
  const hints = grown['hintsReceived'] ?? 0;
  const heals = grown['healsApplied'] ?? 0;
  if (hints === 0) faults.push('no hint reached the leader');
  if (heals === 0) faults.push('no heal went through the log');
  const again = await readEverything(cluster, data);
  if (again.wrong + again.missing + again.errors > 0) faults.push(`after healing: ${again.first}`);
  if (!quiet.tables.equal) faults.push(quiet.tables.difference);
  return {
    name, damage, ...read, hints, heals, firstScrub: first.faults, secondScrub: second.faults, healMs: quiet.ms, equal: quiet.tables.equal, faults,
  };
}

const SCENARIOS = ['follower-running', 'leader-running', 'follower-stopped', 'leader-stopped', 'stripes-running', 'stripes-stopped'];

const HEAD = [
  'scenario', 'rotten blocks', 'reads', 'wrong', 'missing', 'errors', 'hints at leader', 'heals applied (3 nodes)', 'scrub 1 found', 'scrub 2 found',
  'healed in ms', 'tables equal', '',
];

function row(p: Pass): string[] {
  return [
    p.name, String(p.damage.reduce((n, d) => n + d.blocks, 0)), String(p.reads), String(p.wrong), String(p.missing), String(p.errors),
    String(p.hints), String(p.heals), String(p.firstScrub), String(p.secondScrub), String(p.healMs), p.equal ? good('yes') : bad('NO'),
    verdictMark(p.faults.length === 0),
  ];
}

await runMain(HELP, async () => {
  const { values } = flags({
    keys: { type: 'string', default: '12000' }, 'value-bytes': { type: 'string', default: '1024' }, seed: { type: 'string', default: '1' },
    only: { type: 'string' }, verbose: { type: 'boolean', default: false },
  });
  const data: FixedData = { keys: whole(values.keys, 'keys', 100), valueBytes: whole(values['value-bytes'], 'value-bytes', 24), seed: 77 };
  const cluster = await Cluster.create({ binary: kintsugi(), dir: 'bitrot', extraArgs: SMALL });
  say(`three nodes answer after ${await cluster.start()} ms; work directory ${cluster.dir}`);
  await loadFixedData(cluster.nodes.map((node) => node.endpoint), data);
  const rest = await waitQuiet(cluster);
  if (!rest.quiet) throw new Failure(`the trees did not come to rest: ${rest.why}`);
  say(`${data.keys} keys of ${data.valueBytes} B in ${rest.tables.tables} tables, ${bytes(rest.tables.bytes)}, equal on all three nodes`);
  if (rest.tables.tables < 7) throw new Failure(`only ${rest.tables.tables} tables: load more keys, each kind of damage needs a table of its own`);
  const passes: Pass[] = [];
  for (const name of values.only ? values.only.split(',') : SCENARIOS) {
    const pass = await runPass(cluster, name, data, whole(values.seed, 'seed') + passes.length);
    passes.push(pass);
    if (values.verbose) pass.damage.forEach((d) => console.log(dim(`          ${d.what} (${d.blocks} blocks)`)));
    say(`${name}: ${pass.faults.length === 0 ? 'healed' : bad(pass.faults.join('; '))}`);
    if (pass.faults.length > 0 && !cluster.nodes.every((node) => node.running)) break;
  }
  console.log(table(HEAD, passes.map(row)));
  for (const pass of passes) for (const fault of pass.faults) console.log(bad(`${pass.name}: ${fault}`));
  const passed = passes.every((pass) => pass.faults.length === 0);
  console.log(verdictMark(passed), `bit rot, ${passes.length} scenarios`);
  return passed ? 0 : 1;
});
