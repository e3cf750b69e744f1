/**
 * When configurations take effect: when a change is applied, on each node at its own time, and when
 * a snapshot is installed. (In the thesis a change takes effect when it is appended. Majorities of
 * successive configurations overlap either way.)
 */

import { assert } from '../base/assert.js';
import { EMPTY } from '../base/bytes.js';
import type { LogIndex } from '../base/ids.js';
import { changeConfig, isSameConfig } from './confchange.js';
import { RaftError } from './errors.js';
import { proposeEncodedChange } from './proposals.js';
import { confirmReads, releasePostponedReads } from './reads.js';
import { advanceCommit, broadcastAppend, sendAppend, tellCommit } from './replication.js';
import type { RaftState } from './state.js';
import type { ConfChange, ConfState, Snapshot } from './types.js';

/** A committed change is applied. Returns the configuration from now on. */
export function applyConfChange(raft: RaftState, change: ConfChange): ConfState {
  return switchConfig(raft, changeConfig(raft.tracker.config, change));
}

/**
 * All up to `index` is applied, and the configuration is this one. R1 Whoever knows a later one
 * from a snapshot keeps that.
 */
export function adoptConfig(raft: RaftState, config: ConfState, index: LogIndex): void {
  if (index < raft.configIndex) return;
  raft.configIndex = index;
  if (!isSameConfig(config, raft.tracker.config)) switchConfig(raft, config);
}

function switchConfig(raft: RaftState, config: ConfState): ConfState {
  const { tracker } = raft;
  tracker.switchTo(config, raft.log.lastIndex);
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
    if (!raft.config.stepDownOnRemoval) return;
    // Afterwards nobody could tell them: by what they know they may need its vote.
    tellCommit(raft, raft.log.committed);
    raft.becomeFollower(raft.term, 0);
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
 * A follower is offered a snapshot. False if it is of no use: outdated, or of a log that is already
 * here, in which case it only tells what is committed (Raft paper, section 7). It may be from
 * before this node was added: the log that follows it has that change.
 */
export function offerSnapshot(raft: RaftState, snapshot: Snapshot): boolean {
  const { log, tracker } = raft;
  const { index, term, confState } = snapshot.metadata;
  if (index <= log.committed) return false;
  if (log.matches(index, term)) {
    log.commitTo(index);
    return false;
  }
  log.restore(snapshot);
  tracker.switchTo(confState, index);
  raft.configIndex = index;
  assert(raft.role === 'follower', `R3 a ${raft.role} does not replace its log`);
  return true;
}
