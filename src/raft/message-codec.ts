/**
 * Batches of messages as bytes, for the stream between two nodes.
 *
 * The decoder trusts nothing: whatever it returns is a message that a sound node could have sent,
 * or it throws CodecError. Payloads are views into the input, which must not change afterwards.
 *
 *     batch    version u8, count varint, message*
 *     message  type u8, flags varint, from, to, term varint, then the fields whose flag is set, in
 *              the order of the flags
 *     entry    flags u8, [term, index varint], payload bytes (length first)
 *
 * An entry that directly follows its predecessor (the first one: the message's index and log term)
 * in the same term leaves out term and index: two bytes of overhead for nearly all.
 */

import { ByteReader, type ByteWriter } from '../base/bytes.js';
import { CodecError } from '../base/errors.js';
import type { LogIndex, NodeId, Term } from '../base/ids.js';
import { broken } from './errors.js';
import { newMessage, type MessageDraft } from './message.js';
import type { ConfState, Entry, Message, MessageType, Snapshot } from './types.js';

const VERSION = 1;

/**
 * The position is the number on the wire: only ever append. Storage messages are not here, since
 * they never leave a node.
 */
const TYPES = [
  'MsgProp',
  'MsgApp',
  'MsgAppResp',
  'MsgVote',
  'MsgVoteResp',
  'MsgPreVote',
  'MsgPreVoteResp',
  'MsgSnap',
  'MsgHeartbeat',
  'MsgHeartbeatResp',
  'MsgTimeoutNow',
  'MsgTransferLeader',
  'MsgReadIndex',
  'MsgReadIndexResp',
] as const satisfies readonly MessageType[];

const LOG_TERM = 1;
const INDEX = 2;
const COMMIT = 4;
const REJECT = 8;
const ENTRIES = 16;
const SNAPSHOT = 32;
const ROUND = 64;
const CONTEXT = 128;
const FORCE = 256;
const ALL_FLAGS = 511;

const ENTRY_CONF_CHANGE = 1;
const ENTRY_FOLLOWS = 2;

// --- Encoding ---

export function writeMessages(out: ByteWriter, messages: readonly Message[]): void {
  out.u8(VERSION).varint(messages.length);
  for (const message of messages) writeMessage(out, message);
}

function writeMessage(out: ByteWriter, message: Message): void {
  const type = (TYPES as readonly MessageType[]).indexOf(message.type);
  if (type < 0) broken(`${message.type} never leaves its node`);
  if (message.from === 0 || message.to === 0) broken(`${message.type} has a sender and a recipient`);
  if (message.reject && !message.type.endsWith('Resp')) broken(`${message.type} is no answer that could reject`);
  if (message.force && message.type !== 'MsgVote') broken(`${message.type} cannot be forced`);
  if ((message.snapshot !== undefined) !== (message.type === 'MsgSnap')) broken(`${message.type} with or without a snapshot`);
  const flags = flagsOf(message);
  out.u8(type).varint(flags).varint(message.from).varint(message.to).varint(message.term);
  if (flags & LOG_TERM) out.varint(message.logTerm);
  if (flags & INDEX) out.varint(message.index);
  if (flags & COMMIT) out.varint(message.commit);
  if (flags & REJECT) out.varint(message.rejectHint);
  if (flags & ENTRIES) writeEntries(out, message);
  if (message.snapshot !== undefined) writeSnapshot(out, message.snapshot);
  if (flags & ROUND) out.varint(message.round);
  if (flags & CONTEXT) out.bytes(message.context);
}

function flagsOf(message: Message): number {
  return (
    (message.logTerm === 0 ? 0 : LOG_TERM) |
    (message.index === 0 ? 0 : INDEX) |
    (message.commit === 0 ? 0 : COMMIT) |
    (message.reject ? REJECT : 0) |
    (message.entries.length === 0 ? 0 : ENTRIES) |
    (message.snapshot === undefined ? 0 : SNAPSHOT) |
    (message.round === 0 ? 0 : ROUND) |
    (message.context.length === 0 ? 0 : CONTEXT) |
    (message.force ? FORCE : 0)
  );
}

function writeEntries(out: ByteWriter, message: Message): void {
  const { entries } = message;
  out.varint(entries.length);
  let term = message.logTerm;
  let index = message.index;
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i] as Entry;
    const follows = entry.term === term && entry.index === index + 1;
    out.u8((entry.type === 'confChange' ? ENTRY_CONF_CHANGE : 0) | (follows ? ENTRY_FOLLOWS : 0));
    if (!follows) out.varint(entry.term).varint(entry.index);
    out.bytes(entry.data);
    term = entry.term;
    index = entry.index;
  }
}

function writeSnapshot(out: ByteWriter, snapshot: Snapshot): void {
  const { index, term, confState } = snapshot.metadata;
  out.varint(index).varint(term);
  writeIds(out, confState.voters);
  writeIds(out, confState.votersOutgoing);
  writeIds(out, confState.learners);
  writeIds(out, confState.learnersNext);
  out.u8(confState.autoLeave ? 1 : 0);
  out.u8(snapshot.data === undefined ? 0 : 1);
  if (snapshot.data !== undefined) out.bytes(snapshot.data);
}

function writeIds(out: ByteWriter, ids: readonly NodeId[]): void {
  out.varint(ids.length);
  for (const id of ids) out.varint(id);
}

// --- Decoding ---

/**
 * Throws CodecError. The batch begins at `at`; the payloads of the messages are views into `bytes`.
 */
export function decodeMessages(bytes: Uint8Array, at = 0): Message[] {
  const input = new ByteReader(bytes, 'message batch', at);
  const version = input.u8();
  if (version !== VERSION) damaged(`has version ${version}`);
  const count = input.count(5);
  const messages: Message[] = [];
  for (let i = 0; i < count; i++) messages.push(readMessage(input));
  input.end();
  return messages;
}

