/**
 * Where confirmed faults become hints (H1): the one way from detecting to the hint store, for
 * reads, scrubs and repairs.
 */

import { assert } from '../../base/assert.js';
import type { NodeId } from '../../base/ids.js';
import type { TableMeta } from '../../storage/table/table-meta.js';
import type { KnownTables } from '../base/known-tables.js';
import { hintOf, type ConfirmedFault } from './confirmed-fault.js';
import type { HintStore } from './hint-store.js';

interface RecorderParts {
  readonly hints: HintStore;
  readonly known: KnownTables;
  readonly membership: { readonly self: NodeId };
}

export class HintRecorder {
  readonly #parts: RecorderParts;

  constructor(parts: RecorderParts) {
    this.#parts = parts;
  }

  record(meta: TableMeta, fault: ConfirmedFault): void {
    const { hints, known, membership } = this.#parts;
    // A table that only a reader or a snapshot transfer still holds goes by itself: there is
    // nothing to heal.
    if (!known.has(meta.id)) return;
    hints.add(hintOf(meta, membership.self, fault), fault.confirmation);
    assert(hints.get(meta.id) !== undefined || hints.full, `H2 the fault of table ${meta.id} is in a hint`);
  }
}
