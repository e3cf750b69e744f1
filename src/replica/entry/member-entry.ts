/**
 * A change of the members as an entry of the log. It is an entry of the configuration, so that the
 * Raft core sees what it does to the voters; what else is said of it is the context of that:
 *
 *     format u8 | CRC-32C u32 over format and body | body
 *     body: token u53 | with whom the log began, or nothing | the change
 *
 * What Raft is told follows from the change, and is compared with it: an entry whose two halves do
 * not agree is damaged. The empty entry leaves a joint configuration.
 */

import { assert } from '../../base/assert.js';
import { ByteReader, ByteWriter, equalBytes } from '../../base/bytes.js';
import { crc32c } from '../../base/crc32c.js';
import { CodecError, messageOf } from '../../base/errors.js';
import { decodeConfChange, encodeConfChange } from '../../raft/confchange-codec.js';
import type { ConfChange } from '../../raft/types.js';
import type { MemberConfig } from '../base/member-config.js';
import { confChangeOf, type MemberChange } from '../state/members.js';
import { readConfigs, readIds, readTexts, writeConfigs, writeIds, writeTexts } from '../state/members-codec.js';
import { EntryError } from './errors.js';

export interface MemberEntry {
  /** Drawn by who asks: an entry whose token was carried out before is not carried out again. */
  readonly token: number;
  /** With whom the log began; empty if an entry before has said so. */
  readonly base: readonly MemberConfig[];
  readonly change: MemberChange;
}

const FORMAT = 1;
const CRC_AT = 1;
const HEAD_BYTES = 5;
const KINDS: readonly MemberChange['kind'][] = ['add', 'promote', 'remove', 'update', 'publish', 'replace', 'readmit'];

/** For the Raft core, which encodes it. */
export function memberConfChange({ token, base, change }: MemberEntry): ConfChange {
  assert(token > 0, 'S2 a change has a name');
  const out = new ByteWriter(128).u8(FORMAT).u32(0).u53(token);
  writeChange(writeConfigs(out, base), change);
  out.patchU32(CRC_AT, checksum(out.view()));
  return { ...confChangeOf(change), context: out.finish() };
}

/**
 * Undefined: a joint configuration is left. Throws EntryError ENTRY_DAMAGED, and ENTRY_UNKNOWN for
 * what a later program has written.
 */
export function decodeMemberEntry(data: Uint8Array): MemberEntry | undefined {
  if (data.length === 0) return undefined;
  const { context = data, ...told } = decoded(data);
  if (context.length < HEAD_BYTES || new ByteReader(context, 'member entry', CRC_AT).u32() !== checksum(context)) throw damaged(data);
  if (context[0] !== FORMAT) throw new EntryError('ENTRY_UNKNOWN', `a change of the members has format ${context[0]}`);
  const entry = readEntry(new ByteReader(context, 'member entry', HEAD_BYTES));
  if (!equalBytes(encodeConfChange(confChangeOf(entry.change)), encodeConfChange(told))) throw damaged(data);
  return entry;
}

/** The bytes are those that the proposer made, whatever they say. */
export function isMemberEntrySound(data: Uint8Array): boolean {
  try {
    decodeMemberEntry(data);
    return true;
  } catch (error) {
    if (!(error instanceof EntryError)) throw error;
    return error.code === 'ENTRY_UNKNOWN';
  }
}

function checksum(context: Uint8Array): number {
  return crc32c(context, crc32c(context, 0, 0, CRC_AT), HEAD_BYTES);
}

function decoded(data: Uint8Array): ConfChange {
  try {
    return decodeConfChange(data);
  } catch (error) {
    if (error instanceof CodecError) throw damaged(data, error);
    throw error;
  }
}

function damaged(data: Uint8Array, cause?: unknown): EntryError {
  return new EntryError('ENTRY_DAMAGED', `a change of the members of ${data.length} bytes is not what its proposer made`, {}, cause);
}

function readEntry(input: ByteReader): MemberEntry {
  try {
    const entry = { token: input.u53(), base: readConfigs(input), change: readChange(input) };
    input.end();
    return entry;
  } catch (error) {
    if (error instanceof CodecError) throw new EntryError('ENTRY_UNKNOWN', messageOf(error), {}, error);
    throw error;
  }
}

/** Also in the request of a member that does not lead. */
export function writeChange(out: ByteWriter, change: MemberChange): ByteWriter {
  out.u8(KINDS.indexOf(change.kind)).varint(change.id);
  switch (change.kind) {
    case 'add': return writeTexts(out.u8(Number(change.learner)), change.peerUrls);
    case 'update': return writeTexts(out, change.peerUrls);
    case 'publish': return writeTexts(out.text(change.name), change.clientUrls);
    case 'replace': return out.varint(change.removed);
    case 'readmit': return writeIds(out.varint(change.of), change.dropped);
    case 'promote':
    case 'remove': return out;
  }
}

/** Throws CodecError. */
export function readChange(input: ByteReader): MemberChange {
  const at = input.u8();
  const kind = KINDS[at];
  const id = input.varint();
  switch (kind) {
    case 'add': return { kind, id, learner: input.u8() !== 0, peerUrls: readTexts(input) };
    case 'update': return { kind, id, peerUrls: readTexts(input) };
    case 'publish': return { kind, id, name: input.text(), clientUrls: readTexts(input) };
    case 'replace': return { kind, id, removed: input.varint() };
    case 'readmit': return { kind, id, of: input.varint(), dropped: readIds(input) };
    case 'promote':
    case 'remove': return { kind, id };
    case undefined: break;
  }
  throw new CodecError(`a change of the members of unknown kind ${at}`);
}
