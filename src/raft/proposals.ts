/**
 * What becomes of a proposal: the leader appends it, a follower forwards it, a candidate drops it.
 */

import { assert } from '../base/assert.js';
import { EMPTY } from '../base/bytes.js';
import { codeOf, CodecError } from '../base/errors.js';
import { decodeConfChange } from './confchange-codec.js';
import { changeConfig } from './confchange.js';
import { RaftError } from './errors.js';
import { newMessage } from './message.js';
import { appendEntries, broadcastAppend } from './replication.js';
import type { RaftState } from './state.js';
import type { LogIndex } from '../base/ids.js';
import type { ConfChange, Entry, Message } from './types.js';

function dropped(why: string): RaftError {
  return new RaftError('PROPOSAL_DROPPED', why);
}

/** Proposes payloads, all or none, as neighbours in the log. Throws PROPOSAL_DROPPED. */
export function proposeData(raft: RaftState, datas: readonly Uint8Array[]): void {
  if (datas.length === 0) return;
  const leads = raft.role === 'leader';
  const { term } = raft;
  const base = raft.log.lastIndex + 1;
  const entries = new Array<Entry>(datas.length);
  for (let i = 0; i < datas.length; i++) {
    const data = datas[i] as Uint8Array;
    entries[i] = { term: leads ? term : 0, index: leads ? base + i : 0, type: 'normal', data };
  }
  if (leads) leaderPropose(raft, entries);
  else forward(raft, entries);
}

/** Proposes a configuration change that is already encoded. Throws PROPOSAL_DROPPED. */
export function proposeEncodedChange(raft: RaftState, data: Uint8Array): void {
  const entries: readonly Entry[] = [{ term: 0, index: 0, type: 'confChange', data }];
  if (raft.role === 'leader') leaderPropose(raft, numbered(raft, entries));
  else forward(raft, entries);
}

function forward(raft: RaftState, entries: readonly Entry[]): void {
  const message = newMessage('MsgProp', raft.id, raft.id, 0);
  message.entries = entries;
  followOrDrop(raft, message);
}

/** A node that does not lead gets a proposal, its own or one that was forwarded to it. */
export function followOrDrop(raft: RaftState, message: Message): void {
  if (raft.role !== 'follower') throw dropped('an election is going on');
  if (raft.lead === 0) throw dropped('no leader is known');
  if (raft.config.disableProposalForwarding) throw dropped('proposals are not forwarded');
  raft.send({ ...message, to: raft.lead });
}

/** The leader gets a proposal that was forwarded to it. */
export function leaderHandleProposal(raft: RaftState, message: Message): void {
  if (message.entries.length === 0) throw dropped('the proposal is empty');
  leaderPropose(raft, numbered(raft, message.entries));
}

function numbered(raft: RaftState, entries: readonly Entry[]): Entry[] {
  const { term } = raft;
  const base = raft.log.lastIndex + 1;
  const out = new Array<Entry>(entries.length);
  for (let i = 0; i < entries.length; i++) {
    const { type, data } = entries[i] as Entry;
    out[i] = { term, index: base + i, type, data };
  }
  return out;
}

function leaderPropose(raft: RaftState, entries: Entry[]): void {
  assert(raft.role === 'leader', 'only a leader appends proposals');
  if (raft.tracker.get(raft.id) === undefined) throw dropped('this leader is no longer in the configuration');
  if (raft.leadTransferee !== 0) throw dropped(`leadership goes to ${raft.leadTransferee}`);
  let pending = raft.pendingConfIndex;
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i] as Entry;
    if (entry.type !== 'confChange') continue;
    if (mayChangeConfig(raft, pending, decodeOrDrop(entry.data))) pending = entry.index;
    else entries[i] = { term: entry.term, index: entry.index, type: 'normal', data: EMPTY };
  }
  if (!appendEntries(raft, entries)) throw dropped('the uncommitted log is full');
  raft.setPendingConfIndex(pending);
  broadcastAppend(raft);
}

function decodeOrDrop(data: Uint8Array): ConfChange {
  try {
    return decodeConfChange(data);
  } catch (error) {
    if (error instanceof CodecError) throw new RaftError('PROPOSAL_DROPPED', error.message, {}, error);
    throw error;
  }
}

/**
 * One change at a time: the next is not appended before the last is applied here, because the
 * majorities before the one and after the other need not overlap (thesis, 4.1). So the
 * configuration that it will change is known, and the change is tried on that.
 */
function mayChangeConfig(raft: RaftState, pending: LogIndex, change: ConfChange): boolean {
  if (raft.config.disableConfChangeValidation) return true;
  if (pending > raft.log.applied) return false;
  try {
    changeConfig(raft.tracker.config, change);
    return true;
  } catch (error) {
    if (codeOf(error) === 'INVALID_CONF_CHANGE') return false;
    throw error;
  }
}
