/**
 * How a leader makes the others' logs equal to its own (Raft paper, 5.3) and learns what is
 * committed (5.4.2).
 */

import { assert } from '../base/assert.js';
import { codeOf } from '../base/errors.js';
import { payloadOf } from './log.js';
import { broken } from './errors.js';
import type { Progress } from './progress.js';
import type { LogIndex } from '../base/ids.js';
import type { RaftState } from './state.js';
import type { Entry, Snapshot } from './types.js';
import { NO_ENTRIES } from './unstable.js';

/**
 * Sends the next entries, or if `evenIfEmpty` an empty append with the commit index. False if
 * nothing was sent: the follower is paused, has everything, or needs a snapshot that is not
 * available now.
 */
export function sendAppend(raft: RaftState, peer: Progress, evenIfEmpty: boolean): boolean {
  if (peer.paused) return false;
  const { log, config } = raft;
  const prevIndex = peer.next - 1;
  const prevTerm = log.term(prevIndex);
  if (prevTerm === undefined || peer.next < log.firstIndex) return sendSnapshot(raft, peer);
  const windowFull = peer.state === 'replicate' && peer.inflights.full;
  const entries = windowFull ? NO_ENTRIES : entriesFor(raft, peer, config.maxSizePerMsg);
  if (entries === undefined) return sendSnapshot(raft, peer);
  if (entries.length === 0 && !evenIfEmpty) return false;

  const first = entries[0];
  if (first !== undefined && first.index !== peer.next) broken(`R3 an append goes on at ${peer.next}, not at ${first.index}`);
  const message = raft.message('MsgApp', peer.id);
  message.index = prevIndex;
  message.logTerm = prevTerm;
  message.entries = entries;
  message.commit = log.committed;
  raft.send(message);
  peer.sentAppend(entries.length, payloadOf(entries), log.committed);
  return true;
}

/**
 * Undefined if they are compacted, whatever storage says of its first index; none while storage
 * cannot read them.
 */
function entriesFor({ log }: RaftState, peer: Progress, maxSize: number): readonly Entry[] | undefined {
  try {
    return log.entriesFrom(peer.next, maxSize);
  } catch (error) {
    if (codeOf(error) === 'COMPACTED') return undefined;
    if (codeOf(error) === 'UNREADABLE') return NO_ENTRIES;
    throw error;
  }
}

/**
 * Not to a node that has not responded lately: it could be dead, and would not be probed while the
 * snapshot is on its way.
 */
function sendSnapshot(raft: RaftState, peer: Progress): boolean {
  if (!peer.recentActive) return false;
  let snapshot: Snapshot;
  try {
    snapshot = raft.log.snapshot();
  } catch (error) {
    if (codeOf(error) === 'SNAPSHOT_UNAVAILABLE') return false;
    throw error;
  }
  const { index } = snapshot.metadata;
  assert(index > 0, 'a snapshot to send is not empty');
  peer.becomeSnapshot(index);
  const message = raft.message('MsgSnap', peer.id);
  message.snapshot = snapshot;
  raft.send(message);
  return true;
}

export function broadcastAppend(raft: RaftState): void {
  for (const peer of raft.tracker.peers) if (peer.id !== raft.id) sendAppend(raft, peer, true);
}

/** The commit index has moved: those are told at once at which somebody waits for it. */
export function broadcastCommit(raft: RaftState): void {
  if (!raft.config.lazyCommit) return broadcastAppend(raft);
  for (const peer of raft.tracker.peers) {
    if (peer.id !== raft.id) sendAppend(raft, peer, peer.state !== 'replicate' || peer.isAwaiting);
  }
}

/** Whether a follower that takes appends knows less than `commit` to be committed, and could. */
export function isCommitUntold(raft: RaftState, commit: LogIndex): boolean {
  if (raft.role !== 'leader' || !raft.config.lazyCommit) return false;
  for (const peer of raft.tracker.peers) if (isUntold(raft, peer, commit)) return true;
  return false;
}

/** Followers that were told of less than `commit` are told of all that is committed. */
export function tellCommit(raft: RaftState, commit: LogIndex): void {
  if (!isCommitUntold(raft, commit)) return;
  for (const peer of raft.tracker.peers) if (isUntold(raft, peer, commit)) sendAppend(raft, peer, true);
}

function isUntold(raft: RaftState, peer: Progress, commit: LogIndex): boolean {
  return peer.id !== raft.id && peer.state === 'replicate' && !peer.paused && peer.canBumpCommit(commit);
}

/** Starts a heartbeat round. */
export function broadcastHeartbeat(raft: RaftState): void {
  const round = raft.reads.startRound();
  for (const peer of raft.tracker.peers) {
    if (peer.id === raft.id) continue;
    const message = raft.message('MsgHeartbeat', peer.id);
    // Never beyond what the follower is known to have: its log may differ there, or end before.
    message.commit = Math.min(peer.match, raft.log.committed);
    message.round = round;
    raft.send(message);
    peer.sentHeartbeat(message.commit);
  }
}

/**
 * R3 an entry is committed once a quorum has it *and* it is of the leader's own term. An entry of
 * an earlier term may still be overwritten although a majority has it (Raft paper, figure 8); it is
 * committed along with a later one.
 */
export function advanceCommit(raft: RaftState): boolean {
  const { log, tracker } = raft;
  const index = tracker.committed();
  if (index === Infinity || index <= log.committed || !log.matches(index, raft.term)) return false;
  log.commitTo(index);
  return true;
}

/**
 * Whether the leader has committed an entry of its term, and so knows the commit index (thesis,
 * 6.4).
 */
export function hasCommittedInTerm(raft: RaftState): boolean {
  return raft.log.matches(raft.log.committed, raft.term);
}

/**
 * Appends entries that are already numbered. False if the uncommitted log would become too large.
 * An empty payload is always accepted (elections and leaving a joint configuration depend on it),
 * and so is anything while nothing else is uncommitted.
 */
export function appendEntries(raft: RaftState, entries: readonly Entry[]): boolean {
  const first = entries[0];
  if (first !== undefined && first.term !== raft.term) broken(`R3 a leader of term ${raft.term} appends its own entries, not of ${first.term}`);
  const payload = payloadOf(entries);
  const { uncommittedBytes } = raft;
  if (uncommittedBytes > 0 && payload > 0 && uncommittedBytes + payload > raft.config.maxUncommittedSize) return false;
  raft.addUncommitted(payload);
  raft.log.append(entries);
  // R2 the leader counts itself only when the entries are durable: it acknowledges them to itself
  // as a follower does.
  const ack = raft.message('MsgAppResp', raft.id);
  ack.index = raft.log.lastIndex;
  raft.send(ack);
  return true;
}

/**
 * The target of a transfer may campaign, although voters have granted this leader a lease (thesis,
 * 3.10).
 */
export function sendTimeoutNow(raft: RaftState, target: Progress): void {
  assert(target.id === raft.leadTransferee, `leadership goes to ${raft.leadTransferee}, not to ${target.id}`);
  assert(target.match === raft.log.lastIndex, 'R3 who is to take over has the whole log');
  raft.reads.giveUpLease();
  raft.send(raft.message('MsgTimeoutNow', target.id));
}
