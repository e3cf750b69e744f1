/**
 * How large the store is, for the quota: bytes of tables and memtables, without what compactions
 * will drop by themselves after a Compact. So a store that is full of what may go is not stopped
 * for it: its garbage goes (`storage/compaction/leveled.ts`), and no command is needed.
 */

import type { Tree } from '../../storage/tree/tree.js';
import type { Version } from '../../storage/version/version.js';
import { garbageBytes } from '../../storage/compaction/garbage.js';

export interface StoreSizeParts {
  readonly tree: Pick<Tree, 'latest' | 'memtableBytes' | 'sealedBytes'>;
}

export class StoreSize {
  readonly #parts: StoreSizeParts;
  #of: Version['levels'] | undefined;
  #gcRevision = -1;
  #tableBytes = 0;

  constructor(parts: StoreSizeParts) {
    this.#parts = parts;
  }

  /** `gcRevision`: the compact revision. Counted anew when the tree or that has changed. */
  bytes(gcRevision: number, systemKeys = 0): number {
    const { tree } = this.#parts;
    const { levels } = tree.latest;
    if (levels !== this.#of || gcRevision !== this.#gcRevision) {
      let bytes = 0;
      for (const level of levels) for (const table of level) bytes += table.bytes;
      this.#tableBytes = Math.max(0, bytes - garbageBytes(tree.latest, gcRevision, systemKeys));
      this.#of = levels;
      this.#gcRevision = gcRevision;
    }
    return this.#tableBytes + tree.memtableBytes + tree.sealedBytes;
  }
}
