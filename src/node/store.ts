/**
 * What a node offers to whoever embeds or serves it: the API below gRPC. Any node takes any
 * request; writes are forwarded to the leader, linearizable reads use the read index, serializable
 * ones are local. Refusals are {@link EtcdError}; anything else that rejects is a bug.
 */

import type { Birth } from '../storage/table/table-meta.js';
import type { HealCounters } from '../healing/status/heal-counters.js';
import type { HintStatus } from '../healing/status/hint-status.js';
import type { ScrubReport, ScrubStatus } from '../healing/status/scrub-status.js';
import type { LinkStatus } from '../base/env.js';
import type { ClusterVersion, LogIndex, NodeId, Revision, TableId, Term } from '../base/ids.js';
import type { MemberChange } from '../replica/state/members.js';
import type { DowngradeAction, DowngradeStatus } from '../replica/downgrades.js';
import type { Alarm, AlarmChange } from '../replica/kv/alarms.js';
import type { OpCounts } from '../replica/kv/op-counts.js';
import type { KvHash } from '../replica/kv/hash-kv.js';
import type { KvApi } from '../api/services/kv.js';
import type { LeaseApi } from '../api/services/lease.js';
import type { Caller } from '../api/caller.js';
import type { Access } from '../replica/auth/access.js';
import type { AuthCommand, AuthResponse } from '../replica/auth/auth-command.js';
import type { Role, User } from '../replica/auth/auth-state.js';
import type { WatchApi, WatchCounts } from '../api/services/watch.js';
import type { TransferProgress } from '../replica/snapshot/incoming-transfer.js';
import type { BackupPiece } from '../replica/backup/backups.js';

export interface MemberInfo {
  readonly id: NodeId;
  readonly name: string;
  readonly peerUrls: readonly string[];
  /** Empty until the member has announced itself. */
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
}

/** The `/status` page of a node: from local state alone, useful without quorum. */
export interface NodeStatus {
  readonly name: string;
  readonly memberId: NodeId;
  readonly clusterId: string;
  readonly role: 'follower' | 'preCandidate' | 'candidate' | 'leader';
  readonly term: Term;
  /** 0: none known. */
  readonly leader: NodeId;
  readonly commitIndex: LogIndex;
  readonly appliedIndex: LogIndex;
  /** Edits up to here are carried out in this node's files. */
  readonly materializedIndex: LogIndex;
  /** All data up to here is in tables, as the durable manifest says: a restart begins here. */
  readonly flushedIndex: LogIndex;
  readonly firstLogIndex: LogIndex;
  readonly lastLogIndex: LogIndex;
  /** What all members can read, and what this one could. */
  readonly clusterVersion: ClusterVersion;
  readonly newestVersion: ClusterVersion;
  /** The lowest version of the cluster whose programs can read this node's files. */
  readonly storageVersion: ClusterVersion;
  /** How far these files are on the way back to an older version, while one is asked for. */
  readonly downgrade?: DowngradeStatus;
  readonly revision: Revision;
  readonly compactRevision: Revision;
  /** On keys, carried out by this member since its start. */
  readonly operations: Readonly<Pick<OpCounts, 'ranges' | 'puts' | 'deletes' | 'txns'>>;
  readonly leases: number;
  /** Grows with each change of users, roles and permissions. */
  readonly authRevision: number;
  /** Streams of watches, their watchers, and those of them that lag behind. */
  readonly watches: WatchCounts;
  readonly memtableBytes: number;
  readonly sealedMemtables: number;
  readonly owedTables: number;
  readonly pendingPlans: number;
  /** Applied since this node's start. */
  readonly flushes: number;
  readonly compactions: number;
  readonly manifest: {
    readonly tables: readonly {
      readonly id: TableId;
      readonly level: number;
      readonly bytes: number;
      readonly digest: string;
      readonly birth: Birth;
    }[];
  };
  readonly hints: readonly HintStatus[];
  readonly heal: Readonly<HealCounters>;
  readonly scrub: ScrubStatus;
  readonly snapshots: {
    readonly received: number; readonly fetchedBytes: number; readonly reusedBytes: number; readonly sent: number;
    /** So much of whole tables it sends in a second at most, and takes in, as things are now. */
    readonly paceBytesPerSecond: number;
    /** The one that is being received. */
    readonly receiving?: TransferProgress;
  };
  /** Table bytes fetched from peers for any reason (snapshot, owed tables, repair) since start. */
  readonly fetchedTableBytes: number;
  readonly dbBytes: number;
  /** Bytes of it at which puts are refused; 0: none. */
  readonly quotaBytes: number;
  /** This member was re-admitted, and has not yet the vote of whose place it takes (0: none). */
  readonly readmission?: { readonly memberId: NodeId; readonly replaces: NodeId; readonly past: LogIndex };
  /** It takes no part until others give it an entry of its log, or say that it is of no use. */
  readonly waitsFor?: string;
  readonly errors: readonly string[];
  readonly members: readonly MemberInfo[];
  /** This node's ways to the others. */
  readonly links: readonly LinkStatus[];
}

