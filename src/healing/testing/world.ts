/**
 * Three nodes in memory for the tests of healing: real tables, stores, fetchers and healing, a
 * network whose calls can be lost either way, a clock that moves by hand, and in place of Raft a
 * list of heal edits that every live node applies.
 */

import { KiB } from '../../base/bytes.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import type { Disk } from '../../base/disk.js';
import type { Clock, Env, Network, NetworkHandler, Random, Timer } from '../../base/env.js';
import { codeOf, NetworkError } from '../../base/errors.js';
import type { KintsugiEvent } from '../../base/events.js';
import type { NodeId, TableId, Term } from '../../base/ids.js';
import type { HealingContext } from '../../replica/hooks/healing-hooks.js';
import type { LeadershipChange } from '../../replica/state/leadership.js';
import { TableFetcher } from '../../replica/fetch/table-fetcher.js';
import { isTableCall, TableServer } from '../../replica/fetch/table-server.js';
import { BlockCache } from '../../storage/cache/block-cache.js';
import type { TableFormat } from '../../storage/base/settings.js';
import { noFaults, type Region } from '../../storage/table/block-faults.js';
import { TableStore } from '../../storage/table/table-store.js';
import { TableWriter } from '../../storage/table/table-writer.js';
import { slotOf } from '../../storage/table/testing/table-entry.js';
import { Version } from '../../storage/version/version.js';
import { tablePath, type ProducedTable, type TableMeta } from '../../storage/table/table-meta.js';
import type { TreeOp } from '../../storage/version/tree-op.js';
import { Healing, type HealingOptions } from '../healing.js';

export const FORMAT: TableFormat = {
  version: 1, blockBytes: KiB, codec: 'none', scheme: { kind: 'rs', k: 4, m: 2 }, filterBitsPerKey: 10, tableBytes: 64 * KiB,
};

export class TestClock implements Clock {
  #now = 1000;
  #timers = new Set<{ due: number; fn: () => void }>();

