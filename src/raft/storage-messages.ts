/**
 * The messages between a node and its storage. With asynchronous storage writes they are in
 * `Ready`; without, `advance` stands for the responses. Either way the core learns of finished
 * writes in the same form.
 */

import { assert } from '../base/assert.js';
import type { NodeId } from '../base/ids.js';
import { newMessage } from './message.js';
import type { RaftState } from './state.js';
import type { Entry, HardState, Message, Snapshot } from './types.js';

/** `from` or `to` of a storage message that is not a node. */
const STORAGE: NodeId = 0;

/** What `Ready` asks to be written. */
interface StorageWork {
  readonly entries: readonly Entry[];
  readonly hardState: HardState | undefined;
  readonly snapshot: Snapshot | undefined;
}

export function storageAppend(raft: RaftState, work: StorageWork): Message | undefined {
  const responses = raft.messagesAfterAppend;
  const { entries, hardState, snapshot } = work;
  const nothing = entries.length === 0 && hardState === undefined && snapshot === undefined;
  if (nothing && responses.length === 0) return undefined;
  const last = entries[entries.length - 1];
  assert(last === undefined || last.index === raft.log.lastIndex, 'R2 a write that is answered for goes to the end of the log');
  const message = newMessage('MsgStorageAppend', raft.id, STORAGE, 0);
  message.entries = entries;
  message.snapshot = snapshot;
  if (hardState !== undefined) {
    message.term = hardState.term;
    message.vote = hardState.vote;
    message.commit = hardState.commit;
  }
  const written = storageAppendResponse(raft, snapshot);
  message.responses = written === undefined ? responses : [...responses, written];
  return message;
}

/**
 * Says that the log is durable through its present end, also when this write adds nothing to it:
 * writes are done in order, so an earlier one that was still under way is done too. A response that
 * arrives in a later term is ignored. So (index, term) is enough to tell the entries that were
 * written from others that replaced them meanwhile, even if these were replaced again.
 */
export function storageAppendResponse(raft: RaftState, snapshot: Snapshot | undefined): Message | undefined {
  const { log } = raft;
  if (!log.hasUnstableEntries && snapshot === undefined) return undefined;
  const message = newMessage('MsgStorageAppendResp', STORAGE, raft.id, raft.term);
  if (log.hasUnstableEntries) {
    message.index = log.lastIndex;
    message.logTerm = log.lastTerm;
  }
  message.snapshot = snapshot;
  return message;
}

export function storageApply(raft: RaftState, entries: readonly Entry[]): Message {
  const last = entries[entries.length - 1];
  assert(last !== undefined && last.index <= raft.log.committed, 'R3 only what is committed is applied');
  const message = newMessage('MsgStorageApply', raft.id, STORAGE, 0);
  message.entries = entries;
  message.responses = [storageApplyResponse(raft, entries)];
  return message;
}

export function storageApplyResponse(raft: RaftState, entries: readonly Entry[]): Message {
  const message = newMessage('MsgStorageApplyResp', STORAGE, raft.id, 0);
  message.entries = entries;
  return message;
}
