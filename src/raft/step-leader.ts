/** The rules of a leader (Raft paper, figure 2): proposals, reads, replication, transfer. */

import { assert } from '../base/assert.js';
import { broken } from './errors.js';
import type { Progress } from './progress.js';
import { leaderHandleProposal } from './proposals.js';
import { confirmReads, leaderHandleRead, releasePostponedReads } from './reads.js';
import { advanceCommit, broadcastCommit, broadcastHeartbeat, sendAppend, sendTimeoutNow } from './replication.js';
import type { RaftState } from './state.js';
import type { Message } from './types.js';

export function stepLeader(raft: RaftState, message: Message): void {
  if (raft.lead !== raft.id) broken(`R1 who leads term ${raft.term} knows it: ${raft.lead} is not ${raft.id}`);
  if (message.type === 'MsgProp') {
    leaderHandleProposal(raft, message);
    raft.tracker.get(message.from)?.awaits(raft.log.lastIndex);
    return;
  }
  if (message.type === 'MsgReadIndex') {
    leaderHandleRead(raft, message);
    return;
  }
  const peer = raft.tracker.get(message.from);
  if (peer === undefined) return;
  switch (message.type) {
    case 'MsgAppResp':
      peer.recentActive = true;
      if (message.reject) handleRejection(raft, peer, message);
      else handleAck(raft, peer, message);
      return;
    case 'MsgHeartbeatResp':
      handleHeartbeatResponse(raft, peer, message);
      return;
    case 'MsgTransferLeader':
      startTransfer(raft, peer);
      return;
    case 'MsgApp':
    case 'MsgHeartbeat':
    case 'MsgSnap':
      broken(`R1 one leader per term: ${raft.id} and ${message.from} in term ${raft.term}`);
      return;
    default:
    // Late votes.
  }
}

/**
 * The follower's log differs. Its hint skips the entries whose terms the leader's log cannot have;
 * the leader's own terms skip those that the follower's cannot have. Together that is at most one
 * probe per term (Raft paper, end of 5.3).
 */
function handleRejection(raft: RaftState, peer: Progress, message: Message): void {
  let hint = message.rejectHint;
  if (message.logTerm > 0) hint = raft.log.lastIndexWithTermAtMost(hint, message.logTerm);
  if (!peer.rejectedAt(message.index, hint)) return;
  if (peer.state === 'replicate') peer.becomeProbe();
  sendAppend(raft, peer, true);
}

function handleAck(raft: RaftState, peer: Progress, message: Message): void {
  const { log } = raft;
  const news = peer.acknowledge(message.index);
  if (!news && !(peer.match === message.index && peer.state === 'probe')) return;
  if (peer.state === 'probe') {
    peer.becomeReplicate();
  } else if (peer.state === 'snapshot') {
    // Once the follower's log reaches the leader's first entry, it needs no snapshot.
    if (peer.match + 1 >= log.firstIndex) peer.becomeReplicate();
  } else {
    peer.inflights.freeThrough(message.index);
  }

  const other = peer.id !== raft.id;
  if (!other && !log.isStored(peer.match)) broken(`R2 a leader counts itself for entry ${peer.match} once it is durable`);
  if (advanceCommit(raft)) {
    releasePostponedReads(raft);
    broadcastCommit(raft);
  } else if (other && peer.canBumpCommit(log.committed) && (!raft.config.lazyCommit || peer.isAwaiting)) {
    sendAppend(raft, peer, true);
  }
  if (!other) return;
  // The window may have room for more than one message now.
  while (sendAppend(raft, peer, false));
  if (peer.id === raft.leadTransferee && peer.match === log.lastIndex) sendTimeoutNow(raft, peer);
}

function handleHeartbeatResponse(raft: RaftState, peer: Progress, message: Message): void {
  peer.recentActive = true;
  peer.unpause();
  if (peer.match < raft.log.lastIndex || peer.state === 'probe') sendAppend(raft, peer, true);
  if (message.round <= peer.ackedRound) return;
  peer.ackedRound = message.round;
  confirmReads(raft);
}

/**
 * A leadership transfer (thesis, 3.10): first the target's log is completed, then it is told to
 * campaign.
 */
function startTransfer(raft: RaftState, target: Progress): void {
  if (target.isLearner || target.id === raft.leadTransferee) return;
  raft.leadTransferee = 0;
  if (target.id === raft.id) return;
  // The transfer is aborted after an election timeout from now.
  raft.electionElapsed = 0;
  assert(raft.tracker.isVoter(target.id), `R1 only a voter takes over, not ${target.id}`);
  raft.leadTransferee = target.id;
  if (target.match === raft.log.lastIndex) sendTimeoutNow(raft, target);
  else sendAppend(raft, target, true);
}

/** A tick of a leader. */
export function tickLeader(raft: RaftState): void {
  assert(raft.electionElapsed <= raft.config.electionTick, 'a leader checks its quorum in every election timeout');
  assert(raft.heartbeatElapsed < raft.config.heartbeatTick, 'a leader sends heartbeats in every heartbeat interval');
  raft.reads.tick();
  raft.heartbeatElapsed++;
  if (raft.electionElapsed >= raft.config.electionTick) {
    raft.electionElapsed = 0;
    if (raft.config.checkQuorum) checkQuorum(raft);
    if (raft.role !== 'leader') return;
    raft.leadTransferee = 0;
  }
  if (raft.heartbeatElapsed >= raft.config.heartbeatTick) {
    raft.heartbeatElapsed = 0;
    broadcastHeartbeat(raft);
  }
}

/**
 * A leader that a quorum does not answer may have been replaced long ago: it stops taking requests
 * (thesis, 6.2).
 */
function checkQuorum(raft: RaftState): void {
  assert(raft.tracker.get(raft.id)?.recentActive !== false, 'a leader has always heard from itself');
  if (!raft.tracker.quorumActive()) {
    raft.becomeFollower(raft.term, 0);
    return;
  }
  for (const peer of raft.tracker.peers) if (peer.id !== raft.id) peer.recentActive = false;
}