  now(): number {
    return this.#now;
  }
  wallNow(): number {
    return 1.7e12 + this.#now;
  }
  setTimer(delayMs: number, fn: () => void): Timer {
    const timer = { due: this.#now + Math.max(0, delayMs), fn };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }
  defer(fn: () => void): void {
    setImmediate(fn);
  }
  advance(ms: number): void {
    this.#now += ms;
    for (const timer of [...this.#timers].sort((a, b) => a.due - b.due)) {
      if (timer.due > this.#now || !this.#timers.delete(timer)) continue;
      timer.fn();
    }
  }
}

export function seeded(seed: number): Random {
  let s = seed >>> 0;
  const uint32 = (): number => {
    s = (s + 0x6d2b79f5) >>> 0;
    let t = Math.imul(s ^ (s >>> 15), s | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  return { uint32, below: (bound) => uint32() % bound, float: () => uint32() / 0x1_0000_0000 };
}

/**
 * What becomes of a call: it arrives and is answered, never arrives, or arrives and the answer is
 * lost.
 */
export type Fate = 'ok' | 'lost' | 'answer-lost';

export class TestNetwork {
  readonly handlers = new Map<NodeId, (from: NodeId, method: string, request: Uint8Array) => Promise<Uint8Array>>();
  readonly calls: { from: NodeId; to: NodeId; method: string }[] = [];
  fate: (from: NodeId, to: NodeId, method: string) => Fate = () => 'ok';

  endpoint(from: NodeId): Network {
    return {
      maxFrameBytes: 1 << 20,
      start: (_handler: NetworkHandler) => Promise.resolve(),
      send: () => undefined,
      describe: () => Promise.reject(new NetworkError('UNREACHABLE', 'nobody is asked at a URL')),
      guests: () => [],
      setPeers: () => undefined,
      stop: () => Promise.resolve(),
      ask(to, method, request, timeoutMs) {
        return this.call(to, method, request, timeoutMs);
      },
      call: async (to, method, request) => {
        this.calls.push({ from, to, method });
        const handler = this.handlers.get(to);
        const fate = this.fate(from, to, method);
        if (handler === undefined || fate === 'lost') throw new NetworkError('UNREACHABLE', `no way to ${to}`);
        const reply = await handler(from, method, request.slice());
        if (fate === 'answer-lost') throw new NetworkError('TIMEOUT', `no answer from ${to}`);
        return reply.slice();
      },
    };
  }
}

/** A table of `entries` entries, and its file. Different `sequence`, different bytes. */
export function makeTable(sequence: number, entries = 60, format = FORMAT): { produced: ProducedTable; file: Uint8Array } {
  const writer = new TableWriter(format, { term: 1, proposer: 1, sequence, ordinal: 0 });
  const encoder = new TextEncoder();
  for (let i = 0; i < entries; i++) {
    const key = encoder.encode(`u${String(sequence)}/key-${String(i).padStart(6, '0')}`);
    const internalKey = new Uint8Array(key.length + 12);
    internalKey.set(key);
    internalKey[0] = 1;
    const value = new Uint8Array(100).map((_, at) => (at * 7 + i * 31 + sequence) & 0xff);
    writer.add(slotOf({ internalKey, tombstone: false, liveDelta: 1, value, revision: i + 1, userSpace: true }));
  }
  const produced = writer.finish();
  const file = new Uint8Array(produced.bytes);
  let at = 0;
  for (const chunk of writer.takeChunks()) {
    file.set(chunk, at);
    at += chunk.length;
  }
  const head = writer.headFooter();
  file.set(head.bytes, head.offset);
  return { produced, file };
}

export function manifestOf(tables: readonly TableMeta[], nextTableId: TableId, plans: Version['plans'] = []): Version {
  return Version.empty().with({ nextTableId, levels: [tables, [], [], [], [], [], []], plans });
}

export async function writeFile(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const file = await disk.open(path, 'create');
  await file.write(bytes, 0);
  await file.sync();
  file.close();
}

export async function readFile(disk: Disk, path: string): Promise<Uint8Array> {
  return (await disk.readDirect(path, 0, 1 << 26)).bytes;
}

/** Flips bits in a file behind everybody's back. */
export function rot(disk: Disk, path: string, offset: number, length = 1): void {
  const file = disk.openSync(path, 'write');
  const bytes = new Uint8Array(length);
  file.readSync(bytes, offset);
  file.writeSync(bytes.map((byte) => byte ^ 0x5a), offset);
  file.close();
}

/** All regions of a good file. */
export async function regionsOf(meta: TableMeta, file: Uint8Array): Promise<readonly Region[]> {
  const disk = new MemoryDisk();
  await disk.mkdir('tables');
  await writeFile(disk, tablePath(meta.id), file);
  return new TableStore(disk, new BlockCache(1 << 20), noFaults).reader(meta).regions();
}

/** Who leads, as one node of the world sees it. */
class TestLeadership {
  readonly #world: World;
  readonly #self: NodeId;
  readonly #subscribers: ((change: LeadershipChange) => void)[] = [];

  constructor(world: World, self: NodeId) {
    this.#world = world;
    this.#self = self;
  }

  get leader(): NodeId {
    return this.#world.leader;
  }
  get term(): Term {
    return this.#world.term;
  }
  get isLeader(): boolean {
    return this.leader === this.#self;
  }
  get mayShapeTree(): boolean {
    return this.isLeader;
  }
  subscribe(subscriber: (change: LeadershipChange) => void): void {
    this.#subscribers.push(subscriber);
  }
  changed(): void {
    const { leader, term } = this;
    for (const subscriber of this.#subscribers) subscriber({ role: this.isLeader ? 'leader' : 'follower', leader, term });
  }
}

/** A node, and its tree: three versions that the test may set. */
export class TestNode {
  readonly world: World;
  readonly id: NodeId;
  readonly disk: Disk;
  readonly env: Env;
  readonly events: KintsugiEvent[] = [];
  healing!: Healing;
  tables!: TableStore;
  fetcher!: TableFetcher;
  leadership!: TestLeadership;
  latest: Version;
  materialized: Version;
  durable: Version;
  /** Edits of the log that were applied here. */
  applied = 0;
  up = false;
  /** Set: edits are applied, their files wait. */
  holdFiles = false;
  #materializing: Promise<void> = Promise.resolve();

  constructor(world: World, id: NodeId, disk: Disk) {
    this.world = world;
    this.id = id;
    this.disk = disk;
    this.env = {
      clock: world.clock, random: seeded(id), disk, network: world.network.endpoint(id),
      workers: { breathe: () => undefined }, events: { emit: (event) => void this.events.push(event) },
    };
    this.latest = this.materialized = this.durable = manifestOf([], 1);
  }

  /** Which file a name means: hard links are the same one. */
  sectors(path: string): unknown {
    return this.disk instanceof MemoryDisk ? this.disk.node(path) : undefined;
  }

  async start(options: HealingOptions = {}): Promise<void> {
    this.up = true;
    const { env } = this;
    const healing = new Healing(env, options);
    this.healing = healing;
    this.tables = new TableStore(env.disk, new BlockCache(1 << 22), healing.faults);
    this.fetcher = new TableFetcher(env);
    const server = new TableServer(env, {
      tables: this.tables,
      find: (name) => this.materialized.list().filter((meta) => meta.fileDigest === name.fileDigest),
      owed: (name) =>
        this.latest.list().some((meta) => meta.fileDigest === name.fileDigest) &&
        !this.materialized.list().some((meta) => meta.fileDigest === name.fileDigest),
      hides: () => undefined,
    });
    this.world.network.handlers.set(this.id, (from, method, request) =>
      isTableCall(method) ? server.answer(request) : healing.onCall(from, method, request),
    );
    await healing.attach(this.#context());
  }

  #context(): HealingContext {
    const { world, id, tables, fetcher } = this;
    this.leadership = new TestLeadership(world, id);
    const membership = { self: id, peers: world.ids.filter((other) => other !== id) };
    const proposer = { propose: (op: TreeOp) => world.propose(op) };
    const hardState = { scrub: () => Promise.resolve(0) };
    return { membership, leadership: this.leadership, tree: this, tables, fetcher, proposer, hardState };
  }

  /** The process dies: what is not on disk is gone. */
  async crash(): Promise<void> {
    this.up = false;
    this.world.network.handlers.delete(this.id);
    await this.healing.stop();
    this.latest = this.materialized = this.durable;
    this.applied = this.durable.last.index;
  }

  /** Applies what the log has, and lets the files follow. */
  catchUp(): void {
    while (this.up && this.applied < this.world.log.length) {
      const removedId = this.world.log[this.applied] as TableId;
      const index = ++this.applied;
      const removed = this.latest.table(removedId);
      const busy = this.latest.isBusy(removedId);
      if (removed === undefined || busy) {
        this.healing.healEditApplied(removedId, undefined, index);
        continue;
      }
      const added = { ...removed, id: this.latest.nextTableId };
      this.latest = replaced(this.latest, removed, added, index);
      this.healing.healEditApplied(removedId, added, index);
    }
    this.#materializing = this.#materializing.then(() => this.#materialize()).catch((error: unknown) => {
      if (codeOf(error) === undefined) throw error;
    });
  }

  async #materialize(): Promise<void> {
    if (!this.up || this.holdFiles) return;
    const { healing } = this;
    const target = this.latest;
    const here = this.materialized;
    const removed: TableMeta[] = [];
    for (const added of target.list()) {
      if (here.has(added.id)) continue;
      const old = here.list().find((meta) => meta.fileDigest === added.fileDigest) as TableMeta;
      try {
        await healing.materializeHeal(old, added);
      } catch (error) {
        if (codeOf(error) === undefined) throw error;
        return;
      }
      removed.push(old);
    }
    if (!this.up || healing !== this.healing) return;
    this.materialized = this.durable = target;
    for (const { id } of removed) {
      this.tables.forget(id);
      await this.disk.unlink(tablePath(id));
    }
    healing.durableMoved();
  }
}

function replaced(manifest: Version, removed: TableMeta, added: TableMeta, index: number): Version {
  const levels = manifest.levels.map((level) => level.map((meta) => (meta.id === removed.id ? added : meta)));
  return manifest.with({ levels, nextTableId: manifest.nextTableId + 1, last: { index, term: 1 } });
}

export class World {
  readonly clock = new TestClock();
  readonly network = new TestNetwork();
  readonly ids: readonly NodeId[] = [1, 2, 3];
  readonly nodes: TestNode[];
  readonly files = new Map<TableId, Uint8Array>();
  /** Table ids whose heal edits are committed, in order. */
  readonly log: TableId[] = [];
  leader: NodeId = 1;
  term = 1;

  constructor(makeDisk: (id: NodeId) => Disk = () => new MemoryDisk()) {
    this.nodes = this.ids.map((id) => new TestNode(this, id, makeDisk(id)));
  }

  node(id: NodeId): TestNode {
    return this.nodes[id - 1] as TestNode;
  }

  /** All nodes hold the same `tables` tables, with ids from 1. */
  async start(tables = 1, options: HealingOptions = {}): Promise<readonly TableMeta[]> {
    const metas: TableMeta[] = [];
    for (let id = 1; id <= tables; id++) {
      const { produced, file } = makeTable(100 + id);
      metas.push({ ...produced, id });
      this.files.set(id, file);
    }
    const manifest = manifestOf(metas, tables + 1);
    for (const node of this.nodes) {
      await node.disk.mkdir('tables');
      for (const [id, file] of this.files) await writeFile(node.disk, tablePath(id), file);
      await node.disk.syncDir('tables');
      node.latest = node.materialized = node.durable = manifest;
      await node.start({ resendMs: 1000, pollMs: 100, proposalTimeoutMs: 2000, ...options });
    }
    return metas;
  }

  async stop(): Promise<void> {
    for (const node of this.nodes) if (node.up) await node.crash();
  }

  propose(op: TreeOp): boolean {
    if (op.kind !== 'heal-edit') throw new Error('only heal edits here');
    this.log.push(op.removed.id);
    return true;
  }

  elect(leader: NodeId): void {
    this.leader = leader;
    this.term++;
    for (const node of this.nodes) if (node.up) node.leadership.changed();
  }

  /** Lets time pass and everybody work until `what` holds. */
  async until(what: string, holds: () => boolean, steps = 4000): Promise<void> {
    for (let i = 0; i < steps; i++) {
      if (holds()) return;
      await this.step();
    }
    throw new Error(`never came true: ${what}`);
  }

  async step(ms = 25): Promise<void> {
    this.clock.advance(ms);
    for (const node of this.nodes) if (node.up && node.applied < this.log.length) node.catchUp();
    else if (node.up && node.materialized !== node.latest) node.catchUp();
    await new Promise<void>((resolve) => setImmediate(resolve));
  }

  /** No node has a hint. */
  healed(): boolean {
    return this.nodes.every((node) => !node.up || (node.healing.hints().length === 0 && node.durable === node.latest));
  }
}
