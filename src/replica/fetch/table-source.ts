/** Which of this member's files hold the bytes that a peer asks for, whatever id they have here. */

import type { TableStore } from '../../storage/table/table-store.js';
import type { Tree } from '../../storage/tree/tree.js';
import { sameBirth, type TableMeta } from '../../storage/table/table-meta.js';
import type { TableSource } from './table-server.js';

/** `kept`: tables that no version names and a transfer still needs. */
export function tableSource(tree: Tree, tables: TableStore, kept: () => readonly TableMeta[]): TableSource {
  const versions = (): TableMeta[][] => [tree.latest, tree.materialized, tree.durable].map((version) => version.levels.flat());
  const known = (): TableMeta[] => [...versions().flat(), ...kept()];
  return {
    tables,
    find: (name) => {
      const found = new Map<number, TableMeta>();
      for (const meta of known()) {
        if (meta.fileDigest === name.fileDigest && sameBirth(meta.birth, name.birth) && tree.isLocal(meta.id)) found.set(meta.id, meta);
      }
      return [...found.values()];
    },
    owed: (name) => tree.owed().some((meta) => meta.fileDigest === name.fileDigest && sameBirth(meta.birth, name.birth)),
  };
}
