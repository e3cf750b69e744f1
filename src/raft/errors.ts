/** What the core may refuse. Each code says what the caller may do; none of them changes the core's state. */

import { assert } from '../base/assert.js';
import { KintsugiError } from '../base/errors.js';

type RaftErrorCode =
  /** No leader is known, the leader is handing over, or its uncommitted log is full. Try again later. */
  | 'PROPOSAL_DROPPED'
  /** A response from a node outside the configuration. Drop it. */
  | 'PEER_NOT_FOUND'
  /** A message that must never come over the network. Drop it and mistrust the sender. */
  | 'LOCAL_MESSAGE'
  /** The configuration change is not allowed from the present configuration. */
  | 'INVALID_CONF_CHANGE'
  /** Thrown by a `LogStorage`: the snapshot is not ready. The core asks again by itself. */
  | 'SNAPSHOT_UNAVAILABLE'
  /** Thrown by a `LogStorage`: the entry was compacted away. */
  | 'COMPACTED'
  /** Thrown by a `LogStorage`: the entry is beyond the end of the log. */
  | 'UNAVAILABLE';

export class RaftError extends KintsugiError<RaftErrorCode> {
  override readonly name = 'RaftError';
}

/** A broken invariant on a hot path, where building `assert`'s message each time would cost more than the check. */
export function broken(message: string): never {
  assert(false, message);
}
