/**
 * The rules of candidates and pre-candidates (Raft paper, 5.2): count votes, and give way to
 * whoever leads the term already.
 */

import { handleVoteResponse } from './election.js';
import { followOrDrop } from './proposals.js';
import type { RaftState } from './state.js';
import { handleFromLeader } from './step-follower.js';
import type { Message } from './types.js';

export function stepCandidate(raft: RaftState, message: Message): void {
  switch (message.type) {
    case 'MsgApp':
    case 'MsgHeartbeat':
    case 'MsgSnap':
      raft.becomeFollower(raft.term, message.from);
      handleFromLeader(raft, message);
      return;
    case 'MsgVoteResp':
      if (raft.role === 'candidate') handleVoteResponse(raft, message);
      return;
    case 'MsgPreVoteResp':
      if (raft.role === 'preCandidate') handleVoteResponse(raft, message);
      return;
    case 'MsgProp':
      followOrDrop(raft, message);
      return;
    default:
    // There is no leader to pass a read or a transfer on to, and an election is already going on.
  }
}
