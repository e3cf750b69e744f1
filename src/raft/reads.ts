/**
 * R4 linearizable reads: where a request goes, and when it is answered. See {@link ReadOnly} for
 * why that is enough.
 */

import { assert } from '../base/assert.js';
import type { LogIndex } from '../base/ids.js';
import type { ReadRequest } from './read-only.js';
import { broadcastHeartbeat, hasCommittedInTerm, sendAppend } from './replication.js';
import type { RaftState } from './state.js';

/**
 * The leader is asked for a read index, by itself or by a follower. False if too many wait already.
 */
export function leaderHandleRead(raft: RaftState, request: ReadRequest): boolean {
  // Until it has committed an entry of its term, a leader may not know of all that was acknowledged
  // before.
  if (hasCommittedInTerm(raft)) return admit(raft, request);
  if (raft.reads.isFull) return false;
  raft.reads.postpone(request);
  return true;
}

function admit(raft: RaftState, request: ReadRequest): boolean {
  const { reads, log, config } = raft;
  assert(hasCommittedInTerm(raft), 'R4 a leader that gives read indexes has committed in its term');
  if (config.readOnly === 'leaseBased' && reads.leaseHolds(raft.tracker.confirmedRound(raft.id))) {
    answer(raft, request, log.committed);
    return true;
  }
  if (reads.isFull) return false;
  if (!reads.roundOpen) broadcastHeartbeat(raft);
  reads.add(log.committed, request);
  confirmReads(raft);
  return true;
}

/** Answers the reads whose round a quorum has confirmed by now. */
export function confirmReads(raft: RaftState): void {
  if (raft.reads.isEmpty) return;
  const confirmed = raft.tracker.confirmedRound(raft.id);
  for (const read of raft.reads.takeConfirmed(confirmed)) answer(raft, read, read.index);
}

/** The commit index has moved: reads that waited for the first commit of the term are admitted. */
export function releasePostponedReads(raft: RaftState): void {
  if (!hasCommittedInTerm(raft)) return;
  for (const request of raft.reads.takePostponed()) admit(raft, request);
}

function answer(raft: RaftState, request: ReadRequest, index: LogIndex): void {
  assert(raft.role === 'leader', 'R4 only a leader gives read indexes');
  assert(index <= raft.log.committed, 'R4 a read index is committed');
  if (request.from === 0 || request.from === raft.id) {
    raft.readStates.push({ index, context: request.context });
    return;
  }
  const peer = raft.tracker.get(request.from);
  peer?.awaits(index);
  if (raft.config.lazyCommit && peer?.isAwaiting === true) sendAppend(raft, peer, true);
  const response = raft.message('MsgReadIndexResp', request.from);
  response.index = index;
  response.context = request.context;
  raft.send(response);
}
