/**
 * The types of the core: plain objects, with numbers for ids, terms and indexes.
 *
 * What leaves the core never changes afterwards: a message, an entry or a snapshot is made once and
 * is then shared between the log, the network and the storage without a copy.
 */

import type { LogIndex, NodeId, Term } from '../base/ids.js';

/**
 * A pre-candidate asks whether an election could be won, without touching terms (Raft thesis, 9.6).
 */
export type Role = 'follower' | 'preCandidate' | 'candidate' | 'leader';

export type EntryType = 'normal' | 'confChange';

export interface Entry {
  /** Term and index are 0 while a proposal is on its way to the leader. */
  readonly term: Term;
  readonly index: LogIndex;
  readonly type: EntryType;
  readonly data: Uint8Array;
}

/** Who votes and who is a learner. Lists are in ascending order without repetitions. */
export interface ConfState {
  readonly voters: readonly NodeId[];
  /**
   * The voters of the old half of a joint configuration (thesis, 4.3); empty in any other.
   */
  readonly votersOutgoing: readonly NodeId[];
  readonly learners: readonly NodeId[];
  /** Outgoing voters that become learners once the joint configuration is left. */
  readonly learnersNext: readonly NodeId[];
  /** Whether the leader leaves the joint configuration by itself. */
  readonly autoLeave: boolean;
}

interface SnapshotMetadata {
  readonly index: LogIndex;
  readonly term: Term;
  readonly confState: ConfState;
}

export interface Snapshot {
  readonly metadata: SnapshotMetadata;
  readonly data?: Uint8Array | undefined;
}

/** What must survive a crash besides the log. */
export interface HardState {
  readonly term: Term;
  readonly vote: NodeId;
  readonly commit: LogIndex;
}

/** What the application may want to know, and what is not kept across a crash. */
interface SoftState {
  readonly lead: NodeId;
  readonly role: Role;
}

/** R4 a linearizable read with this context may be served once `index` is applied. */
export interface ReadState {
  readonly index: LogIndex;
  readonly context: Uint8Array;
}

export type MessageType =
  | 'MsgProp'
  | 'MsgApp'
  | 'MsgAppResp'
  | 'MsgVote'
  | 'MsgVoteResp'
  | 'MsgPreVote'
  | 'MsgPreVoteResp'
  | 'MsgSnap'
  | 'MsgHeartbeat'
  | 'MsgHeartbeatResp'
  | 'MsgTimeoutNow'
  | 'MsgTransferLeader'
  | 'MsgReadIndex'
  | 'MsgReadIndexResp'
  | StorageMessageType;

/** Messages between a node and its own storage; never on the wire. */
type StorageMessageType =
  | 'MsgStorageAppend'
  | 'MsgStorageAppendResp'
  | 'MsgStorageApply'
  | 'MsgStorageApplyResp';

/**
 * One shape for all messages, so that the code that handles them stays monomorphic. Unused fields
 * are 0 or empty.
 */
export interface Message {
  readonly type: MessageType;
  /** On MsgTransferLeader: the node that is to become the leader. */
  readonly from: NodeId;
  readonly to: NodeId;
  /** 0 on forwarded proposals and reads and on storage messages: they are valid in any term. */
  readonly term: Term;
  /** Term of the entry at `index`; on a rejecting MsgAppResp the term at `rejectHint`. */
  readonly logTerm: Term;
  readonly index: LogIndex;
  readonly commit: LogIndex;
  /** MsgStorageAppend only. */
  readonly vote: NodeId;
  readonly entries: readonly Entry[];
  readonly snapshot: Snapshot | undefined;
  readonly reject: boolean;
  /** On a rejecting MsgAppResp: where the leader should probe next. */
  readonly rejectHint: LogIndex;
  /** Storage messages only: to be sent once the write is done. */
  readonly responses: readonly Message[];
  /** Heartbeats and their responses: the heartbeat round that a response confirms. */
  readonly round: number;
  /** Reads: given by the reader, and given back to it, to tell its reads apart. */
  readonly context: Uint8Array;
  /**
   * MsgVote only: the leader asked for this election (a transfer), so voters ignore its lease.
   */
  readonly force: boolean;
}

