/** A node's settings: checked and completed once, when the node is made. */

import { assert } from '../base/assert.js';
import { MiB } from '../base/bytes.js';
import type { Random } from '../base/env.js';
import type { LogIndex, NodeId } from '../base/ids.js';

export interface RaftConfig {
  /** Not 0. */
  readonly id: NodeId;
  /** Draws election timeouts. */
  readonly random: Pick<Random, 'float'>;
  /**
   * Ticks without a leader before an election; each node draws from [electionTick, 2 *
   * electionTick). Default 10.
   */
  readonly electionTick?: number;
  /** Ticks between heartbeats, below `electionTick`. Default 1. */
  readonly heartbeatTick?: number;
  /**
   * The index through which the application has applied already. Default 0: what the log's start
   * says.
   */
  readonly applied?: LogIndex;
  /** Bytes of entries in one append message, which has at least one entry. Default 1 MiB. */
  readonly maxSizePerMsg?: number;
  /**
   * Bytes of entries given out for applying and not yet reported as applied. Default
   * `maxSizePerMsg`.
   */
  readonly maxCommittedSizePerReady?: number;
  /** Append messages on their way to one follower. Default 256. */
  readonly maxInflightMsgs?: number;
  /**
   * Payload bytes on their way to one follower; the message that crosses the limit is the last.
   * Default unlimited.
   */
  readonly maxInflightBytes?: number;
  /**
   * Payload bytes a leader takes before it has seen them applied; further proposals are dropped.
   * Default unlimited.
   */
  readonly maxUncommittedSize?: number;
  /** Reads waiting for confirmation; further ones are dropped. Default 4096. */
  readonly maxPendingReads?: number;
  /** Ask before raising the term (thesis, 9.6). Default true. */
  readonly preVote?: boolean;
  /**
   * A leader that does not hear from a quorum steps down; followers ignore candidates while they
   * hear the leader. Default true.
   */
  readonly checkQuorum?: boolean;
  /**
   * `leaseBased` answers reads without a round while the lease holds; needs `checkQuorum`. Default
   * `safe`.
   */
  readonly readOnly?: 'safe' | 'leaseBased';
  /** A follower drops proposals instead of passing them to the leader. Default false. */
  readonly disableProposalForwarding?: boolean;
  /** Let configuration changes into the log unchecked. For tests. Default false. */
  readonly disableConfChangeValidation?: boolean;
  /** A leader that is removed or demoted becomes a follower at once. Default true. */
  readonly stepDownOnRemoval?: boolean;
  /** Write through `MsgStorageAppend` and `MsgStorageApply` instead of `advance`. Default false. */
  readonly asyncStorageWrites?: boolean;
  /**
   * A follower at which nobody waits is told of a new commit index with what it is sent next, or by
   * `tellCommit`; by default it is told at once, by a message that says nothing else.
   */
  readonly lazyCommit?: boolean;
}

export type ResolvedConfig = Required<RaftConfig>;

export function resolveConfig(config: RaftConfig): ResolvedConfig {
  const maxSizePerMsg = config.maxSizePerMsg ?? MiB;
  const resolved: ResolvedConfig = {
    id: config.id,
    random: config.random,
    electionTick: config.electionTick ?? 10,
    heartbeatTick: config.heartbeatTick ?? 1,
    applied: config.applied ?? 0,
    maxSizePerMsg,
    maxCommittedSizePerReady: config.maxCommittedSizePerReady ?? maxSizePerMsg,
    maxInflightMsgs: config.maxInflightMsgs ?? 256,
    maxInflightBytes: config.maxInflightBytes ?? Infinity,
    maxUncommittedSize: config.maxUncommittedSize ?? Infinity,
    maxPendingReads: config.maxPendingReads ?? 4096,
    preVote: config.preVote ?? true,
    checkQuorum: config.checkQuorum ?? true,
    readOnly: config.readOnly ?? 'safe',
    disableProposalForwarding: config.disableProposalForwarding ?? false,
    disableConfChangeValidation: config.disableConfChangeValidation ?? false,
    stepDownOnRemoval: config.stepDownOnRemoval ?? true,
    asyncStorageWrites: config.asyncStorageWrites ?? false,
    lazyCommit: config.lazyCommit ?? false,
  };
  assert(Number.isSafeInteger(resolved.id) && resolved.id > 0, 'a node has an id above 0');
  assert(Number.isSafeInteger(resolved.heartbeatTick) && resolved.heartbeatTick > 0, 'heartbeatTick is a whole number above 0');
  assert(Number.isSafeInteger(resolved.electionTick), 'electionTick is a whole number');
  assert(resolved.electionTick > resolved.heartbeatTick, 'electionTick is above heartbeatTick');
  assert(resolved.maxInflightMsgs > 0, 'maxInflightMsgs is above 0');
  assert(resolved.maxSizePerMsg >= 0 && resolved.maxCommittedSizePerReady >= 0, 'sizes of messages are not below 0');
  assert(resolved.maxInflightBytes > 0 && resolved.maxUncommittedSize >= 0, 'sizes of windows are not below 0');
  assert(resolved.maxPendingReads > 0, 'maxPendingReads is above 0');
  assert(Number.isSafeInteger(resolved.applied) && resolved.applied >= 0, 'applied is a log index');
  assert(resolved.readOnly === 'safe' || resolved.checkQuorum, 'lease-based reads need checkQuorum');
  return resolved;
}
