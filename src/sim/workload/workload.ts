/**
 * Clients that use the store as etcd's clients do, all through a run, and the verdict on what they
 * were told. Nobody else may write to the store: each revision must belong to an operation of the
 * history.
 */

import type { Timer } from '../../base/env.js';
import type { Coverage } from '../model/coverage.js';
import type { Violation } from '../model/result.js';
import type { RunSettings } from '../model/settings.js';
import type { World } from '../world/world.js';
import type { ClientLinks } from './client-links.js';
import { Client } from './client.js';
import { finalReads } from './final-reads.js';
import { Generator, mixOf } from './generator.js';
import { History, type Counts, type OpRecord } from './history/history.js';
import { judge, type Judgement } from './judge/judge.js';
import { keysOf } from './keys.js';
import { LogWitness } from './log-witness.js';
import { NodeAccess } from './node-access.js';
import type { WorkloadNode } from './node.js';
import { dueTimes } from './pace.js';
import { Values } from './values.js';

export interface WorkloadOptions {
  readonly world: World;
  /** Of the whole run, also when it is cut short: what is due when depends on them. */
  readonly settings: Pick<RunSettings, 'clients' | 'keys' | 'faultsUntilUs'>;
  readonly nodes: readonly WorkloadNode[];
  readonly links: ClientLinks;
  readonly coverage: Coverage;
  readonly report: (violation: Violation) => void;
  /**
   * A client is told DATA_LOSS: whether that is right is for the oracle to say. Called when the
   * node says so.
   */
  readonly dataLoss?: (record: OpRecord, error: unknown) => void;
}

/** The first faults are those that help. */
const MAX_REPORTS = 16;

export class Workload {
  readonly history = new History();
  readonly keys: readonly string[];
  readonly values = new Values();
  readonly access: NodeAccess;
  readonly #options: WorkloadOptions;
  readonly #due: Float64Array;
  readonly #clients: Client[] = [];
  #running = false;
  #timer: Timer | undefined;
  #turn = 0;

  constructor(options: WorkloadOptions) {
    this.#options = options;
    const { world, settings, nodes, links, coverage } = options;
    this.#due = dueTimes(world.stream('workload pace'), settings.faultsUntilUs);
    this.keys = keysOf(settings.keys);
    const mix = mixOf(world.stream('workload mix'));
    const { history, keys, values } = this;
    const access = new NodeAccess({ ...options, history, values });
    this.access = access;
    const free = (): void => this.#pump();
    for (let client = 1; client <= settings.clients; client++) {
      const random = world.stream(`client ${client}`);
      const generator = new Generator({ random, mix, keys, values });
      this.#clients.push(new Client({ client, world, nodes, links, access, generator, history, coverage, random, free }));
    }
  }

  start(): void {
    this.#running = true;
    this.#pump();
  }

  /**
   * No new operations. Those under way end by themselves, the last when its deadline passes: see
   * {@link idle}.
   */
  stop(): void {
    this.#running = false;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** No operation is under way. */
  get idle(): boolean {
    return !this.#clients.some((client) => client.isWaiting);
  }

  /** As many operations as a run must have were answered or given up: nothing more comes. */
  get done(): boolean {
    return this.#settled >= this.#due.length;
  }

  get counts(): Counts {
    return this.history.counts;
  }

  /**
   * Reads everything through one node of a cluster at rest, while the world runs. Once for every
   * node, before {@link verdict}. What could not be read is reported as a fault of liveness, unless
   * `excused` says otherwise of its code.
   */
  async finalReads(node: WorkloadNode, excused: (code: string) => boolean = () => false): Promise<void> {
    const { world, report } = this.#options;
    const failed = await finalReads(node, { world, access: this.access, history: this.history, keys: this.keys });
    const worst = failed.find((code) => !excused(code));
    if (worst === undefined) return;
    const message = `${failed.length} reads of node ${node.id} at rest failed, with ${[...new Set(failed)].join(', ')}`;
    report({ kind: 'liveness', check: 'reads at rest', message, atUs: world.nowUs, node: node.id });
  }

  /**
   * Judges all that happened, and reports what is wrong with it. `seen`: changes that watchers were
   * told of.
   */
  verdict(witness = new LogWitness(), seen: readonly OpRecord[] = []): Judgement {
    const texts = new Map<OpRecord, string | undefined>();
    const judgement = judge(this.history.records, (revision, record) => {
      if (!texts.has(record)) texts.set(record, this.access.commandTextOf(record));
      const text = texts.get(record);
      return text !== undefined && text === witness.commandAt(revision);
    }, seen);
    const { report, world, coverage } = this.#options;
    for (const [name, count] of Object.entries(judgement.stats)) coverage.branch(`judge ${name}`, count);
    for (const { check, message, atUs, node } of judgement.faults.slice(0, MAX_REPORTS)) {
      report({ kind: 'correctness', check, message, atUs: Math.min(atUs, world.nowUs), node });
    }
    return judgement;
  }

  get #settled(): number {
    const { acknowledged, unknown } = this.history.counts;
    return acknowledged + unknown;
  }

  /** Gives out what is due. Operations that were refused do not count: they are made up for. */
  #pump(): void {
    const { world } = this.#options;
    while (this.#running) {
      let underWay = 0;
      for (const client of this.#clients) if (client.isWaiting) underWay++;
      const dueUs = this.#due[this.#settled + underWay];
      if (dueUs === undefined) return;
      if (dueUs > world.nowUs) return this.#wakeAt(dueUs);
      const client = this.#nextFree();
      if (client === undefined) return;
      client.begin();
    }
  }

  #wakeAt(dueUs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#options.world.schedule(dueUs - this.#options.world.nowUs, () => this.#pump());
  }

  /** In turn, so that all clients work. */
  #nextFree(): Client | undefined {
    for (let i = 0; i < this.#clients.length; i++) {
      const client = this.#clients[this.#turn++ % this.#clients.length];
      if (client?.isFree) return client;
    }
    return undefined;
  }
}
