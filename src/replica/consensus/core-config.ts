/** With what the Raft core of a member runs. */

import { MiB } from '../../base/bytes.js';
import type { RaftConfig } from '../../raft/config.js';
import { APPEND_BYTES } from './own-copies.js';

/**
 * A forwarded batch: as many proposals as fit, so that a message stays far below the frame limit.
 */
export const MAX_BATCH_ENTRIES = 1024;
export const MAX_BATCH_BYTES = MiB;
/** Of entries on their way to one follower: what a link and a log take without a pause. */
const WINDOW_BYTES = 16 * MiB;

export function coreConfig(own: Pick<RaftConfig, 'id' | 'random' | 'electionTick' | 'applied'>): RaftConfig {
  return {
    ...own,
    heartbeatTick: 1,
    maxSizePerMsg: APPEND_BYTES,
    maxCommittedSizePerReady: 16 * MAX_BATCH_BYTES,
    maxInflightMsgs: 512,
    maxInflightBytes: WINDOW_BYTES,
    maxUncommittedSize: 256 * MAX_BATCH_BYTES,
    preVote: true,
    checkQuorum: true,
    readOnly: 'safe',
    asyncStorageWrites: true,
    lazyCommit: true,
  };
}
