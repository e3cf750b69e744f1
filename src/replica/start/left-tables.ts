/**
 * Blocks of tables for peers, from a member that is not a replica yet: it waits for what they have,
 * and must not keep from them what they wait for. Every file may hold the table whose id it is
 * named by; what it gives is verified. D1 nothing is said to be lost: a file may be asked for too
 * early.
 */

import type { Env } from '../../base/env.js';
import { BlockCache } from '../../storage/cache/block-cache.js';
import { noFaults } from '../../storage/table/block-faults.js';
import type { TableMeta, TableName } from '../../storage/table/table-meta.js';
import { TableStore } from '../../storage/table/table-store.js';
import type { Version } from '../../storage/version/version.js';
import { TableServer, type HeldTables } from '../fetch/table-server.js';
import type { EarlyHandler } from './early-handler.js';

export class LeftTables implements HeldTables {
  readonly tables: TableStore;
  readonly #manifest: Version;

  constructor(manifest: Version, tables: TableStore) {
    this.#manifest = manifest;
    this.tables = tables;
  }

  find(name: TableName): readonly TableMeta[] {
    return this.#manifest.named(name);
  }

  owed(): boolean {
    return true;
  }
}

/** While the log of a member is opened by `manifest`, which may take others to mend it. */
export async function servingTables<T>(env: Env, early: EarlyHandler, manifest: Version, open: () => Promise<T>): Promise<T> {
  const tables = new TableStore(env.disk, new BlockCache(0), noFaults);
  early.serveTables(new TableServer(env, new LeftTables(manifest, tables)));
  try {
    return await open();
  } finally {
    early.endTables();
    tables.close();
  }
}
