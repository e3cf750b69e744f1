/**
 * Syncs that fail, one at a time, 500 of them: the n-th sync of the log, the manifest, a table or
 * the hard state of a leader or a follower under load. Members of this process, on disks in memory
 * that lose what a failed sync had to make durable. Holds only if no file is written to or synced
 * again after its sync failed, if only a failed hard state ends a member (which the next start
 * brings back), if all members agree in the end, and if every acknowledged write is read back from
 * every member: of half the cases after the struck one has lost what its caches held.
 */

import { codeOf } from '../src/base/errors.js';
import type { FaultDisk } from '../src/base/disk/testing/fault-disk.js';
import { get, put } from '../src/api/testing/requests.js';
import { seededRandom } from '../src/base/testing/seeded-random.js';
import { Cluster } from '../src/node/testing/cluster.js';
import type { ClusterNode } from '../src/node/testing/cluster-node.js';
import { failingDisks } from '../src/node/testing/failing-disks.js';
import { Failure, flags, runMain, whole } from './lib/command.js';
import { Outcomes, type NamedOutcome } from './lib/faults/outcomes.js';

const HELP = `Lets syncs fail, one after the other.

  npm run faults:fsync                          500 of them
  npm run faults:fsync -- --points 50 --from 1  the first 50
  npm run faults:fsync -- --anew                forget what was run before

Points that held are kept in .data/faults by commit: what was interrupted goes on. A point at which there was no such sync does
not count, and another one takes its place.
`;

const PLACES = ['log', 'log', 'manifest', 'tables', 'hardstate'] as const;
const MAX_WRITES = 600;
const AT_ONCE = 12;
/** Of points, there is such a sync in one at least. */
const POINTS_FOR_ONE = 2;
/** Points that one cluster goes through. */
const PER_CLUSTER = 10;

type Node = ClusterNode<FaultDisk>;

interface Outcome extends NamedOutcome {
  readonly place: string;
  readonly after: number;
  readonly leads: boolean;
  /** 0: there was no such sync. */
  readonly hits: number;
  readonly ended: boolean;
  readonly lostCaches: boolean;
}

/** Writers, each with keys of its own: the value that was acknowledged last must be read. */
class Writes {
  readonly acknowledged = new Map<string, string>();
  #number = 0;

  async some(nodes: readonly Node[]): Promise<void> {
    await Promise.all(Array.from({ length: AT_ONCE }, async (_, writer) => {
      const key = `k${writer}-${++this.#number % 40}`;
      const value = `${this.#number}`.padEnd(200, 'v');
      this.acknowledged.delete(key);
      try {
        await (nodes[writer % nodes.length] as Node).store.put(put(key, value));
        this.acknowledged.set(key, value);
      } catch (error) {
        if (codeOf(error) === undefined) throw error;
      }
    }));
  }

  async check(node: Node): Promise<void> {
    for (const [key, value] of this.acknowledged) {
      const { kvs } = await node.store.range({ ...get(key), serializable: true });
      if (Buffer.from(kvs[0]?.value ?? []).toString() !== value) throw new Failure(`member ${node.id} has lost the acknowledged value of ${key}`);
    }
  }
}

async function strike(cluster: Cluster<FaultDisk>, writes: Writes, point: number): Promise<Outcome> {
  const random = seededRandom(point);
  const place = PLACES[point % PLACES.length] as string;
  const after = random.below(place === 'log' ? 40 : 4);
  const leads = random.below(2) === 0;
  const lostCaches = random.below(2) === 0;
  const node = leads ? await cluster.leader() : await cluster.follower();
  const fault = node.disk.inject({ kind: 'sync-error', path: place, times: 1, after });
  let ended = false;
  for (let wrote = 0; fault.hits === 0 && wrote < MAX_WRITES; wrote += AT_ONCE) {
    await writes.some(cluster.alive);
    // Terms come and go: hard state is written.
    if (place === 'hardstate') await cluster.leading?.replica.transferLeadership();
    if (cluster.failures.length > 0) break;
  }
  fault.remove();
  const others = cluster.nodes.filter((other) => other !== node);
  await writes.some(others);
  const failures = cluster.failures.splice(0);
  if (failures.length > 0) {
    if (place !== 'hardstate' || failures.some((failure) => failure.node !== node.id)) throw failures[0];
    ended = true;
  }
  if (ended || lostCaches) {
    await cluster.kill(node);
    await writes.some(others);
    await node.disk.restart();
    await cluster.up(node);
  }
  await cluster.settled(60_000);
  if (!ended && node.disk.retried.length > 0) throw new Failure(`written to or synced again after it failed: ${node.disk.retried.join(', ')}`);
  node.disk.retried.length = 0;
  for (const each of cluster.nodes) await writes.check(each);
  return { name: nameOf(point), place, after, leads, hits: fault.hits, ended, lostCaches };
}

const nameOf = (point: number): string => `point ${point}`;

await runMain(HELP, async () => {
  const { values } = flags({
    points: { type: 'string', default: '500' }, from: { type: 'string', default: '1' }, anew: { type: 'boolean', default: false },
  });
  const first = whole(values.from, 'from', 1);
  const count = whole(values.points, 'points', 1);
  const kept = new Outcomes<Outcome>('fsync', values.anew);
  const struck: Outcome[] = [];
  let point = first;
  let cluster: Cluster<FaultDisk> | undefined;
  let writes = new Writes();
  for (let through = 0; struck.length < count; point++) {
    if (point >= first + POINTS_FOR_ONE * count) throw new Failure(`only ${struck.length} syncs were struck at ${point - first} points`);
    let outcome = kept.get(nameOf(point));
    if (outcome === undefined) {
      if (cluster === undefined || through++ % PER_CLUSTER === 0) {
        await cluster?.close();
        process.stderr.write(`${count - struck.length} are left\n`);
        cluster = await Cluster.start(failingDisks, {});
        writes = new Writes();
      }
      const at = cluster;
      outcome = await strike(at, writes, point).catch((error: unknown) => {
        throw new Failure(`point ${point}: ${error instanceof Error ? error.message : String(error)}\n${at.describe()}`, { cause: error });
      });
      kept.add(outcome);
    }
    if (outcome.hits > 0) struck.push(outcome);
  }
  await cluster?.close();
  const ended = struck.filter((outcome) => outcome.ended).length;
  console.log(JSON.stringify({ version: kept.version, points: point - first, struck: struck.length, ended, held: struck.length }));
  return 0;
});
