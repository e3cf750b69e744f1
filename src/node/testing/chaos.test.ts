import assert from 'node:assert/strict';
import { fromUtf8, utf8 } from '../../base/bytes.js';
import type { CrashDisk } from '../../base/disk/testing/crash-disk.js';
import { seededRandom } from '../../base/testing/seeded-random.js';
import type { Random } from '../../base/env.js';
import { codeOf, messageOf } from '../../base/errors.js';
import type { KintsugiEvent } from '../../base/events.js';
import { checkHistory } from '../../checker/check.js';
import type { Interval } from '../../checker/model.js';
import type { KeyOp } from '../../checker/models.js';
import { NEWER_VERSION_USED } from '../../replica/snapshot/newer-version.js';
import type { DeleteRangeRequest, TxnRequest } from '../../api/requests.js';
import { Chaos, type Weather } from './chaos-env.js';
import { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { loseTables, strikeTable } from './damage.js';
import { assertEqualTrees } from './equal-trees.js';
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

/** What the test is about: how often it came up is told of a run. */
const TOLD = new Set<KintsugiEvent['type']>([
  'snapshot-received', 'snapshot-sent', 'heal-applied', 'block-repaired', 'plan', 'sealed', 'log-truncated', 'edit-refused', 'proposal-reproposed',
]);

function note(seen: Map<string, number>, event: KintsugiEvent): void {
  const jumped = event.type === 'warning' && event.message === NEWER_VERSION_USED;
  const kind = jumped ? 'jumped' : event.type;
  if (jumped || TOLD.has(event.type)) seen.set(kind, (seen.get(kind) ?? 0) + 1);
}

function keyOf(random: Random): string {
  return `key${String(random.below(KEYS)).padStart(3, '0')}`;
}

function remove(key: string): DeleteRangeRequest {
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
  readonly #cluster: Cluster<CrashDisk>;
  readonly #random: Random;
  #values = 0;
  #running = true;
  /** The newest mod revision that a client saw, by key: what its next compare-and-set expects. */
  readonly #seen = new Map<string, number>();

  constructor(cluster: Cluster<CrashDisk>, random: Random) {
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

  async one(client: number, node: ClusterNode<CrashDisk>, key: string, only?: 'get' | 'serializable'): Promise<void> {
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

interface Scene {
  readonly cluster: Cluster<CrashDisk>;
  readonly weather: Weather;
}

/** A member that does not open has failed: no damage that is done here may keep it from that. */
async function rise(cluster: Cluster<CrashDisk>, node: ClusterNode<CrashDisk>): Promise<void> {
  await cluster.up(node).catch((error: unknown) => cluster.failed(node, 'does not open', error));
}

async function mischief({ cluster, weather }: Scene, random: Random, until: number): Promise<void> {
  const pick = (): ClusterNode<CrashDisk> => cluster.nodes[random.below(cluster.nodes.length)] as ClusterNode<CrashDisk>;
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  const back = async (node: ClusterNode<CrashDisk>): Promise<void> => {
    await pause(random.below(5) === 0 ? 1_500 + random.below(2_000) : random.below(500));
    if (node.state === 'down') await rise(cluster, node);
  };
  const returning: Promise<void>[] = [];
  while (performance.now() < until) {
    await pause(50 + random.below(350));
    const node = pick();
    if (random.below(2) === 0) await strikeTable(cluster, node, random, DEEP_ROT);
    switch (random.below(9)) {
      case 0:
      case 1:
        if (!node.up) break;
        cluster.crash(node);
        if (DEEP_ROT && random.below(3) === 0) await loseTables(cluster, node);
        returning.push(back(node));
        break;
      case 2: {
        const leader = cluster.leading;
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
        const leader = cluster.leading;
        const to = pick();
        if (leader && to !== leader) await leader.store.moveLeader(to.id).catch(() => undefined);
        break;
      }
      case 6:
        weather.loss = random.below(2) === 0 ? 0 : random.below(8);
        weather.delay = random.below(2) === 0 ? 0 : random.below(20);
        break;
      case 7:
        if (!node.up) break;
        await cluster.stop(node);
        returning.push(back(node));
        break;
      default: {
        const leader = cluster.leading ?? node;
        // Never waited for: with the power its timers go too.
        if (leader.up) leader.store.scrub(() => undefined).catch(() => undefined);
      }
    }
  }
  await Promise.all(returning);
}

async function calmDown({ cluster, weather }: Scene): Promise<void> {
  cluster.hub.heal();
  weather.loss = 0;
  weather.delay = 0;
  for (const node of cluster.nodes) {
    await node.opening?.catch(() => undefined);
    if (!node.up) await rise(cluster, node);
  }
}

async function scrubAll(cluster: Cluster<CrashDisk>): Promise<number> {
  let faults = 0;
  for (const node of cluster.nodes) faults += (await node.store.scrub(() => undefined)).faults;
  return faults;
}

async function readAll(cluster: Cluster<CrashDisk>, work: Workload): Promise<void> {
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
  const chaos = new Chaos(random);
  const seen = new Map<string, number>();
  const cluster = new Cluster(chaos, {
    logSegmentBytes: seed % 2 === 0 ? 4 * 1024 * 1024 : 64 * 1024,
    watcher: { onEvent: (_node, event) => note(seen, event) },
  });
  const scene: Scene = { cluster, weather: chaos.weather };
  const work = new Workload(cluster, random);
  try {
    await cluster.upAll();
    await cluster.leader();
    const clients = Array.from({ length: CLIENTS }, (_, i) => work.client(i + 1));
    await inTime('the members to come back', mischief(scene, random, performance.now() + CHAOS_MS).then(() => calmDown(scene)));
    work.stop();
    await inTime('every request to be answered', Promise.all(clients));
    await cluster.settled(SETTLE_MS);
    const before = work.errors.size;
    await readAll(cluster, work);
    assert.equal(work.errors.size, before, `after all is healed, every read succeeds: ${JSON.stringify([...work.errors])}`);
    await scrubAll(cluster);
    await cluster.settled(SETTLE_MS);
    assert.equal(await scrubAll(cluster), 0, 'a second scrub finds nothing');
    assertEqualTrees(cluster.nodes);
    for (const node of cluster.nodes) cluster.crash(node);
    await calmDown(scene);
    await cluster.settled(SETTLE_MS);
    await readAll(cluster, work);
    assertEqualTrees(cluster.nodes);
    assert.deepEqual(cluster.failures, []);
    const report = checkHistory(work.checkable(), { timeMs: 10_000, memo: 1_000_000, now: () => performance.now() });
    assert.ok(report.passed, report.summary);
    assert.ok(report.operations - report.unknown > KEYS * 8, `only ${report.operations - report.unknown} operations succeeded`);
    const { operations, unknown } = report;
    tell(`seed ${seed}: ${operations} operations, ${unknown} unknown, ${JSON.stringify([...work.errors])}, ${JSON.stringify([...seen])}`);
  } catch (error) {
    const failures = cluster.failures.map(({ message }) => message).join('\n');
    const message = `seed ${seed}: ${messageOf(error)}\n${failures}\n${cluster.describe()}`;
    tell(message);
    throw new Error(message, { cause: error });
  } finally {
    work.stop();
    // What failed is in the message already.
    cluster.failures.length = 0;
    await cluster.close();
  }
}

describe('chaos', function () {
  this.timeout(150_000);
  for (const seed of seeds()) {
    it(`D1 S2 R4 power losses, cuts, transfers and rot lose nothing and confuse nobody (seed ${seed})`, () => run(seed));
  }
});
