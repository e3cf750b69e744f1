import assert from 'node:assert/strict';
import { fromUtf8 } from '../../base/bytes.js';
import type { CrashDisk } from '../../base/disk/testing/crash-disk.js';
import { seededRandom } from '../../base/testing/seeded-random.js';
import type { Random } from '../../base/env.js';
import { codeOf } from '../../base/errors.js';
import { get, put } from '../../api/testing/requests.js';
import { NEWEST_VERSION } from '../../replica/base/protocol.js';
import type { MemberChange } from '../../replica/state/members.js';
import { Chaos } from './chaos-env.js';
import { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { assertEqualTrees } from './equal-trees.js';

type Node = ClusterNode<CrashDisk>;

const SEEDS = (process.env['KINTSUGI_CHAOS_SEEDS'] ?? '1').split(',').map(Number);
const CHAOS_MS = Number(process.env['KINTSUGI_CHAOS_MS'] ?? 6_000);
const SETTLE_MS = 40_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Members are added, promoted, replaced and removed while others lose their power. */
class Exchange {
  readonly cluster: Cluster<CrashDisk>;
  readonly acknowledged = new Map<string, string>();
  readonly done = new Map<string, number>();
  readonly #random: Random;
  #running = true;
  #writes = 0;
  #machines = 3;

  constructor(random: Random) {
    this.#random = random;
    this.cluster = new Cluster<CrashDisk>(new Chaos(random), { members: 3 });
  }

  async run(): Promise<void> {
    await this.cluster.upAll();
    await this.cluster.until('the newest version', () => this.cluster.nodes.every((node) => node.store.status().clusterVersion === NEWEST_VERSION));
    const clients = Array.from({ length: 6 }, () => this.#client());
    const end = performance.now() + CHAOS_MS;
    while (performance.now() < end) await this.#exchange();
    this.#running = false;
    await Promise.all(clients);
  }

  /** All that are members are up, and agree. */
  async settle(): Promise<void> {
    const { cluster } = this;
    for (const node of [...cluster.nodes]) if (!node.up) await this.#up(node);
    await this.#withoutStrangers();
    await cluster.settled(SETTLE_MS);
  }

  async #client(): Promise<void> {
    while (this.#running) {
      const node = this.#pick(this.cluster.alive);
      const [key, value] = [`k${++this.#writes}`, `v${this.#writes}`.padEnd(200, '.')];
      try {
        if (node !== undefined) await node.store.put(put(key, value));
        if (node !== undefined) this.acknowledged.set(key, value);
      } catch (error) {
        if (codeOf(error) === undefined) throw error;
      }
      await pause(this.#random.below(5));
    }
  }

  #pick<T>(of: readonly T[]): T | undefined {
    return of[this.#random.below(Math.max(1, of.length))];
  }

  async #exchange(): Promise<void> {
    await this.#withoutStrangers();
    const { cluster } = this;
    const victim = this.#pick(cluster.nodes);
    // What was asked of a machine that lost its power is never answered.
    const asked = this.#pick(cluster.alive.filter((node) => node !== victim));
    if (asked === undefined) return;
    const { members, confState } = asked.replica.membership;
    const [learner] = confState.learners;
    const mayGo = confState.voters.length > 3 ? this.#pick(confState.voters) : undefined;
    const choices: MemberChange[] = [];
    if (members.length < 5) choices.push({ kind: 'add', id: 0, peerUrls: [`http://x${++this.#machines}:2380`], learner: this.#random.below(3) > 0 });
    if (learner !== undefined) choices.push({ kind: 'promote', id: learner });
    if (mayGo !== undefined) choices.push({ kind: 'remove', id: mayGo });
    if (learner !== undefined && mayGo !== undefined) choices.push({ kind: 'replace', id: learner, removed: mayGo });
    const change = this.#pick(choices);
    if (change === undefined) return;
    const changing = this.#change(asked, change);
    if (this.#random.below(2) === 0 && victim?.up === true) {
      await pause(this.#random.below(120));
      if (victim.up) cluster.crash(victim);
      await pause(this.#random.below(300));
      if (victim.state === 'down') await this.#up(victim);
    }
    await changing;
  }

  async #change(asked: Node, change: MemberChange): Promise<void> {
    const gone = change.kind === 'remove' ? change.id : change.kind === 'replace' ? change.removed : 0;
    const leaving = this.cluster.nodes.find(({ id }) => id === gone);
    if (leaving !== undefined) leaving.leaves = true;
    try {
      const members = await asked.store.changeMembers(change);
      this.done.set(change.kind, (this.done.get(change.kind) ?? 0) + 1);
      const added = change.kind === 'add' ? members.find(({ peerUrls }) => peerUrls[0] === change.peerUrls[0]) : undefined;
      if (added === undefined) return;
      const knows = await this.cluster.until('one that knows it', () => this.cluster.alive.find(({ replica }) => replica.membership.has(added.id)));
      await this.#up(this.cluster.machine(added.id, knows));
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
    }
  }

  async #up(node: Node): Promise<void> {
    try {
      await Promise.race([this.cluster.up(node), pause(3_000)]);
    } catch (error) {
      if (codeOf(error) !== 'REMOVED') throw error;
    }
  }

  /** Machines of those that are no members any more go, and so do members that never had one. */
  async #withoutStrangers(): Promise<void> {
    const { cluster } = this;
    const { membership } = (await cluster.until('a leader', () => cluster.leading, SETTLE_MS)).replica;
    for (const node of [...cluster.nodes]) if (membership.isRemoved(node.id) || node.removed !== undefined) await cluster.without(node);
    for (const { id } of membership.members) {
      if (cluster.nodes.some((node) => node.id === id)) continue;
      await (await cluster.leader()).store.changeMembers({ kind: 'remove', id }).catch((error: unknown) => {
        if (codeOf(error) === undefined) throw error;
      });
    }
  }
}

describe('members that come and go while others lose their power', function () {
  this.timeout(CHAOS_MS + 3 * SETTLE_MS);
  for (const seed of SEEDS) {
    it(`D1 R1 S2 no acknowledged write is lost, and all that are members agree (seed ${seed})`, async () => {
      const exchange = new Exchange(seededRandom(seed));
      const { cluster, acknowledged, done } = exchange;
      try {
        await exchange.run();
        await exchange.settle();
        const leader = await cluster.leader();
        for (const [key, value] of acknowledged) {
          const [kv] = (await leader.store.range(get(key))).kvs;
          assert.equal(kv && fromUtf8(kv.value), value, `D1 ${key}`);
        }
        assert.ok(acknowledged.size > 50 && done.size > 0, `${acknowledged.size} writes and ${[...done].join(' ')} were done`);
        const { applied } = leader.replica.membership;
        for (const { replica } of cluster.nodes) assert.deepEqual(replica.membership.applied, applied);
        assertEqualTrees(cluster.nodes);
      } finally {
        await cluster.close();
      }
    });
  }
});
