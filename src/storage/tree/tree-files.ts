/**
 * Which tables this node has, and which of their files may go. A file goes only when nothing names
 * its table: no version from the durable one on (pending plans' inputs are live in the latest), no
 * reader, no transfer (S5).
 */

import { assert, must } from '../../base/assert.js';
import type { Disk } from '../../base/disk.js';
import type { TableId } from '../../base/ids.js';
import type { TableStore } from '../table/table-store.js';
import type { Version } from '../version/version.js';
import { tablePath, type TableMeta } from '../table/table-meta.js';

const TABLE_FILE = /^(\d{1,15})\.sst$/;
/**
 * On its way from a peer, or the second name of a link that a crash cut short (`Disk.link`): of no
 * use to the next run.
 */
const UNFINISHED_FILE = /^((fetch-\d{1,15}|recv-\d{1,15}-\d{1,9})\.tmp|\d{1,15}\.sst\.link)$/;
const OUTPUT_FILE = /^plan-(\d{1,15})-\d{1,9}\.tmp$/;

/** All versions that are kept, or that readers hold (S5). */
export interface NamingVersions {
  names(id: TableId): boolean;
}

export class TreeFiles {
  readonly #disk: Disk;
  readonly #tables: TableStore;
  readonly #local = new Set<TableId>();
  /** Among these are all local tables that the latest version does not name: some may go. */
  readonly #leaving = new Set<TableId>();
  readonly #pins = new Map<TableId, number>();

  constructor(disk: Disk, tables: TableStore) {
    this.#disk = disk;
    this.#tables = tables;
  }

  has(id: TableId): boolean {
    return this.#local.has(id);
  }

  add(id: TableId): void {
    assert(id >= 1, 'ids begin with 1');
    this.#local.add(id);
    this.#leaving.add(id);
  }

  addAll(manifest: Version): void {
    for (const table of manifest.list()) this.#local.add(table.id);
  }

  /** The latest version names these no more. */
  left(tables: readonly TableMeta[]): void {
    for (const { id } of tables) if (this.#local.has(id)) this.#leaving.add(id);
  }

  /** Another version has taken the place of all: any table may have left. */
  replaced(): void {
    for (const id of this.#local) this.#leaving.add(id);
  }

  pin(ids: readonly TableId[]): () => void {
    for (const id of ids) this.#pins.set(id, (this.#pins.get(id) ?? 0) + 1);
    let held = true;
    return () => {
      assert(held, 'S5 a pin is let go once');
      held = false;
      for (const id of ids) {
        const count = must(this.#pins.get(id), `S5 table ${id} is pinned until it is let go`) - 1;
        assert(count >= 0, 'S5 a pin count is never negative');
        if (count > 0) this.#pins.set(id, count);
        else this.#pins.delete(id);
      }
    };
  }

  /** Local tables that neither a version nor a pin names. */
  unnamed(latest: Version, versions: NamingVersions): TableId[] {
    const unnamed: TableId[] = [];
    for (const id of this.#leaving) {
      if (latest.has(id)) this.#leaving.delete(id);
      else if (!versions.names(id) && !this.#pins.has(id)) unnamed.push(id);
    }
    return unnamed.sort((a, b) => a - b);
  }

  async collect(ids: readonly TableId[]): Promise<TableId[]> {
    // Before the first await: from here on nobody finds them.
    for (const id of ids) {
      assert(!this.#pins.has(id), `S5 table ${id} is pinned and is not deleted`);
      assert(this.#local.has(id), `S5 only what is local is deleted, and once: table ${id}`);
      this.#local.delete(id);
      this.#leaving.delete(id);
      this.#tables.forget(id);
    }
    for (const id of ids) await this.#disk.unlink(tablePath(id));
    return [...ids];
  }

  async orphans(latest: Version, versions: NamingVersions): Promise<string[]> {
    const wanted = new Set<number>();
    for (const { index } of latest.seals) wanted.add(index);
    for (const { index } of latest.plans) wanted.add(index);
    for (const table of latest.list()) if (!this.#local.has(table.id)) wanted.add(table.birth.sequence);
    const orphan = (name: string): boolean => {
      if (UNFINISHED_FILE.test(name)) return true;
      const id = Number(TABLE_FILE.exec(name)?.[1] ?? Number.NaN);
      // Ids and plans that the manifest has not come to yet may belong to ops that are about to be
      // replayed.
      if (!Number.isNaN(id)) return id < latest.nextTableId && !versions.names(id) && !this.#local.has(id) && !this.#pins.has(id);
      const sequence = Number(OUTPUT_FILE.exec(name)?.[1] ?? Number.NaN);
      return !Number.isNaN(sequence) && sequence <= latest.last.index && !wanted.has(sequence);
    };
    return (await this.#disk.list('tables')).filter(orphan).map((name) => `tables/${name}`);
  }
}
