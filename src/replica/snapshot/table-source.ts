/** Which of this member's files hold the bytes that a peer asks for, whatever id they have here. */

import type { TableId } from '../../base/ids.js';
import type { TableStore } from '../../storage/table/table-store.js';
import { sameTable, type TableMeta, type TableName } from '../../storage/table/table-meta.js';
import type { Tree } from '../../storage/tree/tree.js';
import type { HeldTables } from '../fetch/table-server.js';
import type { SnapshotSender } from './snapshot-sender.js';

export class MemberTables implements HeldTables {
  readonly tables: TableStore;
  readonly #tree: Tree;
  readonly #sender: SnapshotSender;

  /** `sender`: keeps tables that no version names and a transfer still needs. */
  constructor(tree: Tree, tables: TableStore, sender: SnapshotSender) {
    this.tables = tables;
    this.#tree = tree;
    this.#sender = sender;
  }

  find(name: TableName): TableMeta[] {
    const tree = this.#tree;
    const found = new Map<TableId, TableMeta>();
    for (const version of [tree.latest, tree.materialized, tree.durable]) {
      for (const meta of version.named(name)) found.set(meta.id, meta);
    }
    for (const meta of this.#sender.tables()) if (sameTable(meta, name)) found.set(meta.id, meta);
    return [...found.values()].filter((meta) => tree.isLocal(meta.id));
  }

  owed(name: TableName): boolean {
    return this.#tree.owed().some((table) => sameTable(table, name));
  }

  hides(): void {
    // The read itself has left a note, and what leads on is repaired.
  }
}
