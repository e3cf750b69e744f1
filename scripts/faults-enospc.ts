/**
 * Full disks: every subset of three members, at a place of the log that a seed chooses. Members of
 * this process, on disks in memory that have as much room as they are given. Holds only if no
 * member ends, reads are served meanwhile, the others write on while they are a majority, writes go
 * on within five seconds of when there is room, and every acknowledged write is read back.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../src/base/errors.js';
import { get, put } from '../src/api/testing/requests.js';
import { seededRandom } from '../src/base/testing/seeded-random.js';
import type { SmallDisk } from '../src/base/disk/testing/small-disk.js';
import { Cluster } from '../src/node/testing/cluster.js';
import type { ClusterNode } from '../src/node/testing/cluster-node.js';
import { smallDisks } from '../src/node/testing/small-disks.js';
import { Failure, flags, runMain, whole } from './lib/command.js';
import { Outcomes, type NamedOutcome } from './lib/faults/outcomes.js';

const HELP = `Fills the disks of every subset of three members.

  npm run faults:enospc -- --seeds 20 --from 1
  npm run faults:enospc -- --anew               forget what was run before

Cases that held are kept in .data/faults by commit: what was interrupted goes on.
`;

const SEGMENT_BYTES = 64 * 1024;
const FULL_FOR_MS = 8_000;
const BACK_MS = 5_000;

type Node = ClusterNode<SmallDisk>;

interface Outcome extends NamedOutcome {
  readonly acknowledged: number;
  /** Of disks that are full, those that were short of room when the case ended. */
  readonly short: number;
  readonly backMs: number;
}

async function run(name: string, full: readonly number[], seed: number): Promise<Outcome> {
  const random = seededRandom(seed);
  const cluster = await Cluster.start(smallDisks, { logSegmentBytes: SEGMENT_BYTES });
  const acknowledged = new Map<string, string>();
  let number = 0;
  const write = async (node: Node): Promise<boolean> => {
    const key = `k${random.below(300)}-${node.id}`;
    const value = `${++number}`.padEnd(50 + random.below(500), 'v');
    // One writer for each key: the last acknowledged value is what is there, or a later one.
    acknowledged.delete(key);
    try {
      await node.store.put(put(key, value));
      acknowledged.set(key, value);
      return true;
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return false;
    }
  };
  try {
    for (let i = 0; i < 150; i++) await write(cluster.nodes[i % 3] as Node);
    const filled = cluster.nodes.filter(({ id }) => full.includes(id));
    const others = cluster.nodes.filter(({ id }) => !full.includes(id));
    for (const { disk } of filled) disk.capacity = disk.used + random.below(2 * SEGMENT_BYTES);
    const until = performance.now() + FULL_FOR_MS;
    let went = 0;
    const through = others.length >= 2 ? others : cluster.nodes;
    await Promise.all(through.map(async (node) => {
      while (performance.now() < until && !filled.every(({ replica }) => replica.room.short)) if (await write(node)) went++;
    }));
    if (seed % 2 === 1) {
      const again = filled[0] as Node;
      await cluster.kill(again);
      await cluster.up(again);
    }
    for (const node of cluster.nodes) await node.store.range(get('k1-1', true));
    if (others.length >= 2) {
      await cluster.leader();
      if (went === 0 || !(await write(others[0] as Node))) throw new Failure(`${name}: the others do not write on`);
    }
    const short = filled.filter(({ replica }) => replica.room.short).length;
    for (const { disk } of filled) disk.capacity = Infinity;
    const began = performance.now();
    while (!(await write(cluster.nodes[0] as Node))) {
      if (performance.now() - began > BACK_MS) throw new Failure(`${name}: no write ${BACK_MS} ms after there was room\n${cluster.describe()}`);
      await sleep(20);
    }
    const backMs = Math.round(performance.now() - began);
    if (backMs > BACK_MS) throw new Failure(`${name}: the first write took ${backMs} ms after there was room`);
    await cluster.settled(20_000);
    for (const [key, value] of acknowledged) {
      const { kvs } = await (cluster.nodes[number % 3] as Node).store.range(get(key));
      if (Buffer.from(kvs[0]?.value ?? []).toString() !== value) throw new Failure(`${name}: the acknowledged value of ${key} is lost`);
    }
    return { name, acknowledged: acknowledged.size, short, backMs };
  } finally {
    await cluster.close();
  }
}

await runMain(HELP, async () => {
  const { values } = flags({
    seeds: { type: 'string', default: '3' }, from: { type: 'string', default: '1' }, anew: { type: 'boolean', default: false },
  });
  const first = whole(values.from, 'from', 1);
  const kept = new Outcomes<Outcome>('enospc', values.anew);
  const held: Outcome[] = [];
  for (let seed = first; seed < first + whole(values.seeds, 'seeds', 1); seed++) {
    for (let mask = 1; mask < 8; mask++) {
      const full = [1, 2, 3].filter((id) => (mask & (1 << (id - 1))) !== 0);
      const name = `full ${full.join('+')} seed ${seed}`;
      const known = kept.get(name);
      const outcome = known ?? (await run(name, full, seed));
      held.push(outcome);
      if (known !== undefined) continue;
      kept.add(outcome);
      console.log(JSON.stringify(outcome));
    }
  }
  const slowestBackMs = Math.max(...held.map(({ backMs }) => backMs));
  const acknowledged = held.reduce((sum, outcome) => sum + outcome.acknowledged, 0);
  console.log(JSON.stringify({ version: kept.version, held: held.length, acknowledged, slowestBackMs }));
  return 0;
});
