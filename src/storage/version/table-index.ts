/**
 * The live tables of a version by id. That of the next version shares all but what its edit
 * changed; when that has become much, it is made anew. So an edit costs what it changes, on
 * average.
 */

import type { TableId } from '../../base/ids.js';
import type { TableMeta } from '../table/table-meta.js';
import { levelChanges } from './level-changes.js';

type Levels = readonly (readonly TableMeta[])[];

/** Changes that are looked through before all tables are, at least. */
const CHANGES_MIN = 64;

export class TableIndex {
  readonly #levels: Levels;
  readonly #base: ReadonlyMap<TableId, TableMeta>;
  /** What has changed since; undefined: it is gone. */
  readonly #changes: ReadonlyMap<TableId, TableMeta | undefined>;

  private constructor(levels: Levels, base: ReadonlyMap<TableId, TableMeta>, changes: ReadonlyMap<TableId, TableMeta | undefined>) {
    this.#levels = levels;
    this.#base = base;
    this.#changes = changes;
  }

  static of(levels: Levels): TableIndex {
    const base = new Map<TableId, TableMeta>();
    for (const tables of levels) for (const meta of tables) base.set(meta.id, meta);
    return new TableIndex(levels, base, new Map());
  }

  /** Of a version that follows. */
  next(levels: Levels): TableIndex {
    const { removed, added, moved } = levelChanges(this.#levels, levels);
    const changes = new Map(this.#changes);
    for (const { id } of removed) changes.set(id, undefined);
    for (const meta of added) changes.set(meta.id, meta);
    for (const meta of moved) changes.set(meta.id, meta);
    if (changes.size > Math.max(CHANGES_MIN, this.#base.size / 16)) return TableIndex.of(levels);
    return new TableIndex(levels, this.#base, changes);
  }

  get(id: TableId): TableMeta | undefined {
    const changed = this.#changes.get(id);
    return changed !== undefined || this.#changes.has(id) ? changed : this.#base.get(id);
  }
}
