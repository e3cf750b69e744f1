/**
 * A follower that was away too long for the log, and comes back while clients go on: how long it
 * takes, what it fetches, and what the clients are left with meanwhile. Rates are those of short
 * windows of one load process, before, while it catches up, and afterwards.
 */

import type { Cluster } from './cluster.js';
import { Failure } from './command.js';
import { checkFixedData, loadFixedData, type FixedData } from './fixed-data.js';
import { waitQuiet } from './heal.js';
import type { LoadProcess } from './load/process.js';
import type { BenchKind } from './load/protocol.js';
import type { ClusterNode } from './node.js';
import type { NodeStatus } from './status.js';

export interface CatchUpOptions {
  /** Written while the first follower is down; scattered, so that every table is made anew. */
  readonly keys: number;
  readonly valueBytes: number;
  readonly clients: number;
  readonly windowSeconds: number;
  /** Windows of puts before and after, and of gets after. */
  readonly windows: number;
  readonly say: (text: string) => void;
}

export interface Rates {
  readonly before: readonly number[];
  readonly during: readonly number[];
  readonly after: readonly number[];
}

export interface CatchUp {
  readonly node: string;
  /** From the start of its process to where it has all but what was written a moment ago. */
  readonly tookMs: number;
  /** Payload that came from peers. */
  readonly fetchedBytes: number;
  /** Files of the tables of its new version, and of those that it had before. */
  readonly tableBytes: number;
  readonly heldBytes: number;
  readonly puts: Rates;
  readonly gets: Rates;
}

const SECOND_ROUNDS = 3;
const NO_RATES: Rates = { before: [], during: [], after: [] };
const SEED = 9;
const FILL_CLIENTS = 256;
const QUIET_MS = 240_000;
const TRUNCATED_MS = 20_000;
const POLL_MS = 250;
const SETTLE_ROUNDS = 10;

/**
 * Flags for a cluster that shows with so many keys what one with the default memtables and tables
 * shows with a million: as many flushes and tables.
 */
export function sizedFor(keys: number): string[] {
  const part = Math.min(1, keys / 1_000_000);
  const pages = (whole: number, least: number): number => 4096 * Math.max(least, Math.round(whole * part));
  return [
    `--experimental-memtable-bytes=${pages(2048, 16)}`, `--experimental-table-bytes=${pages(2048, 16)}`,
    // The log is dropped in whole segments: these are smaller, so that less need be written.
    `--experimental-log-segment-bytes=${pages(1024, 16)}`,
  ];
}

export const mean = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0) / Math.max(1, numbers.length);

const tablesOf = (status: NodeStatus): Map<string, number> => new Map(status.manifest.tables.map(({ digest, bytes }) => [digest, bytes]));

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((a, b) => a + b, 0);

export class CatchUpDrill {
  readonly #cluster: Cluster;
  readonly #load: LoadProcess;
  readonly #options: CatchUpOptions;
  /** What was written into the narrow place. */
  readonly #narrow: FixedData[] = [];
  #run = 0;

  constructor(cluster: Cluster, load: LoadProcess, options: CatchUpOptions) {
    this.#cluster = cluster;
    this.#load = load;
    this.#options = options;
  }