/** How auth is, linearizable. */
export interface AuthStatus {
  readonly enabled: boolean;
  readonly revision: number;
}

export interface StoredPassword {
  /** Undefined: there is no such user. */
  readonly hash: string | undefined;
  /** Of the auth state that has it. */
  readonly revision: number;
}

/** Users, roles, and whether auth is on. Rejects with EtcdError, in etcd's words. */
export interface AuthApi {
  status(): Promise<AuthStatus>;
  /** To be compared with. EtcdError AUTH_NOT_ENABLED, NO_PASSWORD_USER. */
  password(user: string): Promise<StoredPassword>;
  /** Resolves when it was applied here. EtcdError CLUSTER_TOO_OLD, and what etcd says. */
  change(command: AuthCommand, caller?: Caller): Promise<AuthResponse>;
  users(caller?: Caller): Promise<readonly User[]>;
  roles(caller?: Caller): Promise<readonly Role[]>;
  user(name: string, caller?: Caller): Promise<User>;
  role(name: string, caller?: Caller): Promise<Role>;
  /** Resolves when this member knows the caller's token, if it is a good one. */
  catchUp(caller: Caller | undefined): Promise<void>;
}

export interface Store extends KvApi, WatchApi {
  readonly auth: AuthApi;
  /** What a caller may do on this member, as of now. */
  readonly access: Access;
  readonly memberId: NodeId;
  readonly clusterId: bigint;
  /** As of now; cheap, because every response header has it. */
  readonly term: Term;
  readonly leader: NodeId;
  /** For who asks for one: one is known, or was less than three election timeouts ago. */
  readonly hasLeader: boolean;
  readonly lease: LeaseApi;
  status(): NodeStatus;
  members(): readonly MemberInfo[];
  /**
   * Resolves with the members afterwards; the id of one that is added is given by the cluster. See
   * `replica/member-changes.ts`.
   */
  changeMembers(change: MemberChange): Promise<readonly MemberInfo[]>;
  /** EtcdError NOT_LEADER, BAD_LEADER_TRANSFEREE, TIMEOUT. */
  moveLeader(to: NodeId): Promise<void>;
  /**
   * Of all that can be read of this member at the revision, and since the compact one; 0: the
   * newest. Equal on members that hold the same. EtcdError COMPACTED, FUTURE_REVISION, UNHEALTHY.
   */
  hashKv(revision: Revision): Promise<KvHash>;
  /** Active ones, linearizable. */
  alarms(): Promise<readonly Alarm[]>;
  /** As far as this member knows: of use without a quorum. */
  activeAlarms(): readonly Alarm[];
  /** Resolves when it holds. EtcdError TIMEOUT, UNHEALTHY. */
  changeAlarm(change: Omit<AlarmChange, 'byItself'>): Promise<void>;
  /**
   * Resolves with the version of the cluster. EtcdError DOWNGRADE_IN_PROCESS,
   * INVALID_DOWNGRADE_TARGET_VERSION, DOWNGRADE_REFUSED, CLUSTER_TOO_OLD, TIMEOUT. See
   * `replica/downgrades.ts`.
   */
  downgrade(action: DowngradeAction, target: ClusterVersion): Promise<ClusterVersion>;
  hints(): readonly HintStatus[];
  /**
   * Reads all of this node's tables past the caches and compares every byte; faults become hints.
   */
  scrub(onProgress: (status: ScrubStatus) => void, options?: { readonly bytesPerSecond?: number }): Promise<ScrubReport>;
  /**
   * An archive of all that is committed when it is asked for, without the tables that are `held`.
   * Whoever takes it goes through it or leaves it: until then its tables stay on the disk.
   */
  backup(held?: ReadonlySet<string>): AsyncGenerator<BackupPiece, void, undefined>;
  /** Is there a leader, and does a read index round answer? For /readyz. */
  checkLinearizable(timeoutMs: number): Promise<void>;
}
