/**
 * Verbatim copies (H3): the exact bytes of a table, made from its own file where that is good or
 * within parity, then from repaired blocks, then from peers, and read back past the caches before
 * anyone may use them. A copy waits at `tables/heal-<id>.tmp`, and only one at a time is made of
 * one table, whoever asks: the leader before it proposes and the materializer afterwards want the
 * same bytes. The table's own file is only read (H5).
 *
 * Invariant: the file at that path has one owner at any time (its maker, this list, or the one user
 * that it was given to), and the next one is begun only when the user is done with it.
 */

import { assert } from '../../base/assert.js';
import type { Env } from '../../base/env.js';
import type { TableId } from '../../base/ids.js';
import type { FetchTableOptions } from '../../replica/fetch/table-fetcher.js';
import type { HealingContext } from '../../replica/hooks/healing-hooks.js';
import type { BlockName } from '../../storage/table/table-image.js';
import { verifyTable, type VerifyReport } from '../../storage/table/verify-table.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import { messageOf } from '../../base/errors.js';
import { payloadMatches } from '../../replica/fetch/wanted-block.js';
import type { KnownTables } from '../base/known-tables.js';
import type { StopToken } from '../base/stop-token.js';
import type { RepairStore } from './repair-store.js';

const TABLES_DIR = 'tables';

export function copyPath(table: TableId): string {
  return `${TABLES_DIR}/heal-${table}.tmp`;
}

export interface TableCopy {
  readonly path: string;
  /** fetch: there was no own file. */
  readonly how: 'rewrite' | 'fetch';
}

export interface CopySources {
  readonly env: Env;
  readonly repairs: RepairStore;
  readonly context: Pick<HealingContext, 'fetcher' | 'membership'>;
  readonly token: StopToken;
}

/** From its making to the end of its use. `done` never rejects. */
type CopyState =
  | { readonly s: 'making'; readonly copy: Promise<TableCopy> }
  | { readonly s: 'ready'; readonly copy: TableCopy }
  | { readonly s: 'used'; readonly done: Promise<void> };

export class TableCopies {
  readonly #sources: CopySources;
  readonly #copies = new Map<TableId, CopyState>();
  /** How many calls of {@link use} wait for a copy of a table: nobody else lets theirs go. */
  readonly #awaited = new Map<TableId, number>();
  readonly #subscribers: (() => void)[] = [];

  constructor(sources: CopySources) {
    this.#sources = sources;
  }

  /**
   * After each copy that was made and waits from now on; its table may have left every version
   * meanwhile.
   */
  subscribe(subscriber: () => void): void {
    this.#subscribers.push(subscriber);
  }

  /** No copy waits. */
  get empty(): boolean {
    return this.#waiting().length === 0;
  }

