/**
 * Whether a change of the members is safe at this moment, as the leader sees it. What cannot cost
 * the cluster its quorum is never refused: a learner has no vote, so it may always be added, and a
 * voter may be added, promoted or removed as long as those that are known to be alive are a
 * majority afterwards, whoever else is down. `refusalOf` (`state/members.ts`) says what is never
 * valid; this is about now.
 */

import { assert } from '../base/assert.js';
import type { EtcdErrorCode } from '../api/etcd-error.js';
import type { LogIndex, NodeId } from '../base/ids.js';
import { changeConfig } from '../raft/confchange.js';
import type { ProgressStatus } from '../raft/types.js';
import { confChangeOf, type MemberChange, type Members } from './state/members.js';

/** What the leader knows of the others. */
export interface Health {
  /** Heard from of late, itself included. */
  readonly alive: ReadonlySet<NodeId>;
  /** They have said once who they are. */
  readonly started: ReadonlySet<NodeId>;
}

/** How far a learner may be behind what is committed. Also within a tenth of it, as in etcd. */
const IN_SYNC_ENTRIES = 4_096;

/** How far the log is. */
export interface Reached {
  readonly commit: LogIndex;
  /** The entry that made the follower a member. */
  readonly since: LogIndex;
}

/**
 * The follower has the log but for a little, and all that came before it was let in: what the
 * member that it takes the place of may have promised is on its disk, too.
 */
export function isInSync(progress: ProgressStatus | undefined, { commit, since }: Reached): boolean {
  if (progress?.state !== 'replicate' || progress.match < since) return false;
  return commit - progress.match <= IN_SYNC_ENTRIES && progress.match >= 0.9 * commit;
}

/** Undefined: nothing speaks against it. A learner that is to be promoted is in sync. */
export function quorumAtRisk({ confState }: Members, change: MemberChange, health: Health): EtcdErrorCode | undefined {
  const after = changeConfig(confState, confChangeOf(change)).voters;
  assert(after.length > 0, 'R1 a change of the members leaves a voter');
  const same = after.length === confState.voters.length && after.every((id) => confState.voters.includes(id));
  // As in etcd: the second voter of two cannot be there before it is added.
  if (same || (change.kind === 'add' && confState.voters.length === 1)) return undefined;
  const promoted = change.kind === 'promote' || change.kind === 'replace' ? change.id : 0;
  const quorum = Math.floor(after.length / 2) + 1;
  const count = (of: ReadonlySet<NodeId>): number => after.filter((id) => id === promoted || of.has(id)).length;
  if (count(health.started) < quorum) return 'NOT_ENOUGH_STARTED';
  return count(health.alive) < quorum ? 'UNHEALTHY' : undefined;
}
