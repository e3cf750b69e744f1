/** One case: a fresh cluster, one fault, and what clients see of it. */

import { readFileSync, rmSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { Cluster } from '../cluster.js';
import { Failure } from '../command.js';
import type { Endpoint } from '../load/grpc.js';
import { METHODS } from '../load/grpc.js';
import { putRequest } from '../load/wire.js';
import type { Server } from '../bench/server.js';
import type { ClusterNode } from '../node.js';
import { scan } from '../verify.js';
import { placesOf } from './files.js';
import { strike, type Scenario, type Written } from './scenarios.js';
import { judge, type Outcome, type View } from './verdict.js';

export interface CaseOptions {
  readonly keys: number;
  readonly valueBytes: number;
  /** How long a cluster may take to serve through every member, after its last one was started. */
  readonly patienceMs: number;
  /** How long two of three are watched before the third starts. */
  readonly earlyMs: number;
}

export const DEFAULTS: CaseOptions = { keys: 150, valueBytes: 1000, patienceMs: 30_000, earlyMs: 8000 };

const PREFIX = 'v/';
const NEW_WRITES = 30;
const LANES = 8;
const CALL_MS = 1000;
/** So little that the 150 keys are in tables, where reads are answered from. */
const SMALL_MEMTABLE = ['--experimental-memtable-bytes=32768'];

/** Bytes that no codec makes smaller, and that are nowhere else. */
function valueOf(key: string, seed: number, length: number): Buffer {
  const out = Buffer.alloc(length);
  for (let at = 0, n = 0; at < length; at += 32, n++) createHash('sha256').update(`${seed} ${key} ${n}`).digest().copy(out, at);
  return out;
}

class Case {
  readonly #cluster: Cluster;
  readonly #options: CaseOptions;
  readonly #seed: number;
  readonly #acknowledged = new Map<string, Buffer>();
  readonly #views: View[] = [];
  /** m0, m1, m2: another one of the cluster's for each seed. */
  readonly members: readonly ClusterNode[];

  constructor(cluster: Cluster, seed: number, options: CaseOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.#seed = seed;
    this.members = cluster.nodes.map((_, i) => cluster.node((i + seed) % cluster.nodes.length));
  }

  get views(): readonly View[] {
    return this.#views;
  }

  async #put(endpoint: Endpoint, key: string): Promise<boolean> {
    const value = valueOf(key, this.#seed, this.#options.valueBytes);
    try {
      await endpoint.unary(METHODS.put, putRequest(Buffer.from(PREFIX + key), value), CALL_MS);
      this.#acknowledged.set(key, value);
      return true;
    } catch {
      return false;
    }
  }

  async fill(through: readonly ClusterNode[]): Promise<Written[]> {
    const { keys } = this.#options;
    const lane = async (from: number): Promise<void> => {
      for (let n = from; n < keys; n += LANES) await this.#put((through[n % through.length] as ClusterNode).endpoint, `k${String(n).padStart(4, '0')}`);
    };
    await Promise.all(Array.from({ length: LANES }, (_, i) => lane(i)));
    if (this.#acknowledged.size < keys / 2) throw new Failure(`only ${this.#acknowledged.size} of ${keys} writes were acknowledged before the fault`);
    return [...this.#acknowledged].map(([key, value]) => ({ key, value })).sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** Until every value is in the tables of every member; of an etcd it is there at once. */
  async inTables(written: readonly Written[]): Promise<void> {
    const deadline = Date.now() + 30_000;
    const third = written.slice(Math.floor(written.length / 3), Math.floor((written.length * 2) / 3));
    while (!this.members.every((node) => third.every(({ value }) => placesOf(node, 'data', value).length > 0))) {
      if (Date.now() > deadline) throw new Failure('the values are not in tables after 30 s');
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  /** True if a new write was acknowledged. */
  async write(through: readonly ClusterNode[], tag: string): Promise<boolean> {
    let taken = 0;
    for (let n = 0; n < NEW_WRITES; n++) {
      // Whoever serves: a client asks the next one, too.
      for (const node of through) {
        if (!node.running || !(await this.#put(node.endpoint, `${tag}${n}`))) continue;
        taken++;
        break;
      }
      if (n === 0 && taken === 0) return false;
    }
    return taken > 0;
  }

  async #read(node: ClusterNode, serializable = false): Promise<ReadonlyMap<string, Buffer> | undefined> {
    try {
      const found = await scan(node.endpoint, { prefix: PREFIX, serializable, timeoutMs: 5 * CALL_MS });
      return new Map([...found].map(([key, { value }]) => [key.slice(PREFIX.length), value]));
    } catch {
      return undefined;
    }
  }

  async #look(node: ClusterNode, early: boolean): Promise<boolean> {
    const expected = new Map(this.#acknowledged);
    const found = node.running ? await this.#read(node) : undefined;
    this.#views.push({ member: node.name, early, exited: !node.running, found, expected });
    if (found === undefined) return false;
    // As new as the linearizable read of the same member just before.
    const again = await this.#read(node, true);
    this.#views.push({ member: `${node.name} (serializable)`, early, exited: !node.running, found: again, expected });
    return true;
  }

  async #serves(node: ClusterNode, until: number): Promise<void> {
    while (node.running && Date.now() < until) {
      if ((await this.#read(node)) !== undefined) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** m0 and m2 without m1, as long as the options say. */
  async early(): Promise<void> {
    const [m0, , m2] = this.members as [ClusterNode, ClusterNode, ClusterNode];
    const until = Date.now() + this.#options.earlyMs;
    await Promise.all([m0, m2].map((node) => this.#serves(node, until)));
    let serve = false;
    for (const node of [m0, m2]) serve = (await this.#look(node, true)) || serve;
    if (serve) await this.write([m2, m0], 'early');
  }

  /** Reads everything through every member, once they serve or patience is over, and writes. */
  async end(): Promise<boolean> {
    const until = Date.now() + this.#options.patienceMs;
    await Promise.all(this.members.map((node) => this.#serves(node, until)));
    const writes = await this.write(this.members, 'late');
    for (const node of this.members) await this.#look(node, false);
    return writes;
  }
}

/** By a member's own word, so that a case whose damage missed is not taken for a good one. */
async function metDamage(node: ClusterNode, { part }: Scenario): Promise<boolean> {
  if (part === 'log') return readFileSync(node.spec.logFile, 'utf8').includes('log entries are damaged');
  const { heal } = await node.status();
  return (heal['correctedBlocks'] ?? 0) + (heal['repairedBlocks'] ?? 0) > 0;
}

export interface CaseResult extends Outcome {
  readonly struck: readonly string[];
}

/** Runs it in a directory of its own, and removes that afterwards unless the outcome is bad. */
export async function runCase(server: Server, scenario: Scenario, seed: number, options: CaseOptions = DEFAULTS): Promise<CaseResult> {
  const dir = `versus/${server.name.replaceAll(/\W+/g, '-')}-${scenario.name}-${seed}`;
  const small = server.ours && scenario.part === 'data';
  const cluster = await Cluster.create({ binary: server.binary, dir, extraArgs: small ? SMALL_MEMTABLE : [] });
  try {
    const it = new Case(cluster, seed, options);
    const [m0, m1, m2] = it.members as [ClusterNode, ClusterNode, ClusterNode];
    await cluster.start();
    if (scenario.lag === true) await m2.stop();
    const written = await it.fill(scenario.lag === true ? [m0, m1] : it.members);
    if (scenario.part === 'data') await it.inTables(written);
    await Promise.all(cluster.nodes.map((node) => node.stop()));
    const struck = strike(scenario, it.members, written, seed);
    for (const node of scenario.lag === true ? [m0, m2] : it.members) node.start();
    if (scenario.lag === true) {
      await it.early();
      m1.start();
    }
    const writes = await it.end();
    const met = await Promise.all(scenario.members.map((m) => !server.ours || metDamage(it.members[m] as ClusterNode, scenario)));
    const outcome = judge(it.views, writes, met.every(Boolean));
    if (outcome.words.length === 0) rmSync(cluster.dir, { recursive: true, force: true });
    return { ...outcome, struck };
  } finally {
    await cluster.stop('SIGKILL');
  }
}

/** Of ours everything but a right answer through every member is. */
export function isForbidden({ words }: Outcome, ours: boolean): boolean {
  return words.some((word) => ours || (word !== 'stopped' && word !== 'silent'));
}
