/**
 * When configurations take effect: when a change is applied, on each node at its own time, and when
 * a snapshot is installed. (In the thesis a change takes effect when it is appended. Majorities of
 * successive configurations overlap either way.)
 */

import { assert } from '../base/assert.js';
import { EMPTY } from '../base/bytes.js';
import type { LogIndex } from '../base/ids.js';
import { changeConfig } from './confchange.js';
import { RaftError } from './errors.js';
import { proposeEncodedChange } from './proposals.js';
import { confirmReads, releasePostponedReads } from './reads.js';
import { advanceCommit, broadcastAppend, sendAppend } from './replication.js';
import type { RaftState } from './state.js';
import type { ConfChange, ConfState, Snapshot } from './types.js';

/** A committed change is applied. Returns the configuration from now on. */
export function applyConfChange(raft: RaftState, change: ConfChange): ConfState {
  const { tracker } = raft;
  tracker.switchTo(changeConfig(tracker.config, change), raft.log.lastIndex);
  assert(tracker.config.voters.length > 0, 'R1 a change of the configuration leaves a voter');
  if (raft.role === 'leader') leaderSwitched(raft);
  return tracker.config;
}

function leaderSwitched(raft: RaftState): void {
  const { tracker } = raft;
  const own = tracker.get(raft.id);
  if (own === undefined || own.isLearner) {
    // It may go on leading without counting itself until the change is known to all (Raft paper,
    // section 6).
    if (raft.config.stepDownOnRemoval) raft.becomeFollower(raft.term, 0);
    return;
  }
  if (tracker.config.voters.length === 0) return;
  if (advanceCommit(raft)) {
    // A smaller quorum may have more entries.
    releasePostponedReads(raft);
    broadcastAppend(raft);
  } else {
    for (const peer of tracker.peers) if (peer.id !== raft.id) sendAppend(raft, peer, false);
  }
  confirmReads(raft);
  if (!tracker.isVoter(raft.leadTransferee)) raft.leadTransferee = 0;
}

/**
 * The application has applied through `index`. A joint configuration that is due to be left is left
 * now.
 */
export function appliedTo(raft: RaftState, index: LogIndex, size: number): void {
  const applied = Math.max(index, raft.log.applied);
  raft.log.appliedTo(applied, size);
  if (raft.role !== 'leader' || !raft.tracker.config.autoLeave || applied < raft.pendingConfIndex) return;
  try {
    proposeEncodedChange(raft, EMPTY);
  } catch (error) {
    // During a leadership transfer nothing can be proposed; the next applied entry tries again.
    if (!(error instanceof RaftError)) throw error;
  }
}

/** A snapshot was installed. */
export function snapshotInstalled(raft: RaftState, snapshot: Snapshot): void {
  const { index } = snapshot.metadata;
  assert(index <= raft.log.committed, `R3 an installed snapshot is committed: ${index}, commit ${raft.log.committed}`);
  raft.log.stableSnapshotTo(index);
  appliedTo(raft, index, 0);
}

/**
 * A follower is offered a snapshot. False if it is of no use: outdated, not meant for this node, or
 * of a log that is already here, in which case it only tells what is committed (Raft paper, section
 * 7).
 */
export function offerSnapshot(raft: RaftState, snapshot: Snapshot): boolean {
  const { log, tracker } = raft;
  const { index, term, confState } = snapshot.metadata;
  if (index <= log.committed) return false;
  const { voters, votersOutgoing, learners } = confState;
  if (!voters.includes(raft.id) && !votersOutgoing.includes(raft.id) && !learners.includes(raft.id)) return false;
  if (log.matches(index, term)) {
    log.commitTo(index);
    return false;
  }
  log.restore(snapshot);
  tracker.switchTo(confState, index);
  assert(raft.role === 'follower', `R3 a ${raft.role} does not replace its log`);
  return true;
}
