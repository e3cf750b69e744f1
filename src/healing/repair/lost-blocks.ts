/**
 * The blocks that count as lost for now (D1): the last repair found no good copy that it could
 * reach. Reads of them fail, and no compaction takes their tables. Each entry ends again: with a
 * repair, with the table, or when the file proves good. *For certain* are those of which every
 * member said once that it has no good copy, and none came back since; the others may be had from a
 * member that is away.
 */

import { assert } from '../../base/assert.js';
import type { TableId } from '../../base/ids.js';
import type { KnownTables } from '../base/known-tables.js';

const TABLES_MAX = 4096;

export class LostBlocks {
  readonly #lost = new Map<TableId, Set<number>>();
  /** Some of those in #lost. */
  readonly #certain = new Map<TableId, Set<number>>();
  readonly #subscribers: (() => void)[] = [];

  /** A block was marked: at once, in order of subscription. */
  subscribe(subscriber: () => void): void {
    this.#subscribers.push(subscriber);
  }

  get any(): boolean {
    return this.#lost.size > 0;
  }

  /** Every member said of some block that it has no good copy. */
  get anyForCertain(): boolean {
    return this.#certain.size > 0;
  }

  has(table: TableId): boolean {
    return this.#lost.has(table);
  }

  tables(): TableId[] {
    return [...this.#lost.keys()];
  }

  mark(table: TableId, offset: number, certain: boolean): void {
    assert(offset >= 0, `D1 the block at ${offset} of table ${table} is lost`);
    const offsets = this.#lost.get(table) ?? new Set<number>();
    if (this.#lost.size >= TABLES_MAX && offsets.size === 0) return;
    this.#lost.set(table, offsets.add(offset));
    if (certain) this.#certain.set(table, (this.#certain.get(table) ?? new Set<number>()).add(offset));
    assert(this.#lost.size <= TABLES_MAX, `D1 ${this.#lost.size} tables count as having lost blocks`);
    for (const subscriber of this.#subscribers) subscriber();
  }

  /** The block is to be had after all. */
  found(table: TableId, offset: number): void {
    forget(this.#lost, table, offset);
    forget(this.#certain, table, offset);
    assert(this.#lost.get(table)?.size !== 0, `D1 table ${table} has lost blocks, or does not count`);
  }

  /** Every byte of the table's own file proved good, or was restored. */
  clear(table: TableId): void {
    this.#lost.delete(table);
    this.#certain.delete(table);
  }

  /** What left every version has nothing left to lose. */
  retain(known: KnownTables): void {
    for (const table of this.tables()) if (!known.has(table)) this.clear(table);
  }
}

function forget(of: Map<TableId, Set<number>>, table: TableId, offset: number): void {
  const offsets = of.get(table);
  offsets?.delete(offset);
  if (offsets?.size === 0) of.delete(table);
}
