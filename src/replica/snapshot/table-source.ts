/** Which of this member's files hold the bytes that a peer asks for, whatever id they have here. */

import type { TableStore } from '../../storage/table/table-store.js';
import { sameBirth, type TableMeta } from '../../storage/table/table-meta.js';
import type { Tree } from '../../storage/tree/tree.js';
import type { TableSource } from '../fetch/table-server.js';
import type { TableName } from '../fetch/table-wire.js';
import type { SnapshotSender } from './snapshot-sender.js';

export class MemberTables implements TableSource {
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
    const found = new Map<number, TableMeta>();
    const versions = [tree.latest, tree.materialized, tree.durable].flatMap((version) => version.levels.flat());
    for (const meta of [...versions, ...this.#sender.tables()]) {
      if (isNamed(meta, name) && tree.isLocal(meta.id)) found.set(meta.id, meta);
    }
    return [...found.values()];
  }

  owed(name: TableName): boolean {
    return this.#tree.owed().some((meta) => isNamed(meta, name));
  }
}

function isNamed(meta: TableMeta, { birth, fileDigest }: TableName): boolean {
  return meta.fileDigest === fileDigest && sameBirth(meta.birth, birth);
}
