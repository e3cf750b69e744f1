/**
 * Blocks of tables for peers, from a member that is not a replica yet: it waits for what they have,
 * and must not keep from them what they wait for. Every file may hold the table whose id it is
 * named by; what it gives is verified. D1 nothing is said to be lost: a file may be asked for too
 * early.
 */

import type { Closeable } from '../../base/acquiring.js';
import type { Env } from '../../base/env.js';
import type { StorageError } from '../../storage/base/errors.js';
import { BlockCache } from '../../storage/cache/block-cache.js';
import type { TableMeta, TableName } from '../../storage/table/table-meta.js';
import { TableStore } from '../../storage/table/table-store.js';
import type { Version } from '../../storage/version/version.js';
import { TableServer, type HeldTables } from '../fetch/table-server.js';
import type { EarlyHandler } from './early-handler.js';
import { LeftPaths, type Asked } from './left-paths.js';

export class LeftTables implements HeldTables, Closeable {
  readonly tables: TableStore;
  readonly #paths: LeftPaths;
  readonly #manifest: Pick<Version, 'named'>;

  /** `asked`: for what leads to a block here. */
  constructor(env: Env, asked: Asked, manifest: Pick<Version, 'named'>) {
    this.#paths = new LeftPaths(env, asked);
    this.#manifest = manifest;
    this.tables = new TableStore(env.disk, new BlockCache(0), this.#paths);
  }

  find(name: TableName): readonly TableMeta[] {
    return this.#manifest.named(name);
  }

  owed(): boolean {
    return true;
  }

  hides(meta: TableMeta, error: StorageError): void {
    this.#paths.lacks(meta, error);
  }

  close(): void {
    this.tables.close();
  }
}

/** While the log of a member is opened by `manifest`, which may take others to mend it. */
export async function servingTables<T>(
  env: Env, asked: Asked, early: EarlyHandler, manifest: Version, open: () => Promise<T>,
): Promise<T> {
  const left = new LeftTables(env, asked, manifest);
  early.serveTables(new TableServer(env, left));
  try {
    return await open();
  } finally {
    early.endTables();
    left.close();
  }
}
