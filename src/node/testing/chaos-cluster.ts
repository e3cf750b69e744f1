/** Whole replicas with healing in one process, whose power may go at any moment. */

import { CrashDisk } from '../../base/disk/crash-disk.js';
import type { Random } from '../../base/env.js';
import { codeOf, messageOf } from '../../base/errors.js';
import type { KintsugiEvent } from '../../base/events.js';
import type { NodeId } from '../../base/ids.js';
import { Healing } from '../../healing/healing.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import { NodeStore } from '../node-store.js';
import { Replica } from '../../replica/replica.js';
import { NEWER_VERSION_USED } from '../../replica/snapshot/newer-version.js';
import { chaosEnv, type Life, type Weather } from './chaos-env.js';
import { SMALL_TREE } from './test-cluster.js';
import { TestHub } from '../../base/testing/test-env.js';

export interface ChaosNode {
  readonly id: NodeId;
  readonly disk: CrashDisk;
  life: Life;
  replica: Replica;
  store: NodeStore;
  healing: Healing;
  up: boolean;
  opening: Promise<void> | undefined;
  events: KintsugiEvent[];
}

const COUNTED = new Set<KintsugiEvent['type']>([
  'snapshot-received', 'snapshot-sent', 'heal-applied', 'block-repaired', 'plan', 'sealed', 'log-truncated', 'edit-refused', 'proposal-reproposed',
]);

export class ChaosCluster {
  readonly hub = new TestHub();
  readonly nodes: ChaosNode[] = [];
  readonly faults: string[] = [];
  /** How often what the test is about came up. */
  readonly seen: Record<string, number> = {};
  readonly weather: Weather = { loss: 0, delay: 0 };
  readonly #random: Random;
  readonly #logSegmentBytes: number;

  constructor(random: Random, count = 3, logSegmentBytes = 64 * 1024) {
    this.#random = random;
    this.#logSegmentBytes = logSegmentBytes;
    for (let id = 1; id <= count; id++) {
      this.nodes.push({ id, disk: new CrashDisk(), up: false, events: [], life: { alive: false } } as unknown as ChaosNode);
    }
  }

  get alive(): ChaosNode[] {
    return this.nodes.filter((node) => node.up);
  }

  leader(): ChaosNode | undefined {
    return this.alive.find((node) => node.replica.leadership.mayShapeTree);
  }

  up(node: ChaosNode): Promise<void> {
    node.opening = this.#up(node).finally(() => (node.opening = undefined));
    return node.opening;
  }

