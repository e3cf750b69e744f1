/**
 * Payloads on their way into the core, in the order in which they came. A forwarded batch has as
 * many as fit, so that a message stays far below the frame limit. What the core drops (no leader is
 * known, or its log is full) is gone: whoever waits for it proposes it again.
 */

import { MiB } from '../../base/bytes.js';
import { RaftError } from '../../raft/errors.js';
import type { RaftNode } from '../../raft/node.js';

const MAX_BATCH_ENTRIES = 1024;
const MAX_BATCH_BYTES = 1 * MiB;

export class ProposalBatches {
  #waiting: Uint8Array[] = [];

  add(payload: Uint8Array): void {
    this.#waiting.push(payload);
  }

  /** All that wait: appended by a leader, forwarded by a follower, dropped by others. */
  giveTo(node: Pick<RaftNode, 'proposeEntries'>): void {
    const all = this.#waiting.splice(0);
    for (let from = 0; from < all.length; ) {
      let to = from;
      let bytes = 0;
      do bytes += (all[to++] as Uint8Array).length;
      while (to < all.length && to - from < MAX_BATCH_ENTRIES && bytes < MAX_BATCH_BYTES);
      try {
        node.proposeEntries(from === 0 && to === all.length ? all : all.slice(from, to));
      } catch (error) {
        if (!(error instanceof RaftError)) throw error;
        return;
      }
      from = to;
    }
  }
}
