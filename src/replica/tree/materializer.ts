/**
 * Makes this member's files follow the logical manifest. For each owed table the cheapest way that gives the confirmed
 * digest: relink what was produced here, carry a heal edit out, or fetch it from a peer. Ways may fail and are tried
 * again; a table that a later edit removed is no longer owed, so a member that lags jumps over it.
 */

import { messageOf } from '../../base/errors.js';
import type { Env } from '../../base/env.js';
import { sleep } from '../../base/env.js';
import type { LogIndex, NodeId, TableId } from '../../base/ids.js';
import type { Tree } from '../../storage/tree.js';
import { outputPath, tablePath, type TableMeta } from '../../storage/version/table-meta.js';
import type { TableFetcher } from '../fetch/table-fetcher.js';
import type { HealingHooks } from '../hooks.js';
import type { Executor } from './executor.js';

export interface MaterializerOptions {
  readonly env: Env;
  readonly tree: Tree;
  readonly executor: Executor;
  readonly fetcher: TableFetcher;
  readonly hooks: HealingHooks;
  readonly peers: readonly NodeId[];
  readonly leader: () => NodeId;
  readonly failed: (error: unknown) => void;
}

/** How an owed table came into being. */
type Origin = { readonly kind: 'plan'; readonly plan: LogIndex } | { readonly kind: 'heal'; readonly removed: TableMeta };

const RETRY_MS = 300;

export class Materializer {
  readonly #options: MaterializerOptions;
  readonly #origins = new Map<TableId, Origin>();
  #running = false;
  #stopped = false;
  #idle: (() => void)[] = [];

  constructor(options: MaterializerOptions) {
    this.#options = options;
  }

  planned(plan: LogIndex, added: readonly TableMeta[]): void {
    for (const table of added) this.#origins.set(table.id, { kind: 'plan', plan });
    if (added.length === 0) this.#options.executor.close(plan);
    this.kick();
  }

  healed(removed: TableMeta, added: TableMeta): void {
    this.#origins.set(added.id, { kind: 'heal', removed });
    this.kick();
  }

  kick(): void {
    if (this.#running || this.#stopped) return;
    this.#running = true;
    this.#drain().then(
      () => this.#ended(),
      (error: unknown) => {
        this.#ended();
        this.#options.failed(error);
      },
    );
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#running) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #ended(): void {
    this.#running = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #drain(): Promise<void> {
    const { tree, env } = this.#options;
    while (!this.#stopped) {
      const owed = tree.owed();
      if (owed.length === 0) {
        this.#origins.clear();
        return;
      }
      let progress = false;
      for (const table of owed) {
        if (this.#stopped) return;
        if (tree.isLocal(table.id) || !tree.owed().some((other) => other.id === table.id)) continue;
        progress = (await this.#one(table)) || progress;
      }
      if (!progress) await sleep(env.clock, RETRY_MS);
    }
  }

  async #one(table: TableMeta): Promise<boolean> {
    const { tree, env, hooks } = this.#options;
    const origin = this.#origins.get(table.id);
    try {
      if (origin?.kind === 'heal') {
        const how = await hooks.materializeHeal(origin.removed, table);
        env.events.emit({ type: 'materialized', table: table.id, how, bytes: table.bytes });
      } else {
        const relinked = origin ? await this.#relink(origin.plan, table) : false;
        if (!relinked) await this.#fetch(table);
        env.events.emit({ type: 'materialized', table: table.id, how: relinked ? 'relink' : 'fetch', bytes: table.bytes });
      }
    } catch (error) {
      env.events.emit({ type: 'warning', message: 'a table is still owed', data: { table: table.id, why: messageOf(error) } });
      return false;
    }
    tree.markLocal(table.id);
    this.#settle(table.id, origin);
    return true;
  }

  /** The last output of a plan is here: what else the plan left can go. */
  #settle(id: TableId, origin: Origin | undefined): void {
    this.#origins.delete(id);
    if (origin?.kind !== 'plan') return;
    for (const other of this.#origins.values()) if (other.kind === 'plan' && other.plan === origin.plan) return;
    this.#options.executor.close(origin.plan);
  }

  /** True if this member produced exactly these bytes. */
  async #relink(plan: LogIndex, table: TableMeta): Promise<boolean> {
    const { executor, env } = this.#options;
    await executor.settled(plan);
    const own = executor.outputs(plan)?.find((output) => output.birth.ordinal === table.birth.ordinal);
    if (own === undefined || own.fileDigest !== table.fileDigest || own.rootDigest !== table.rootDigest) return false;
    const from = outputPath(plan, table.birth.ordinal);
    if (env.disk.sizeOf(from) !== table.bytes) return false;
    await env.disk.rename(from, tablePath(table.id));
    await env.disk.syncDir('tables');
    return true;
  }

  async #fetch(table: TableMeta): Promise<void> {
    const { fetcher, leader, peers } = this.#options;
    const first = leader();
    await fetcher.fetchTable(table, tablePath(table.id), first === 0 ? { peers } : { from: first, peers });
  }
}
