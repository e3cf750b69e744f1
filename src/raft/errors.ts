/**
 * What the core refuses. Each code says what the caller may do. The state of the core is unchanged.
 */

import { assert } from '../base/assert.js';
import { KintsugiError } from '../base/errors.js';

type RaftErrorCode =
  /**
   * No leader is known, leadership is being transferred, or too much is uncommitted. Try again
   * later.
   */
  | 'PROPOSAL_DROPPED'
  /** A response from a node outside the configuration. Drop it. */
  | 'PEER_NOT_FOUND'
  /** A message that must never come over the network. Drop it; the sender is at fault. */
  | 'LOCAL_MESSAGE'
  /** The configuration change is not allowed in the current configuration. */
  | 'INVALID_CONF_CHANGE'
  /** Thrown by a `LogStorage`: the snapshot is not ready. The core asks again by itself. */
  | 'SNAPSHOT_UNAVAILABLE'
  /** Thrown by a `LogStorage`: the entry was compacted away. */
  | 'COMPACTED'
  /** Thrown by a `LogStorage`: the entry is beyond the end of the log. */
  | 'UNAVAILABLE'
  /**
   * Thrown by a `LogStorage`: the entry is there and cannot be read just now. The core does without
   * it and asks again by itself.
   */
  | 'UNREADABLE';

export class RaftError extends KintsugiError<RaftErrorCode> {
  override readonly name = 'RaftError';
}

/**
 * A broken invariant on a hot path, where building `assert`'s message each time would cost more
 * than the check.
 */
export function broken(message: string): never {
  assert(false, message);
}