  async #bench(kind: BenchKind, nodes: readonly ClusterNode[], clients: number, seconds: number): Promise<number> {
    const { keys, valueBytes } = this.#options;
    const result = await this.#load.bench({
      kind, endpoints: nodes.map((node) => node.spec.clientUrl), sessionsPerEndpoint: 2, clients, seconds, warmupSeconds: 0, keys,
      valueBytes, seed: SEED, run: ++this.#run,
    });
    if (result.errors > 0) throw new Failure(`${kind}: ${result.errors} errors, ${result.wrong} of them wrong answers: ${result.firstError}`);
    return result.opsPerSecond;
  }

  #window(kind: 'put' | 'get', nodes: readonly ClusterNode[]): Promise<number> {
    return this.#bench(kind, nodes, this.#options.clients, this.#options.windowSeconds);
  }

  /** So many windows, one after the other. */
  async #windows(kind: 'put' | 'get', nodes: readonly ClusterNode[]): Promise<number[]> {
    const out: number[] = [];
    for (let i = 0; i < this.#options.windows; i++) out.push(await this.#window(kind, nodes));
    return out;
  }

  async #rest(): Promise<void> {
    const rest = await waitQuiet(this.#cluster, QUIET_MS);
    if (!rest.quiet) throw new Failure(`the trees did not come to rest: ${rest.why}`);
  }

  /** Waits until the log of the leader begins behind what `away` had when it stopped. */
  async #truncatedBehind(away: NodeStatus): Promise<void> {
    for (const deadline = Date.now() + TRUNCATED_MS; ; await new Promise((resolve) => setTimeout(resolve, 200))) {
      const { firstLogIndex = 0 } = await (await this.#cluster.leader()).status();
      if (firstLogIndex > away.appliedIndex + 1) return;
      if (Date.now() > deadline) throw new Failure(`the log begins at ${firstLogIndex}, ${away.name} has ${away.appliedIndex}: write more keys`);
    }
  }

  /** Starts it; until it has caught up. Meanwhile, windows of puts and gets in turn. */
  async #comeBack(node: ClusterNode, had: NodeStatus, window?: (kind: 'put' | 'get') => Promise<void>): Promise<Omit<CatchUp, 'puts' | 'gets'>> {
    const began = Date.now();
    let took: number | undefined;
    node.start();
    const watch = this.#caughtUp(node).then(() => void (took = Date.now() - began));
    watch.catch(() => undefined);
    for (let i = 0; window !== undefined && took === undefined && Date.now() - began < QUIET_MS; i++) await window(i % 2 === 0 ? 'put' : 'get');
    await watch;
    const now = await node.status();
    const tables = tablesOf(now);
    const held = tablesOf(had);
    return {
      node: node.name, tookMs: took ?? 0, fetchedBytes: now.fetchedTableBytes ?? 0, tableBytes: sum(tables.values()),
      heldBytes: sum([...tables].flatMap(([digest, bytes]) => (held.has(digest) ? [bytes] : []))),
    };
  }

  /**
   * Waits until it has applied all that was committed when it was last looked at, and owes nothing.
   */
  async #caughtUp(node: ClusterNode): Promise<void> {
    const deadline = Date.now() + QUIET_MS;
    for (let committed = Infinity; ; await new Promise((resolve) => setTimeout(resolve, POLL_MS))) {
      if (!node.running) throw new Failure(`${node.name} ended:\n${node.logTail()}`);
      if (Date.now() > deadline) throw new Failure(`${node.name} has not caught up after ${QUIET_MS} ms`);
      try {
        const mine = await node.status();
        const { receiving } = mine['snapshots'] as { receiving?: unknown };
        if (mine.appliedIndex >= committed && receiving === undefined && mine.owedTables === 0) return;
        committed = (await (await this.#cluster.leader()).status()).commitIndex;
      } catch {
        // It does not listen yet.
      }
    }
  }

  /** The first follower: everything is written while it is down. */
  async first(): Promise<CatchUp> {
    const { say, keys } = this.#options;
    const [node] = await this.#cluster.followers();
    if (node === undefined) throw new Failure('there is no follower');
    const stay = this.#cluster.nodes.filter((other) => other !== node);
    const before = await this.#windows('put', stay);
    say(`puts before: ${before.map((rate) => rate.toFixed(0)).join(', ')}/s`);
    const had = await node.status();
    await node.stop();
    const rate = await this.#bench('fill', stay, FILL_CLIENTS, 0);
    say(`${keys} keys written while ${node.name} is down, ${rate.toFixed(0)}/s`);
    await this.#truncatedBehind(had);
    const during: Record<'put' | 'get', number[]> = { put: [], get: [] };
    const back = await this.#comeBack(node, had, async (kind) => {
      const rate = await this.#window(kind, stay);
      during[kind].push(rate);
      say(`${node.name} catches up: ${kind}s ${rate.toFixed(0)}/s`);
    });
    // In turn as before: what puts leave to be merged is done beside the gets that follow.
    const after: Record<'put' | 'get', number[]> = { put: [], get: [] };
    for (let i = 0; i < 2 * this.#options.windows; i++) {
      const kind = i % 2 === 0 ? 'put' : 'get';
      after[kind].push(await this.#window(kind, stay));
    }
    say(`afterwards: puts ${after.put.map((rate) => rate.toFixed(0)).join(', ')}/s, gets ${after.get.map((rate) => rate.toFixed(0)).join(', ')}/s`);
    return {
      ...back,
      puts: { before, during: during.put, after: after.put },
      gets: { before: [], during: during.get, after: after.get },
    };
  }

  /**
   * Seconds until one has held so much of its new tables: a merge that was due while it was away
   * makes tables anew that it held.
   */
  async *seconds(not: string, share: number): AsyncGenerator<CatchUp> {
    for (let round = 0; round < SECOND_ROUNDS; round++) {
      const one = await this.second(not);
      yield one;
      if (one.heldBytes >= share * one.tableBytes) return;
      this.#options.say(`${one.node} held ${one.heldBytes} of ${one.tableBytes} bytes: once more`);
    }
  }

  /**
   * Another one, while nobody asks anything. What is written while it is down lies between two of
   * the old keys, and so did what was written before: most tables stay as they are.
   */
  async second(not: string): Promise<CatchUp> {
    const { say } = this.#options;
    await this.#scatteredSettle();
    const node = (await this.#cluster.followers()).find(({ name }) => name !== not);
    if (node === undefined) throw new Failure('there is no second follower');
    const had = await node.status();
    await node.stop();
    const data = await this.#loadMore();
    await this.#truncatedBehind(had);
    say(`${data.keys} keys written while ${node.name} is down`);
    const back = await this.#comeBack(node, had);
    await this.#rest();
    const found = await checkFixedData(node.endpoint, this.#narrow, true);
    if (found.missing + found.wrong + found.errors > 0) throw new Failure(`${node.name}: ${found.firstFault}`);
    return { ...back, puts: NO_RATES, gets: NO_RATES };
  }

  /**
   * Until no table of level 0 is left that the scattered keys are in: merged while the second is
   * away, it would have most others made anew.
   */
  async #scatteredSettle(): Promise<void> {
    await this.#rest();
    const level0 = async (): Promise<number[]> => {
      const { manifest } = await (await this.#cluster.leader()).status();
      return manifest.tables.filter(({ level }) => level === 0).map(({ id }) => id);
    };
    let scattered: readonly number[] | undefined;
    for (let i = 0; i < SETTLE_ROUNDS; i++) {
      await this.#loadMore();
      await this.#rest();
      const now = await level0();
      // The first round flushes what was left of them in the memtables.
      scattered = scattered === undefined ? now : scattered.filter((id) => now.includes(id));
      if (scattered.length === 0) return;
    }
    throw new Failure(`level 0 still holds ${scattered?.length} tables of before`);
  }

  /** As many keys again, all in the same narrow place. */
  async #loadMore(): Promise<FixedData> {
    const { keys, valueBytes } = this.#options;
    const data = { keys: Math.ceil(keys / 12), valueBytes, seed: 77 + this.#narrow.length };
    const running = this.#cluster.nodes.filter((node) => node.running);
    await loadFixedData(running.map(({ endpoint }) => endpoint), data);
    this.#narrow.push(data);
    return data;
  }

  /** Every one of the first keys is right on each member. */
  async verify(): Promise<void> {
    await this.#rest();
    for (const node of this.#cluster.nodes) await this.#bench('sget', [node], this.#options.clients, this.#options.windowSeconds);
  }
}
