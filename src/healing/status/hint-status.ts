/** A hint as `/status` and `ctl` show it. */

import type { NodeId, TableId } from '../../base/ids.js';

/**
 * corrected: parity restored it; unreadable: beyond parity; missing: no file; parity: only parity
 * or padding is bad.
 */
export type HintKind = 'corrected' | 'unreadable' | 'missing' | 'parity';

/**
 * On the node that saw the fault: open, then done. In the leader's queue: the others; their moves
 * are in `heal/heal-queue.ts`.
 */
export type HintState = 'open' | 'pending' | 'claimed' | 'proposed' | 'backoff' | 'done';

export interface HintStatus {
  readonly tableId: TableId;
  readonly kind: HintKind;
  /** The node whose copy is bad. */
  readonly node: NodeId;
  readonly state: HintState;
  /** At most 64, then undefined: all. */
  readonly offsets: readonly number[] | undefined;
}