  async #up(node: ChaosNode): Promise<void> {
    const life: Life = { alive: true };
    node.life = life;
    const env = chaosEnv({
      self: node.id, disk: node.disk, hub: this.hub, random: this.#random, life, weather: this.weather,
      onEvent: (event) => {
        const jumped = event.type === 'warning' && event.message === NEWER_VERSION_USED;
        const kind = jumped ? 'jumped' : event.type;
        if (jumped || COUNTED.has(event.type)) this.seen[kind] = (this.seen[kind] ?? 0) + 1;
        node.events.push(event);
        if (node.events.length > 600) node.events.splice(0, 300);
      },
    });
    const healing = new Healing(env, { resendMs: 300, pollMs: 100, proposalTimeoutMs: 2_000 });
    try {
      const replica = await Replica.open({
        env, healing, self: node.id, clusterId: 77n,
        members: this.nodes.map(({ id }) => ({ id, name: `n${id}`, peerUrls: [`http://n${id}:2380`] })),
        clientUrls: [], settings: SMALL_TREE, heartbeatMs: 30, electionMs: 300,
        logSegmentBytes: this.#logSegmentBytes, cacheBytes: 256 * 1024,
        onFatal: (error) => {
          if (life.alive) this.#fault(node, 'fatal', error);
        },
      });
      await replica.start();
      if (!life.alive) return;
      node.replica = replica;
      node.healing = healing;
      node.store = new NodeStore(replica, healing);
      node.up = true;
    } catch (error) {
      if (life.alive) this.#fault(node, 'does not open', error);
    }
  }

  /** The power goes: what was not synced may be gone. */
  crash(node: ChaosNode): void {
    const { replica, up } = node;
    node.up = false;
    node.life.alive = false;
    this.hub.kill(node.id);
    node.disk.crash(this.#random);
    if (!up) return;
    const stopped = replica.stop().catch((error: unknown) => {
      if (codeOf(error) === undefined) this.#fault(node, 'stop', error);
    });
    const slow = setTimeout(() => this.#fault(node, 'stop', new Error('stop() of a dead replica hangs')), 20_000);
    void stopped.then(() => clearTimeout(slow));
  }

  /** Orderly. */
  async stop(node: ChaosNode): Promise<void> {
    if (!node.up) return;
    node.up = false;
    try {
      await node.replica.stop();
    } catch (error) {
      this.#fault(node, 'orderly stop', error);
    }
    this.hub.kill(node.id);
    node.life.alive = false;
  }

  async until(what: string, ms: number, condition: () => boolean): Promise<void> {
    const end = performance.now() + ms;
    while (!condition()) {
      if (this.faults.length > 0) throw new Error(this.faults.join('\n'));
      if (performance.now() > end) throw new Error(`waited for ${what} in vain:\n${this.nodes.map(describeNode).join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async settled(ms: number): Promise<void> {
    await this.until('the cluster to settle', ms, () => {
      if (this.alive.length < this.nodes.length) return false;
      const states = this.alive.map((node) => node.store.status());
      const last = Math.max(...states.map((state) => state.lastLogIndex));
      return states.every(
        (state) =>
          state.leader !== 0 && state.appliedIndex === last && state.owedTables === 0 && state.pendingPlans === 0 &&
          state.sealedMemtables === 0 && state.hints.length === 0,
      );
    });
  }

  tables(node: ChaosNode): readonly TableMeta[] {
    return node.replica.tree.materialized.list();
  }

  /**
   * Damage to one table file of a node that may be down. For each table only one member is ever damaged (D1). `deep`: also beyond
   * parity. A member that lags may then need a block of a table that the others have compacted away, and jumps to their version.
   */
  async rot(node: ChaosNode, deep: boolean): Promise<void> {
    const reference = node.up ? node : this.alive[0];
    if (!reference) return;
    const candidates = this.#spoilable(node, reference);
    const table = candidates[this.#random.below(Math.max(1, candidates.length))];
    if (!table) return;
    const path = tablePath(table.id);
    const kind = deep ? this.#random.below(8) : 7;
    if (kind === 0) return node.disk.unlink(path);
    const file = await node.disk.open(path, 'write');
    const random = this.#random;
    if (kind === 1) {
      await file.truncate(random.below(table.bytes));
    } else if (kind === 2) {
      const bytes = new Uint8Array(Math.min(4096, table.bytes));
      file.writeSync(bytes, random.below(Math.max(1, table.bytes - bytes.length)));
    } else {
      for (let i = 0; i < (deep ? 8 : 2); i++) {
        const at = random.below(table.bytes);
        const byte = new Uint8Array(1);
        file.readSync(byte, at);
        byte[0] = (byte[0] as number) ^ (1 << random.below(8));
        file.writeSync(byte, at);
      }
    }
    await file.sync();
    file.close();
  }

  /** All the tables go that may be damaged on this node, which is down and will lag. */
  async lose(node: ChaosNode): Promise<void> {
    const reference = this.alive[0];
    for (const { id } of reference ? this.#spoilable(node, reference) : []) await node.disk.unlink(tablePath(id));
  }

  #spoilable(node: ChaosNode, reference: ChaosNode): TableMeta[] {
    return this.tables(reference).filter(
      ({ id, birth, bytes }) => (birth.sequence - node.id) % this.nodes.length === 0 && node.disk.sizeOf(tablePath(id)) === bytes,
    );
  }

  fileOf(node: ChaosNode, path: string): Uint8Array {
    const file = node.disk.openSync(path, 'read');
    const bytes = new Uint8Array(file.size());
    file.readSync(bytes, 0);
    file.close();
    return bytes;
  }

  #fault(node: ChaosNode, what: string, error: unknown): void {
    const stack = error instanceof Error ? error.stack : messageOf(error);
    this.faults.push(`node ${node.id}: ${what}: ${stack}\n${lastEvents(node)}`);
  }
}

function lastEvents(node: ChaosNode): string {
  const telling = node.events.filter((event) => !['applied', 'log-sync', 'materialized', 'edit', 'produced', 'sealed'].includes(event.type));
  return telling.slice(-12).map((event) => `    ${JSON.stringify(event, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value))}`).join('\n');
}

export function describeNode(node: ChaosNode): string {
  if (!node.up) return `node ${node.id} is down${node.opening ? ' (opening)' : ''}\n${lastEvents(node)}`;
  const status = node.store.status();
  const progress = [...(node.replica.driver.node.status().progress ?? [])].map(([id, p]) => `${id}:${p.state}/${p.match}/${p.next}`);
  const owed = node.replica.tree.owed().map((table) => `${table.id} of ${table.birth.sequence}.${table.birth.ordinal}`);
  const { seals, plans } = node.replica.tree.latest;
  const planned = plans.map(({ index, inputs }) => ({ index, inputs: inputs.map(({ id }) => id) }));
  const pending = { seals: seals.map(({ index }) => index), plans: planned };
  const short = { ...status, manifest: undefined, members: undefined, scrub: undefined, progress, owed, pending };
  return `${JSON.stringify(short)}\n${lastEvents(node)}`;
}
