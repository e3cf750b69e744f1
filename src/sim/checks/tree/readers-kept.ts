/**
 * S5: no file is deleted that the version of an open view names, however long its reader takes, nor
 * one that a transfer has pinned.
 */

import type { TableId } from '../../../base/ids.js';
import type { Replica } from '../../../replica/replica.js';
import type { Version } from '../../../storage/version/version.js';
import type { Reporter } from '../base/reporter.js';
import type { WatchedNode } from '../../cluster/watched-node.js';

export class ReadersKept {
  readonly #reporter: Reporter;

  constructor(reporter: Reporter) {
    this.#reporter = reporter;
  }

  /** Counts the views of this replica, and looks at what is collected, from now on. */
  watch({ id }: WatchedNode, { tree }: Replica): void {
    const open = new Map<Version, number>();
    const view = tree.view.bind(tree);
    tree.view = () => {
      const made = view();
      const version = tree.materialized;
      open.set(version, (open.get(version) ?? 0) + 1);
      const release = made.release.bind(made);
      made.release = () => {
        const left = (open.get(version) ?? 0) - 1;
        if (left > 0) open.set(version, left);
        else open.delete(version);
        release();
      };
      return made;
    };
    const pinned = new Map<symbol, readonly TableId[]>();
    const pin = tree.pin.bind(tree);
    tree.pin = (tables) => {
      const key = Symbol('pin');
      const unpin = pin(tables);
      pinned.set(key, tables.map((table) => table.id));
      return () => {
        pinned.delete(key);
        unpin();
      };
    };
    const collect = tree.collect.bind(tree);
    tree.collect = () => {
      const gone = tree.deletable();
      this.#look(id, gone, open);
      const sent = [...pinned.values()].flat().find((table) => gone.includes(table));
      if (sent !== undefined) this.#reporter.broken('files in a transfer stay', id, `S5 node ${id} deletes table ${sent}, which a transfer has pinned`);
      return collect();
    };
  }

  #look(node: number, gone: readonly TableId[], open: ReadonlyMap<Version, number>): void {
    if (open.size === 0 || gone.length === 0) return;
    for (const version of open.keys()) {
      const read = version.list().find((table) => gone.includes(table.id));
      if (read === undefined) continue;
      this.#reporter.broken('files under a reader stay', node, `S5 node ${node} deletes table ${read.id}, which an open view still reads`);
      return;
    }
  }
}
