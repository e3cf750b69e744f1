/**
 * The versions from the durable one to the latest, in log order, and which of them is materialized:
 * the newest whose tables are all local. All are kept, because a restart begins at the durable one,
 * and reads may move to any later one.
 */

import { assert, must } from '../../base/assert.js';
import type { TableId } from '../../base/ids.js';
import { levelChanges } from './level-changes.js';
import type { Version } from './version.js';
import type { PositionedOp } from './manifest-record.js';
import type { TableMeta } from '../table/table-meta.js';

/** What the durable manifest lacks of the materialized version. */
export interface Unrecorded {
  /** Leads from the durable version to `manifest`. */
  readonly ops: readonly PositionedOp[];
  readonly manifest: Version;
}

export class VersionSet {
  readonly #local: Pick<ReadonlySet<TableId>, 'has'>;
  /**
   * From the durable to the latest one, ascending; versions that differ in nothing that is stored
   * are merged.
   */
  #versions: Version[];
  /** All after the durable version, ascending. */
  #ops: PositionedOp[] = [];
  #materialized: Version;
  /**
   * Tables of the latest version that are not local, oldest id first: asked for with each proposal,
   * so it follows what edits change and what became local.
   */
  #owed: readonly TableMeta[] = [];

  /** All tables of `durable` are local. */
  constructor(durable: Version, local: Pick<ReadonlySet<TableId>, 'has'>) {
    this.#versions = [durable];
    this.#materialized = durable;
    this.#local = local;
    assert(durable.list().every(({ id }) => local.has(id)), 'S5 every table of the durable version is local');
  }

  get durable(): Version {
    return must(this.#versions[0], 'the durable version is kept');
  }

  get latest(): Version {
    return must(this.#versions.at(-1), 'the latest version is kept');
  }

  get materialized(): Version {
    return this.#materialized;
  }

  /** Gives the tables that the version before it had and it has not. */
  advance(manifest: Version, op: PositionedOp): readonly TableMeta[] {
    const tail = this.latest;
    assert(manifest.last.index === op.index && op.index > tail.last.index, `S1 versions follow the log: ${op.index} after ${tail.last.index}`);
    assert(manifest.flushed.index >= tail.flushed.index && manifest.nextTableId >= tail.nextTableId, 'S1 a version never goes back');
    this.#ops.push(op);
    const { removed, added } = levelChanges(tail.levels, manifest.levels);
    this.#owe(removed, added);
    const same = manifest.levels === tail.levels && manifest.flushed.index === tail.flushed.index;
    if (same && this.#versions.length > 1) this.#versions[this.#versions.length - 1] = manifest;
    else this.#versions.push(manifest);
    return removed;
  }

  #owe(removed: readonly TableMeta[], added: readonly TableMeta[]): void {
    const lacking = added.filter(({ id }) => !this.#local.has(id));
    if (lacking.length === 0 && this.#owed.length === 0) return;
    const gone = new Set(removed.map(({ id }) => id));
    this.#owed = [...this.#owed.filter(({ id }) => !gone.has(id)), ...lacking].sort((a, b) => a.id - b.id);
  }

  /**
   * After each `advance`, and when a table became local: moves `materialized` to the newest version
   * whose tables are all local. False: it is there already.
   */
  settle(): boolean {
    if (this.#owed.length > 0) this.#owed = this.#owed.filter((table) => !this.#local.has(table.id));
    for (let i = this.#versions.length - 1; i >= 0; i--) {
      const version = this.#versions[i] as Version;
      if (version === this.#materialized) return false;
      if (version.last.index < this.#materialized.last.index) return false;
      if (version.levels !== this.#materialized.levels && !this.#complete(version)) continue;
      assert(version.flushed.index >= this.#materialized.flushed.index, 'S1 reads never go back to what was flushed later');
      this.#materialized = version;
      assert(this.durable.last.index <= version.last.index && version.last.index <= this.latest.last.index, 'S5 durable <= materialized <= latest');
      return true;
    }
    return false;
  }

  #complete(version: Version): boolean {
    // What is local stays so while a kept version names it, and what is read was complete.
    if (version.levels === this.#materialized.levels) return true;
    if (version.levels === this.latest.levels) return this.#owed.length === 0;
    return version.list().every((table) => this.#local.has(table.id));
  }

  owed(): readonly TableMeta[] {
    return this.#owed;
  }

  meta(id: TableId): TableMeta | undefined {
    for (let i = this.#versions.length - 1; i >= 0; i--) {
      const found = (this.#versions[i] as Version).table(id);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Does any version from the durable to the latest one name it? */
  names(id: TableId): boolean {
    return this.#versions.some((version) => version.has(id));
  }

  unrecorded(): Unrecorded | undefined {
    const manifest = this.#materialized;
    if (manifest === this.durable) return undefined;
    const ops = this.#ops.filter((op) => op.index <= manifest.last.index);
    assert(ops.at(-1)?.index === manifest.last.index, `S1 the ops lead to the version: ${ops.at(-1)?.index ?? 0} of ${manifest.last.index}`);
    return { ops, manifest };
  }

  setDurable(manifest: Version): void {
    const { index } = manifest.last;
    assert(index >= this.durable.last.index && index <= this.#materialized.last.index, 'S5 a durable version is materialized, and never goes back');
    assert(this.#complete(manifest), 'S5 every table of the durable version is local');
    this.#ops = this.#ops.filter((op) => op.index > index);
    this.#versions = [manifest, ...this.#versions.filter((version) => version.last.index > index)];
    if (this.#materialized.last.index === index) this.#materialized = manifest;
    assert(this.durable === manifest && this.#versions.length >= 1, 'S5 the oldest version that is kept is the durable one');
  }
}
