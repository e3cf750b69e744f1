/**
 * One pass of the bit-rot drill: damage, read everything, scrub, wait for the heals, scrub again,
 * compare.
 */

import type { Cluster } from './cluster.js';
import { checkFixedData, type FixedData } from './fixed-data.js';
import { growth, healCounters, scrubAll, waitQuiet } from './heal.js';
import type { ClusterNode } from './node.js';
import { seededRandom } from './random.js';
import { rotNode, rotStripe, type Damage } from './rot.js';

export interface Pass {
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

interface Victims {
  readonly nodes: readonly ClusterNode[];
  readonly stripes: boolean;
}

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

interface ReadSum {
  reads: number;
  wrong: number;
  missing: number;
  errors: number;
  first: string;
}

async function readEverything(cluster: Cluster, data: FixedData): Promise<ReadSum> {
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

/**
 * `name` says whom and when: follower, leader or stripes (a different third of the blocks on each
 * node), running or stopped. The pass holds if `faults` is empty.
 */
export async function runPass(
  cluster: Cluster,
  name: string,
  data: FixedData,
  seed: number,
  say: (text: string) => void,
): Promise<Pass> {
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
    name, damage, reads: read.reads, wrong: read.wrong, missing: read.missing, errors: read.errors, hints, heals,
    firstScrub: first.faults, secondScrub: second.faults, healMs: quiet.ms, equal: quiet.tables.equal, faults,
  };
}
