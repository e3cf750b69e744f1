/**
 * Elections (Raft paper, 5.2 and 5.4.1; thesis, 9.6 for pre-votes).
 *
 * R1: a candidate leads only with the votes of a quorum of each half of the configuration, and a
 * voter votes once per term. R2: a vote (also one's own) counts only when it is durable.
 */

import { assert } from '../base/assert.js';
import { EMPTY } from '../base/bytes.js';
import { newMessage } from './message.js';
import { appendEntries, broadcastAppend } from './replication.js';
import type { RaftState } from './state.js';
import type { Message } from './types.js';

type CampaignKind =
  /** Ask whether an election could be won. */
  | 'preElection'
  | 'election'
  /** The leader asked for it: no pre-election, and voters ignore the lease. */
  | 'transfer';

/**
 * The application asks for an election. With lease-based reads, not while this node has granted a
 * lease to a leader.
 */
export function campaignEarly(raft: RaftState): void {
  if (raft.config.readOnly === 'leaseBased' && raft.inLease) return;
  startCampaign(raft);
}

/** An election timeout. Nothing happens if this node may not campaign now. */
export function startCampaign(raft: RaftState): void {
  campaign(raft, raft.config.preVote ? 'preElection' : 'election');
}

export function campaign(raft: RaftState, kind: CampaignKind): void {
  if (raft.role === 'leader' || !raft.promotable || hasUnappliedConfChange(raft)) return;
  requestVotes(raft, kind);
}

/** A node must not campaign in a configuration that a committed change replaces. */
function hasUnappliedConfChange(raft: RaftState): boolean {
  const { log } = raft;
  let next = log.applied + 1;
  while (next <= log.committed) {
    const page = log.slice(next, log.committed + 1, raft.config.maxSizePerMsg);
    for (const entry of page) if (entry.type === 'confChange') return true;
    next += page.length;
  }
  return false;
}

function requestVotes(raft: RaftState, kind: CampaignKind): void {
  const pre = kind === 'preElection';
  if (pre) raft.becomePreCandidate();
  else raft.becomeCandidate();
  const term = pre ? raft.term + 1 : raft.term;
  const { lastIndex, lastTerm } = raft.log;
  assert(pre || raft.vote === raft.id, `R1 a candidate has voted for itself, not for ${raft.vote}`);
  for (const peer of raft.tracker.peers) {
    if (!raft.tracker.isVoter(peer.id)) continue;
    if (peer.id === raft.id) {
      raft.send(newMessage(pre ? 'MsgPreVoteResp' : 'MsgVoteResp', raft.id, raft.id, term));
      continue;
    }
    const request = newMessage(pre ? 'MsgPreVote' : 'MsgVote', raft.id, peer.id, term);
    request.index = lastIndex;
    request.logTerm = lastTerm;
    request.force = kind === 'transfer';
    raft.send(request);
  }
}

/** A candidate asks for a vote or a pre-vote, in a term that is not lower than this node's. */
export function handleVoteRequest(raft: RaftState, request: Message): void {
  const pre = request.type === 'MsgPreVote';
  const free =
    raft.vote === request.from ||
    (raft.vote === 0 && raft.lead === 0) ||
    // A pre-vote for a later term is no vote yet.
    (pre && request.term > raft.term);
  const granted = free && raft.mayVote && raft.log.isUpToDate(request.index, request.logTerm);
  // A grant is for the requested term; a refusal carries this node's term, in case the candidate's
  // is outdated.
  const response = newMessage(
    pre ? 'MsgPreVoteResp' : 'MsgVoteResp',
    raft.id,
    request.from,
    granted ? request.term : raft.term,
  );
  response.reject = !granted;
  raft.send(response);
  if (granted && !pre) {
    raft.electionElapsed = 0;
    raft.castVote(request.from);
  }
}

/** A candidate or pre-candidate gets a response. */
export function handleVoteResponse(raft: RaftState, response: Message): void {
  raft.tracker.recordVote(response.from, !response.reject);
  const result = raft.tracker.voteResult();
  if (result === 'lost') {
    // This ends the election of the current term; a later term in a response was handled before.
    raft.becomeFollower(raft.term, 0);
  } else if (result === 'won') {
    if (raft.role === 'preCandidate') requestVotes(raft, 'election');
    else win(raft);
  }
}

/**
 * The empty entry commits, along with itself, all that earlier leaders left behind (Raft paper,
 * section 8).
 */
function win(raft: RaftState): void {
  raft.becomeLeader();
  const empty = { term: raft.term, index: raft.log.lastIndex + 1, type: 'normal', data: EMPTY } as const;
  const fits = appendEntries(raft, [empty]);
  assert(fits, 'R3 the first entry of a term is never held back: without it nothing commits');
  broadcastAppend(raft);
}
