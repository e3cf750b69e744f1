/**
 * What every message goes through first: the rules about terms (Raft paper, 5.1), then those of the
 * role.
 */

import { assert, unreachable } from '../base/assert.js';
import { handleVoteRequest, startCampaign } from './election.js';
import { payloadOf, sizeOf } from './log.js';
import { appliedTo, snapshotInstalled } from './membership.js';
import { newMessage } from './message.js';
import type { RaftState } from './state.js';
import { stepCandidate } from './step-candidate.js';
import { stepFollower } from './step-follower.js';
import { stepLeader, tickLeader } from './step-leader.js';
import type { Message } from './types.js';

export function step(raft: RaftState, message: Message): void {
  if (message.term !== 0) {
    if (message.term > raft.term) {
      if (!handleHigherTerm(raft, message)) return;
    } else if (message.term < raft.term) {
      handleLowerTerm(raft, message);
      return;
    }
  }
  assert(
    message.term <= raft.term || message.type === 'MsgPreVote' || message.type === 'MsgPreVoteResp',
    'R1 only pre-votes are about a term that this node has not entered',
  );
  switch (message.type) {
    case 'MsgVote':
    case 'MsgPreVote':
      handleVoteRequest(raft, message);
      return;
    case 'MsgStorageAppendResp':
      if (message.index !== 0) raft.log.stableTo(message.index, message.logTerm);
      if (message.snapshot !== undefined) snapshotInstalled(raft, message.snapshot);
      return;
    case 'MsgStorageApplyResp':
      handleApplied(raft, message);
      return;
    default:
      stepRole(raft, message);
  }
}

function stepRole(raft: RaftState, message: Message): void {
  const { role } = raft;
  switch (role) {
    case 'leader':
      stepLeader(raft, message);
      return;
    case 'follower':
      stepFollower(raft, message);
      return;
    case 'candidate':
    case 'preCandidate':
      stepCandidate(raft, message);
      return;
    default:
      unreachable(role);
  }
}

/** Returns whether the message is to be handled any further. */
function handleHigherTerm(raft: RaftState, message: Message): boolean {
  switch (message.type) {
    case 'MsgPreVote':
      return message.force || !raft.inLease;
    case 'MsgVote':
      // A node that was partitioned must not depose a leader that the others hear (thesis, 4.2.3).
      if (raft.inLease && !message.force) return false;
      raft.becomeFollower(message.term, 0);
      return true;
    case 'MsgPreVoteResp':
      // A grant carries the requested term, which nobody has entered yet.
      if (message.reject) raft.becomeFollower(message.term, 0);
      return true;
    case 'MsgApp':
    case 'MsgHeartbeat':
    case 'MsgSnap':
      raft.becomeFollower(message.term, message.from);
      return true;
    default:
      raft.becomeFollower(message.term, 0);
      return true;
  }
}

function handleLowerTerm(raft: RaftState, message: Message): void {
  const { type } = message;
  if ((type === 'MsgApp' || type === 'MsgHeartbeat') && (raft.config.checkQuorum || raft.config.preVote)) {
    // The sender cannot learn of the later term from vote requests, which may be ignored (thesis,
    // 4.2.3) or never sent (9.6): it is told so that it steps down.
    raft.send(raft.message('MsgAppResp', message.from));
  } else if (type === 'MsgPreVote') {
    const response = newMessage('MsgPreVoteResp', raft.id, message.from, raft.term);
    response.reject = true;
    raft.send(response);
  } else if (type === 'MsgStorageAppendResp' && message.snapshot !== undefined) {
    // Entries written in an earlier term may have been replaced since; a snapshot is committed
    // state.
    snapshotInstalled(raft, message.snapshot);
  }
}

function handleApplied(raft: RaftState, message: Message): void {
  const { entries } = message;
  const last = entries[entries.length - 1];
  if (last === undefined) return;
  appliedTo(raft, last.index, sizeOf(entries));
  raft.subtractUncommitted(payloadOf(entries));
}

/** Time passes: the only other input besides messages. */
export function tick(raft: RaftState): void {
  raft.countTick();
  if (raft.role === 'leader') {
    tickLeader(raft);
  } else if (raft.electionElapsed >= raft.electionTimeout && raft.promotable) {
    raft.electionElapsed = 0;
    startCampaign(raft);
  }
}
