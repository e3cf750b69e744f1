/** The Raft core as a member runs it: what of its options is the same for every member. */

import { assert } from '../../base/assert.js';
import type { Random } from '../../base/env.js';
import { MiB } from '../../base/bytes.js';
import type { LogIndex } from '../../base/ids.js';
import { RaftNode } from '../../raft/node.js';
import { CoreLog, type CoreLogParts, type Snapshots } from './core-log.js';
import { APPEND_BYTES } from './own-copies.js';

/** Where the core begins. */
export interface RaftStart {
  readonly applied: LogIndex;
  readonly commit: LogIndex;
}

/** Of entries on their way to one follower: what a link and a log take without a pause. */
const WINDOW_BYTES = 16 * MiB;

export function makeCore(
  parts: CoreLogParts & { readonly env: { readonly random: Random } }, snapshots: Snapshots, start: RaftStart, electionTick: number,
): RaftNode {
  assert(start.applied <= start.commit, `R3 what is applied (${start.applied}) is committed (${start.commit})`);
  return new RaftNode(
    {
      id: parts.membership.self,
      random: parts.env.random,
      electionTick,
      heartbeatTick: 1,
      applied: start.applied,
      maxSizePerMsg: APPEND_BYTES,
      maxCommittedSizePerReady: 16 * MiB,
      maxInflightMsgs: 512,
      maxInflightBytes: WINDOW_BYTES,
      maxUncommittedSize: 256 * MiB,
      preVote: true,
      checkQuorum: true,
      readOnly: 'safe',
      asyncStorageWrites: true,
      lazyCommit: true,
    },
    new CoreLog(parts, snapshots, start.commit),
  );
}
