/**
 * Verbatim copies (H3): the exact bytes of a table, made from its own file where that is good or within parity, then from
 * repaired blocks, then from peers, and read back past the caches before anyone may use them. A copy waits at
 * `tables/heal-<id>.tmp`, and only one at a time is made of one table, whoever asks: the leader before it
 * proposes and the materializer afterwards want the same bytes. The table's own file is only read (H5).
 */

import type { Env } from '../../base/env.js';
import type { NodeId, TableId } from '../../base/ids.js';
import type { FetchTableOptions, TableFetcher } from '../../replica/fetch/table-fetcher.js';
import type { BlockName } from '../../storage/table/table-image.js';
import { verifyTable, type VerifyReport } from '../../storage/table/verify-table.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import { messageOf } from '../../base/errors.js';
import { payloadMatches } from '../../replica/fetch/wanted-block.js';
import type { RepairStore } from './repair-store.js';

const TABLES_DIR = 'tables';

export function copyPath(table: TableId): string {
  return `${TABLES_DIR}/heal-${table}.tmp`;
}

export interface TableCopy {
  readonly path: string;
  /** fetch: nothing of the own file could be used, because it is missing. */
  readonly how: 'rewrite' | 'fetch';
}

export interface CopySources {
  readonly env: Env;
  readonly repairs: RepairStore;
  readonly fetcher: () => TableFetcher;
  readonly peers: () => readonly NodeId[];
  /** Cancelled when the node stops. */
  readonly token: { readonly cancelled: boolean };
  /** A copy waits from now on; its table may have left every version while it was made. */
  readonly made: () => void;
}

export class TableCopies {
  readonly #sources: CopySources;
  readonly #making = new Map<TableId, Promise<TableCopy>>();
  readonly #ready = new Map<TableId, TableCopy>();

  constructor(sources: CopySources) {
    this.#sources = sources;
  }

  /** No copy waits. */
  get empty(): boolean {
    return this.#ready.size === 0;
  }

  /** A proven copy. Rejects as TableFetcher.fetchTable does, and leaves nothing behind then. */
  make(meta: TableMeta): Promise<TableCopy> {
    const ready = this.#ready.get(meta.id);
    if (ready !== undefined) return Promise.resolve(ready);
    let making = this.#making.get(meta.id);
    if (making === undefined) {
      making = this.#make(meta).finally(() => this.#making.delete(meta.id));
      this.#making.set(meta.id, making);
    }
    return making;
  }

  /** Like {@link make}, but a copy that waited is proven again, and the caller owns the file. */
  async take(meta: TableMeta): Promise<TableCopy> {
    if (this.#ready.has(meta.id)) {
      const proof = await this.verify(meta, copyPath(meta.id));
      if (!proof.pristine) this.#ready.delete(meta.id);
    }
    const copy = await this.make(meta);
    this.#ready.delete(meta.id);
    return copy;
  }

  async #make(meta: TableMeta): Promise<TableCopy> {
    const { env, repairs, fetcher, peers, token, made } = this.#sources;
    const local = tablePath(meta.id);
    const path = copyPath(meta.id);
    const how = env.disk.sizeOf(local) === undefined ? 'fetch' : 'rewrite';
    const options: FetchTableOptions = {
      peers: peers(),
      local,
      held: (offset) => repairs.get(meta.fileDigest, offset),
      token,
    };
    await fetcher().fetchTable(meta, path, options);
    const copy: TableCopy = { path, how };
    this.#ready.set(meta.id, copy);
    made();
    return copy;
  }

  /** Every byte of a file of `meta`'s, past the caches. Blocks it needs to find its way may come from repairs or peers. */
  verify(meta: TableMeta, path: string, breathe?: (bytes: number) => Promise<void> | undefined): Promise<VerifyReport> {
    const { env, repairs, fetcher, peers } = this.#sources;
    return verifyTable(env.disk, path, meta, {
      pace: breathe === undefined ? env.workers : { breathe },
      fetch: async (block: BlockName) => {
        const held = repairs.get(meta.fileDigest, block.offset);
        if (held !== undefined && payloadMatches(held, block.digest)) return held;
        const outcome = await fetcher().fetchBlock(meta, block, peers());
        return outcome.kind === 'good' ? outcome.payload : undefined;
      },
    });
  }

  /** Drops waiting copies of tables for which `keep` is false. */
  async retain(keep: (table: TableId) => boolean): Promise<void> {
    for (const [table, copy] of [...this.#ready]) {
      if (keep(table)) continue;
      this.#ready.delete(table);
      await this.#unlink(copy.path);
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
