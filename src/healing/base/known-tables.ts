/**
 * The tables that this node has to do with, as its tree knows them at the moment of asking. Three
 * versions count: the durable one (after a crash it is all there is), the materialized one (what is
 * read) and the latest (what the log says). Nothing is copied: each version answers by id without a
 * walk over its tables.
 */

import { assert } from '../../base/assert.js';
import type { Digest128, TableId } from '../../base/ids.js';
import type { TableMeta } from '../../storage/table/table-meta.js';
import type { Tree } from '../../storage/tree/tree.js';

export type NodeVersions = Pick<Tree, 'latest' | 'materialized' | 'durable'>;

export class KnownTables {
  readonly #tree: NodeVersions;

  constructor(tree: NodeVersions) {
    this.#tree = tree;
  }

  /**
   * In any of the three versions. Undefined: only a reader or a snapshot transfer may still hold
   * it.
   */
  find(table: TableId): TableMeta | undefined {
    const { latest, materialized, durable } = this.#tree;
    const found = latest.table(table) ?? materialized.table(table) ?? durable.table(table);
    assert(found === undefined || found.id === table, `S2 table ${found?.id} is looked up as table ${table}`);
    return found;
  }

  has(table: TableId): boolean {
    return this.find(table) !== undefined;
  }

  /** Tables of the three versions that have these bytes, each id once. */
  withBytes(fileDigest: Digest128): TableMeta[] {
    const { latest, materialized, durable } = this.#tree;
    const found = new Map<TableId, TableMeta>();
    for (const version of [durable, materialized, latest]) {
      for (const meta of version.withBytes(fileDigest)) found.set(meta.id, meta);
    }
    return [...found.values()];
  }

  /** Those whose files should be here now: materialized or durable. The others are owed. */
  here(): TableMeta[] {
    const { materialized, durable } = this.#tree;
    return [...new Map([...materialized.tables(), ...durable.tables()]).values()];
  }

  isHere(table: TableId): boolean {
    const { materialized, durable } = this.#tree;
    return materialized.has(table) || durable.has(table);
  }
}