  /** A proven copy. Rejects as TableFetcher.fetchTable does, and leaves nothing behind then. */
  make(meta: TableMeta): Promise<TableCopy> {
    const state = this.#copies.get(meta.id);
    if (state?.s === 'ready') return Promise.resolve(state.copy);
    if (state?.s === 'making') return state.copy;
    if (state?.s === 'used') return state.done.then(() => this.make(meta));
    assert(state === undefined, `H3 no copy of table ${meta.id} is there or being made`);
    const copy = this.#make(meta).catch((error: unknown) => {
      if (this.#copies.get(meta.id)?.s === 'making') this.#copies.delete(meta.id);
      throw error;
    });
    this.#copies.set(meta.id, { s: 'making', copy });
    return copy;
  }

  /**
   * Like {@link make}, but the copy is the caller's alone until `install` ends, which moves or
   * removes the file; one that waited is proven again before. Rejects as `install` and `make` do.
   */
  async use<T>(meta: TableMeta, install: (copy: TableCopy) => Promise<T>): Promise<T> {
    this.#await(meta.id, 1);
    try {
      for (;;) {
        const waited = this.#copies.get(meta.id)?.s === 'ready';
        const copy = await this.make(meta);
        const state = this.#copies.get(meta.id);
        // Another user was first.
        if (state?.s !== 'ready' || state.copy !== copy) continue;
        assert(copy.path === copyPath(meta.id), `H5 the copy of table ${meta.id} is a file of its own: ${copy.path}`);
        const used = await this.#own(meta.id, async () => {
          if (waited && !(await this.verify(meta, copy.path)).pristine) return undefined;
          return { result: await install(copy) };
        });
        if (used !== undefined) return used.result;
      }
    } finally {
      this.#await(meta.id, -1);
    }
  }

  #await(table: TableId, change: 1 | -1): void {
    const count = (this.#awaited.get(table) ?? 0) + change;
    assert(count >= 0, `${count} users wait for the copy of table ${table}`);
    if (count === 0) this.#awaited.delete(table);
    else this.#awaited.set(table, count);
  }

  /** While `work` runs, nobody else touches the table's copy; afterwards there is none. */
  async #own<T>(table: TableId, work: () => Promise<T>): Promise<T> {
    assert(this.#copies.get(table)?.s === 'ready', `H5 the copy of table ${table} has one owner`);
    let over: () => void = () => undefined;
    const done = new Promise<void>((resolve) => (over = resolve));
    this.#copies.set(table, { s: 'used', done });
    try {
      return await work();
    } finally {
      const state = this.#copies.get(table);
      assert(state?.s === 'used' && state.done === done, `H5 the copy of table ${table} has one owner`);
      this.#copies.delete(table);
      over();
    }
  }

  #waiting(): TableId[] {
    return [...this.#copies].flatMap(([table, { s }]) => (s === 'ready' ? [table] : []));
  }

  async #make(meta: TableMeta): Promise<TableCopy> {
    const { env, repairs, context, token } = this.#sources;
    const local = tablePath(meta.id);
    const path = copyPath(meta.id);
    assert(path !== local, `H5 the file of table ${meta.id} is only read`);
    const how = env.disk.sizeOf(local) === undefined ? 'fetch' : 'rewrite';
    const options: FetchTableOptions = {
      peers: context.membership.peers,
      local,
      held: (offset) => repairs.get(meta.fileDigest, offset),
      token,
    };
    await context.fetcher.fetchTable(meta, path, options);
    const copy: TableCopy = { path, how };
    assert(this.#copies.get(meta.id)?.s === 'making', `H3 one copy of table ${meta.id} is made at a time`);
    this.#copies.set(meta.id, { s: 'ready', copy });
    for (const subscriber of this.#subscribers) subscriber();
    return copy;
  }

  /**
   * Every byte of a file of `meta`'s, past the caches. Blocks it needs to find its way may come
   * from repairs or peers.
   */
  verify(meta: TableMeta, path: string, breathe?: (bytes: number) => Promise<void> | undefined): Promise<VerifyReport> {
    const { env, repairs, context } = this.#sources;
    return verifyTable(env.disk, path, meta, {
      pace: breathe === undefined ? env.workers : { breathe },
      fetch: async (block: BlockName) => {
        const held = repairs.get(meta.fileDigest, block.offset);
        if (held !== undefined && payloadMatches(held, block.digest)) return held;
        const outcome = await context.fetcher.fetchBlock(meta, block, context.membership.peers);
        return outcome.kind === 'good' ? outcome.payload : undefined;
      },
    });
  }

  /** Drops waiting copies of tables that left every version: nobody else will ask for them. */
  async retain(known: KnownTables): Promise<void> {
    for (const table of this.#waiting()) {
      if (known.has(table) || this.#awaited.has(table) || this.#copies.get(table)?.s !== 'ready') continue;
      await this.#own(table, () => this.#unlink(copyPath(table)));
    }
  }

  /** Copies of an earlier run prove nothing; called before any is made. */
  async sweep(): Promise<void> {
    for (const name of await this.#sources.env.disk.list(TABLES_DIR)) {
      if (name.startsWith('heal-') && name.endsWith('.tmp')) await this.#unlink(`${TABLES_DIR}/${name}`);
    }
  }

  async #unlink(path: string): Promise<void> {
    const { disk, events } = this.#sources.env;
    try {
      await disk.unlink(path);
    } catch (error) {
      events.emit({ type: 'warning', message: 'a stale copy could not be removed', data: { path, why: messageOf(error) } });
    }
  }
}
