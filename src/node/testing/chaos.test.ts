import assert from 'node:assert/strict';
import { fromUtf8, toHex, utf8 } from '../../base/bytes.js';
import { seededRandom } from '../../base/testing/seeded-random.js';
import type { Random } from '../../base/env.js';
import { codeOf } from '../../base/errors.js';
import { checkHistory } from '../../checker/check.js';
import type { Interval } from '../../checker/model.js';
import type { KeyOp } from '../../checker/models.js';
import { encodeManifest } from '../../storage/version/manifest-codec.js';
import { tablePath } from '../../storage/table/table-meta.js';
import type { TxnRequest } from '../../api/requests.js';
import { ChaosCluster, describeNode, type ChaosNode } from './chaos-cluster.js';
import { get, put } from '../../api/testing/requests.js';

/** `7`, `1..200` or a list with commas; each seed is one run. */
function seeds(): number[] {
  return (process.env['KINTSUGI_CHAOS_SEEDS'] ?? '1').split(',').flatMap((part) => {
    const [from, to = from] = part.split('..').map(Number) as [number, number?];
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
}

function tell(text: string): void {
  if (process.env['KINTSUGI_CHAOS_SEEDS']) console.log(text);
}

const CHAOS_MS = Number(process.env['KINTSUGI_CHAOS_MS'] ?? 7_000);
/** Damage beyond parity too. */
const DEEP_ROT = process.env['KINTSUGI_CHAOS_DEEP_ROT'] !== '0';
const CLIENTS = 12;
const KEYS = 60;
const SETTLE_MS = 40_000;
/** Errors that say for certain that nothing happened. */
const REFUSED = new Set(['TOO_MANY_REQUESTS', 'DATA_LOSS', 'UNHEALTHY']);

function keyOf(random: Random): string {
  return `key${String(random.below(KEYS)).padStart(3, '0')}`;
}

function remove(key: string): Parameters<ChaosNode['store']['deleteRange']>[0] {
  return { key: utf8(key), rangeEnd: new Uint8Array(0), prevKv: false };
}

function cas(key: string, expected: number, value: string): TxnRequest {
  return {
    compare: [{ key: utf8(key), rangeEnd: new Uint8Array(0), target: { kind: 'mod', revision: expected }, result: 'equal' }],
    success: [{ kind: 'put', request: put(key, value) }],
    failure: [{ kind: 'range', request: get(key) }],
  };
}

class Workload {
  readonly history: Interval<KeyOp>[] = [];
  readonly errors = new Map<string, number>();
  readonly #cluster: ChaosCluster;
  readonly #random: Random;
  #values = 0;
  #running = true;
  /** The newest mod revision that a client saw, by key: what its next compare-and-set expects. */
  readonly #seen = new Map<string, number>();

  constructor(cluster: ChaosCluster, random: Random) {
    this.#cluster = cluster;
    this.#random = random;
  }

  stop(): void {
    this.#running = false;
  }

  /** A delete whose outcome nobody saw leaves no trace by which a stale read could be judged. */
  checkable(): Interval<KeyOp>[] {
    const doubtful = new Set(this.history.filter(({ op, ret }) => op.kind === 'delete' && ret === Infinity).map(({ op }) => op.key));
    return this.history.filter(({ op }) => !(op.serializable && doubtful.has(op.key)));
  }

  async client(client: number): Promise<void> {
    while (this.#running) {
      const nodes = this.#cluster.alive;
      const node = nodes[this.#random.below(Math.max(1, nodes.length))];
      if (!node) await new Promise((resolve) => setTimeout(resolve, 20));
      else await this.one(client, node, keyOf(this.#random));
      await new Promise((resolve) => setTimeout(resolve, this.#random.below(6)));
    }
  }

  async one(client: number, node: ChaosNode, key: string, only?: 'get' | 'serializable'): Promise<void> {
    const dice = only === 'get' ? 70 : only === 'serializable' ? 95 : this.#random.below(100);
    const base = { client, key, value: undefined, revision: 0, modRevision: 0, expected: 0, ok: true };
    const value = `${client}-${++this.#values}-`.padEnd(150 + this.#random.below(200), String(this.#random.below(1e9)));
    if (dice < 55) {
      await this.#record({ ...base, kind: 'put', value }, async (op) => ({ ...op, revision: (await node.store.put(put(key, value))).revision }));
    } else if (dice < 60) {
      await this.#record({ ...base, kind: 'delete' }, async (op) => {
        const { revision, deleted } = await node.store.deleteRange(remove(key));
        return { ...op, revision, ok: deleted > 0 };
      });
    } else if (dice < 68) {
      const expected = this.#seen.get(key) ?? 0;
      await this.#record({ ...base, kind: 'cas', value, expected }, async (op) => {
        const { revision, succeeded, responses } = await node.store.txn(cas(key, expected, value));
        const [first] = responses;
        const kv = first?.kind === 'range' ? first.response.kvs[0] : undefined;
        return { ...op, revision, ok: succeeded, modRevision: kv?.modRevision ?? 0 };
      });
    } else {
      const serializable = dice >= 92;
      await this.#record({ ...base, kind: 'get', serializable }, async (op) => {
        const { revision, kvs } = await node.store.range(get(key, serializable));
        const [kv] = kvs;
        this.#seen.set(key, kv?.modRevision ?? 0);
        return { ...op, revision, value: kv && fromUtf8(kv.value), modRevision: kv?.modRevision ?? 0 };
      });
    }
  }

  async #record(op: KeyOp, run: (op: KeyOp) => Promise<KeyOp>): Promise<void> {
    const call = performance.now();
    try {
      const done = await run(op);
      this.history.push({ op: done, call, ret: performance.now() });
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
      if (op.kind !== 'get' && !REFUSED.has(code)) this.history.push({ op, call, ret: Infinity });
    }
  }
}

async function mischief(cluster: ChaosCluster, random: Random, until: number): Promise<void> {
  const pick = (): ChaosNode => cluster.nodes[random.below(cluster.nodes.length)] as ChaosNode;
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  const back = async (node: ChaosNode): Promise<void> => {
    await pause(random.below(5) === 0 ? 1_500 + random.below(2_000) : random.below(500));
    if (!node.up && !node.opening) await cluster.up(node);
  };
  const returning: Promise<void>[] = [];
  while (performance.now() < until) {
    await pause(50 + random.below(350));
    const node = pick();
    if (random.below(2) === 0) await cluster.rot(node, DEEP_ROT);
    switch (random.below(9)) {
      case 0:
      case 1:
        if (!node.up) break;
        cluster.crash(node);
        if (DEEP_ROT && random.below(3) === 0) await cluster.lose(node);
        returning.push(back(node));
        break;
      case 2: {
        const leader = cluster.leader();
        if (!leader) break;
        cluster.crash(leader);
        returning.push(back(leader));
        break;
      }
      case 3:
        if (random.below(3) > 0) break;
        for (const each of cluster.nodes) {
          if (!each.up) continue;
          cluster.crash(each);
          returning.push(back(each));
        }
        break;
      case 4:
        cluster.hub.cut(node.id, pick().id);
        returning.push(pause(random.below(900)).then(() => cluster.hub.heal()));
        break;
      case 5: {
        const leader = cluster.leader();
        const to = pick();
        if (leader && to !== leader) await leader.store.moveLeader(to.id).catch(() => undefined);
        break;
      }
      case 6:
        cluster.weather.loss = random.below(2) === 0 ? 0 : random.below(8);
        cluster.weather.delay = random.below(2) === 0 ? 0 : random.below(20);
        break;
      case 7:
        if (!node.up) break;
        await cluster.stop(node);
        returning.push(back(node));
        break;
      default: {
        const leader = cluster.leader() ?? node;
        // Never waited for: with the power its timers go too.
        if (leader.up) leader.store.scrub(() => undefined).catch(() => undefined);
      }
    }
  }
  await Promise.all(returning);
}

async function calm(cluster: ChaosCluster): Promise<void> {
  cluster.hub.heal();
  cluster.weather.loss = 0;
  cluster.weather.delay = 0;
  for (const node of cluster.nodes) {
    await node.opening;
    if (!node.up) await cluster.up(node);
  }
}

function assertEqual(cluster: ChaosCluster): void {
  const [first, ...others] = cluster.nodes as [ChaosNode, ...ChaosNode[]];
  const manifest = toHex(encodeManifest(first.replica.tree.materialized));
  for (const other of others) {
    assert.equal(toHex(encodeManifest(other.replica.tree.materialized)), manifest, `manifests of ${first.id} and ${other.id}`);
    for (const { id } of cluster.tables(first)) {
      assert.deepEqual(cluster.fileOf(other, tablePath(id)), cluster.fileOf(first, tablePath(id)), `table ${id} of ${first.id} and ${other.id}`);
    }
  }
}

async function scrubAll(cluster: ChaosCluster): Promise<number> {
  let faults = 0;
  for (const node of cluster.nodes) faults += (await node.store.scrub(() => undefined)).faults;
  return faults;
}

async function readAll(cluster: ChaosCluster, work: Workload): Promise<void> {
  for (const node of cluster.nodes) {
    for (let i = 0; i < KEYS; i++) {
      const key = `key${String(i).padStart(3, '0')}`;
      await work.one(90 + node.id, node, key, 'get');
      await work.one(90 + node.id, node, key, 'serializable');
    }
  }
}

async function inTime(what: string, work: Promise<unknown>): Promise<void> {
  const late = new Promise<never>((_, reject) => setTimeout(() => reject(new Error(`waited for ${what} in vain`)), SETTLE_MS).unref());
  await Promise.race([work, late]);
}

async function run(seed: number): Promise<void> {
  const random = seededRandom(seed);
  // A long log: a member that lags gets no snapshot from Raft.
  const cluster = new ChaosCluster(random, 3, seed % 2 === 0 ? 4 * 1024 * 1024 : 64 * 1024);
  const work = new Workload(cluster, random);
  try {
    await Promise.all(cluster.nodes.map((node) => cluster.up(node)));
    await cluster.until('a leader', 10_000, () => cluster.leader() !== undefined);
    const clients = Array.from({ length: CLIENTS }, (_, i) => work.client(i + 1));
    await inTime('the members to come back', mischief(cluster, random, performance.now() + CHAOS_MS).then(() => calm(cluster)));
    work.stop();
    await inTime('every request to be answered', Promise.all(clients));
    await cluster.settled(SETTLE_MS);
    const before = work.errors.size;
    await readAll(cluster, work);
    assert.equal(work.errors.size, before, `after all is healed, every read succeeds: ${JSON.stringify([...work.errors])}`);
    await scrubAll(cluster);
    await cluster.settled(SETTLE_MS);
    assert.equal(await scrubAll(cluster), 0, 'a second scrub finds nothing');
    assertEqual(cluster);
    for (const node of cluster.nodes) cluster.crash(node);
    await calm(cluster);
    await cluster.settled(SETTLE_MS);
    await readAll(cluster, work);
    assertEqual(cluster);
    assert.deepEqual(cluster.faults, []);
    const report = checkHistory(work.checkable(), { timeMs: 10_000, memo: 1_000_000, now: () => performance.now() });
    assert.ok(report.passed, report.summary);
    assert.ok(report.operations - report.unknown > KEYS * 8, `only ${report.operations - report.unknown} operations succeeded`);
    const { operations, unknown } = report;
    tell(`seed ${seed}: ${operations} operations, ${unknown} unknown, ${JSON.stringify([...work.errors])}, ${JSON.stringify(cluster.seen)}`);
  } catch (error) {
    const where = cluster.nodes.map(describeNode).join('\n');
    const message = `seed ${seed}: ${error instanceof Error ? error.message : String(error)}\n${cluster.faults.join('\n')}\n${where}`;
    tell(message);
    throw new Error(message, { cause: error });
  } finally {
    work.stop();
    cluster.hub.heal();
    for (const node of cluster.nodes) {
      if (node.up) await cluster.stop(node);
      else node.life.alive = false;
    }
  }
}

describe('chaos', function () {
  this.timeout(150_000);
  for (const seed of seeds()) {
    it(`D1 S2 R4 power losses, cuts, transfers and rot lose nothing and confuse nobody (seed ${seed})`, () => run(seed));
  }
});
