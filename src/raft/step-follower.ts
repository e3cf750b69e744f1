/**
 * The rules of a follower (Raft paper, figure 2): it follows whoever leads its term, and passes on
 * what only a leader can do.
 */

import { assert } from '../base/assert.js';
import { campaign } from './election.js';
import { broken } from './errors.js';
import { offerSnapshot } from './membership.js';
import { followOrDrop } from './proposals.js';
import type { RaftState } from './state.js';
import type { Message } from './types.js';

export function stepFollower(raft: RaftState, message: Message): void {
  switch (message.type) {
    case 'MsgApp':
    case 'MsgHeartbeat':
    case 'MsgSnap':
      if (raft.lead !== 0 && raft.lead !== message.from) {
        broken(`R1 one leader per term: ${raft.lead} and ${message.from} in term ${raft.term}`);
      }
      raft.electionElapsed = 0;
      raft.follow(message.from);
      handleFromLeader(raft, message);
      return;
    case 'MsgProp':
      followOrDrop(raft, message);
      return;
    case 'MsgTransferLeader':
      // With a term, so that it is dropped once that leader is deposed.
      if (raft.lead !== 0) raft.send({ ...message, to: raft.lead, term: raft.term });
      return;
    case 'MsgReadIndex':
      if (raft.lead !== 0) raft.send({ ...message, to: raft.lead });
      return;
    case 'MsgReadIndexResp':
      raft.readStates.push({ index: message.index, context: message.context });
      return;
    case 'MsgTimeoutNow':
      campaign(raft, 'transfer');
      return;
    default:
    // Responses to what this node sent in another role.
  }
}

/** A message from the leader of this term. */
export function handleFromLeader(raft: RaftState, message: Message): void {
  assert(raft.role === 'follower' && raft.lead === message.from, 'R1 a node obeys the leader that it follows, and nobody else');
  if (message.type === 'MsgApp') handleAppend(raft, message);
  else if (message.type === 'MsgHeartbeat') handleHeartbeat(raft, message);
  else handleSnapshot(raft, message);
}

function handleAppend(raft: RaftState, message: Message): void {
  const { log } = raft;
  const response = raft.message('MsgAppResp', message.from);
  if (message.index < log.committed) {
    // Outdated. What is committed is in the log of every later leader.
    response.index = log.committed;
  } else if (log.tryAppend(message.index, message.logTerm, message.entries, message.commit)) {
    response.index = message.index + message.entries.length;
    if (response.index > log.lastIndex) broken(`R2 ${response.index} is acknowledged, but the log ends at ${log.lastIndex}`);
  } else {
    const hint = log.lastIndexWithTermAtMost(Math.min(message.index, log.lastIndex), message.logTerm);
    if (hint > message.index) broken(`R3 a refusal of ${message.index} hints at no later entry than that: ${hint}`);
    response.index = message.index;
    response.reject = true;
    response.rejectHint = hint;
    response.logTerm = log.term(hint) ?? 0;
  }
  raft.send(response);
}

function handleHeartbeat(raft: RaftState, message: Message): void {
  raft.log.commitTo(message.commit);
  const response = raft.message('MsgHeartbeatResp', message.from);
  response.round = message.round;
  raft.send(response);
}

function handleSnapshot(raft: RaftState, message: Message): void {
  const { log } = raft;
  const installed = message.snapshot !== undefined && offerSnapshot(raft, message.snapshot);
  const response = raft.message('MsgAppResp', message.from);
  response.index = installed ? log.lastIndex : log.committed;
  assert(response.index === log.committed, 'R3 an accepted snapshot is all of the log, and committed');
  raft.send(response);
}
