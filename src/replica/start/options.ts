/**
 * What a replica is opened with. All of it is decided by the shell; nothing here is replicated but
 * the settings.
 */

import type { Env } from '../../base/env.js';
import type { ClusterVersion, NodeId } from '../../base/ids.js';
import type { TreeSettings } from '../../storage/base/settings.js';
import type { MemberConfig } from '../base/member-config.js';
import type { Outlook } from '../log-recovery/outlook.js';
import type { HealingHooks } from '../hooks/healing-hooks.js';

export interface ReplicaOptions {
  readonly env: Env;
  readonly healing: HealingHooks;
  readonly self: NodeId;
  readonly clusterId: bigint;
  /** With whom the log began, this node among them unless it joins; equal on every member. */
  readonly members: readonly MemberConfig[];
  /**
   * This member joins a cluster that is running: its members, itself included, as they were when it
   * asked. Then `members` are those with whom the log began.
   */
  readonly joins?: readonly MemberConfig[];
  /** Refuse changes of the members that could cost the quorum. Default true. */
  readonly strictReconfig?: boolean;
  /**
   * A member that cannot know what it has promised (MISSING, UNREADABLE, LOG_MISSING, EMPTIED,
   * ROLLED_BACK) asks by itself to be re-admitted as a new one: `open` or `start` then rejects with
   * READMISSION, and it is opened again under the identity that its disk says
   * (`identityOnDisk`). Default false.
   */
  readonly autoRecover?: boolean;
  /** What this node tells the others and its clients. */
  readonly clientUrls: readonly string[];
  /** What a new cluster starts with; ignored once the bootstrap entry is applied. */
  readonly settings: TreeSettings;
  /** Default 100. */
  readonly heartbeatMs: number;
  /** Default 1000. */
  readonly electionMs: number;
  readonly logSegmentBytes: number;
  /** The newest version of the cluster that this member knows. Default: the program's. */
  readonly newestVersion?: ClusterVersion;
  /** Keys of an entry that are read or written between two pauses. Default: `SLICE_KEYS`. */
  readonly sliceKeys?: number;
  /** Of tables that go to peers whole. Default 64 MiB. */
  readonly transferBytesPerSecond?: number;
  /** What the store may grow to while this member leads; 0 or undefined: as large as disks are. */
  readonly quotaBytes?: number;
  /**
   * Operations in each list of a txn that this member takes: checked where it is taken, so members
   * may differ. Default 128, at most 1024.
   */
  readonly maxTxnOps?: number;
  /** A token that was not used for so long is not good any more. Default five minutes. */
  readonly authTokenTtlMs?: number;
  /** Of the newest revisions, for watches; further back they read the tree. Default 8 MiB. */
  readonly recentBytes?: number | undefined;
  /** Of decoded blocks. */
  readonly cacheBytes: number;
  /** Who runs the member sees there that it waits. Default: nobody looks. */
  readonly outlook?: Outlook;
  /** The node cannot go on: the process must end. Called once. */
  readonly onFatal: (error: unknown) => void;
}

/** etcd's own bound: 5 s and two election timeouts. */
export function requestTimeoutMs(options: Pick<ReplicaOptions, 'electionMs'>): number {
  return 5_000 + 2 * options.electionMs;
}