export interface Ready {
  /** Defined only if it changed since the last one. */
  readonly softState: SoftState | undefined;
  /** Defined only if it changed since the last one. */
  readonly hardState: HardState | undefined;
  readonly readStates: readonly ReadState[];
  /** To be written before `messages` are sent. May overwrite a tail written before. */
  readonly entries: readonly Entry[];
  /** To be installed before `messages` are sent. */
  readonly snapshot: Snapshot | undefined;
  /** To be applied, in this order. */
  readonly committedEntries: readonly Entry[];
  readonly messages: readonly Message[];
  /** Whether `entries` and `hardState` must be durable before `messages` are sent. */
  readonly mustSync: boolean;
}

/** The stable log as the core reads it, synchronously. Whoever handles `Ready` writes it. */
export interface LogStorage {
  /** What a node starts with. */
  initialState(): { readonly hardState: HardState; readonly confState: ConfState };
  /** Index of the first entry that is still there: one past the last snapshot or compaction. */
  firstIndex(): LogIndex;
  /** Index of the last entry; `firstIndex() - 1` if there is none. */
  lastIndex(): LogIndex;
  /**
   * Term of the entry at `index`, which may be `firstIndex() - 1`. Asked only within these bounds.
   */
  term(index: LogIndex): Term;
  /**
   * The entries in [lo, hi): as many as fit into `maxSize` (see {@link entrySize}), but at least
   * one.
   */
  entries(lo: LogIndex, hi: LogIndex, maxSize?: number): readonly Entry[];
  /** The newest snapshot. Throws RaftError SNAPSHOT_UNAVAILABLE if there is none just now. */
  snapshot(): Snapshot;
}

/** What an entry counts for in the size limits: its payload and a little for its header. */
export function entrySize(entry: Entry): number {
  return entry.data.length + 12;
}

export type ConfChangeType = 'addVoter' | 'addLearner' | 'remove' | 'update';

export interface ConfChangeSingle {
  readonly type: ConfChangeType;
  /** A change of node 0 is ignored. */
  readonly nodeId: NodeId;
}

/**
 * A configuration change. No changes and `auto` means: leave the joint configuration.
 *
 *  - `auto`: one change is made directly; several go through a joint configuration that is left
 *    automatically.
 *  - `implicit`: always through a joint configuration, left automatically.
 *  - `explicit`: always through a joint configuration, left only when told to.
 */
export interface ConfChange {
  readonly transition: 'auto' | 'implicit' | 'explicit';
  readonly changes: readonly ConfChangeSingle[];
  /** What the application wants to know of it when it is applied; the core does not look at it. */
  readonly context?: Uint8Array;
}

export type ProgressState = 'probe' | 'replicate' | 'snapshot';

/** What the leader knows of a follower, for people and tests. */
export interface ProgressStatus {
  readonly state: ProgressState;
  readonly match: LogIndex;
  readonly next: LogIndex;
  readonly isLearner: boolean;
  readonly paused: boolean;
  readonly pendingSnapshot: LogIndex;
  readonly recentActive: boolean;
  readonly inflight: number;
  readonly inflightFull: boolean;
}

export interface Status {
  readonly id: NodeId;
  readonly role: Role;
  readonly term: Term;
  readonly vote: NodeId;
  readonly lead: NodeId;
  readonly commit: LogIndex;
  readonly applied: LogIndex;
  readonly lastIndex: LogIndex;
  readonly leadTransferee: NodeId;
  /** On a leader: payload bytes of entries that it has appended and not yet applied. */
  readonly uncommittedBytes: number;
  readonly config: ConfState;
  /** On a leader: every node of the configuration, itself included. */
  readonly progress: ReadonlyMap<NodeId, ProgressStatus> | undefined;
}