function damaged(what: string): never {
  throw new CodecError(`message batch: ${what}`);
}

function readMessage(input: ByteReader): Message {
  const code = input.u8();
  const type = TYPES[code];
  if (type === undefined) damaged(`type ${code} is unknown`);
  const flags = input.varint();
  if (flags > ALL_FLAGS) damaged(`flags ${flags} are unknown`);
  const from = input.varint();
  const to = input.varint();
  if (from === 0 || to === 0) damaged(`${type} without a sender or a recipient`);
  const message = newMessage(type, from, to, input.varint());
  if (flags & LOG_TERM) message.logTerm = input.varint();
  if (flags & INDEX) message.index = input.varint();
  if (flags & COMMIT) message.commit = input.varint();
  if (flags & REJECT) {
    message.reject = true;
    message.rejectHint = input.varint();
  }
  if (flags & ENTRIES) message.entries = readEntries(input, message);
  if (flags & SNAPSHOT) message.snapshot = readSnapshot(input);
  if (flags & ROUND) message.round = input.varint();
  if (flags & CONTEXT) message.context = input.bytes();
  message.force = (flags & FORCE) !== 0;
  checkFields(message);
  return message;
}

/** What each type must and must not have: handlers rely on it. */
function checkFields(message: MessageDraft): void {
  const { type, term } = message;
  switch (type) {
    case 'MsgProp':
    case 'MsgReadIndex':
      if (term !== 0) damaged(`${type} has a term`);
      break;
    case 'MsgTransferLeader':
    case 'MsgPreVoteResp':
      break;
    default:
      if (term === 0) damaged(`${type} has no term`);
  }
  if ((message.snapshot !== undefined) !== (type === 'MsgSnap')) damaged(`${type} with or without a snapshot`);
  if (message.snapshot !== undefined && message.snapshot.metadata.term > term) damaged('a snapshot of a later term');
  if (message.reject && !type.endsWith('Resp')) damaged(`${type} is not an answer`);
  if (message.force && type !== 'MsgVote') damaged(`${type} is forced`);
  const wantsEntries = type === 'MsgProp';
  if (wantsEntries ? message.entries.length === 0 : type !== 'MsgApp' && message.entries.length > 0) {
    damaged(`${type} with ${message.entries.length} entries`);
  }
  if (type === 'MsgApp' && message.logTerm > term) damaged('an append after an entry of a later term');
}

/** R3 the entries of an append follow each other without a gap, and their terms never go back. */
function readEntries(input: ByteReader, message: MessageDraft): Entry[] {
  const count = input.count(2);
  const proposed = message.type === 'MsgProp';
  const entries: Entry[] = [];
  let term: Term = message.logTerm;
  let index: LogIndex = message.index;
  for (let i = 0; i < count; i++) {
    const flags = input.u8();
    if (flags > (ENTRY_CONF_CHANGE | ENTRY_FOLLOWS)) damaged(`entry flags ${flags} are unknown`);
    let entryTerm = term;
    let entryIndex = index + 1;
    if (!(flags & ENTRY_FOLLOWS)) {
      entryTerm = input.varint();
      entryIndex = input.varint();
    }
    if (proposed) {
      if (entryTerm !== 0 || entryIndex !== 0) damaged('a proposed entry is in the log already');
    } else {
      if (entryIndex !== index + 1 || entryIndex > Number.MAX_SAFE_INTEGER) damaged(`entry ${entryIndex} after ${index}`);
      if (entryTerm < term || entryTerm === 0 || entryTerm > message.term) damaged(`term ${entryTerm} after ${term}`);
    }
    entries.push({
      term: entryTerm,
      index: entryIndex,
      type: flags & ENTRY_CONF_CHANGE ? 'confChange' : 'normal',
      data: input.bytes(),
    });
    term = entryTerm;
    index = entryIndex;
  }
  return entries;
}

function readSnapshot(input: ByteReader): Snapshot {
  const index = input.varint();
  const term = input.varint();
  if (index === 0 || term === 0) damaged('an empty snapshot');
  const confState: ConfState = {
    voters: readIds(input),
    votersOutgoing: readIds(input),
    learners: readIds(input),
    learnersNext: readIds(input),
    autoLeave: readFlag(input),
  };
  checkConfState(confState);
  const data = readFlag(input) ? input.bytes() : undefined;
  return { metadata: { index, term, confState }, data };
}

function readFlag(input: ByteReader): boolean {
  const byte = input.u8();
  if (byte > 1) damaged(`flag ${byte} is neither set nor clear`);
  return byte === 1;
}

function readIds(input: ByteReader): NodeId[] {
  const count = input.count();
  const ids: NodeId[] = [];
  let last = 0;
  for (let i = 0; i < count; i++) {
    const id = input.varint();
    if (id <= last) damaged(`node ${id} after ${last}`);
    ids.push(id);
    last = id;
  }
  return ids;
}

/** The same rules that the configuration itself asserts; here their breach is damage, not a bug. */
function checkConfState({ voters, votersOutgoing, learners, learnersNext, autoLeave }: ConfState): void {
  if (voters.length === 0) damaged('a configuration without voters');
  if (votersOutgoing.length === 0 && autoLeave) damaged('a configuration that leaves itself, but is not joint');
  for (const id of learners) {
    if (voters.includes(id) || votersOutgoing.includes(id)) damaged(`node ${id} is a voter and a learner`);
  }
  for (const id of learnersNext) {
    if (!votersOutgoing.includes(id) || voters.includes(id)) damaged(`node ${id} is to become a learner, but votes`);
  }
}
