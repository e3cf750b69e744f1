/** {@link Members} as bytes: in the tree, as of a seal, and for a member that joins. */

import type { ByteReader, ByteWriter } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import type { NodeId } from '../../base/ids.js';
import { normalConfState } from '../../raft/confchange.js';
import type { ConfState } from '../../raft/types.js';
import type { MemberConfig } from '../base/member-config.js';
import { MAX_TOKENS, type MemberRecord, type Members } from './members.js';

const FORMAT = 1;
/** Bounds for decoding. */
const MAX_MEMBERS = 1024;
export const MAX_URLS = 64;

export function writeMembers(out: ByteWriter, { isStatic, list, removed, confState, origin, tokens }: Members): ByteWriter {
  out.u8(FORMAT).u8(Number(isStatic)).varint(list.length);
  for (const { id, name, peerUrls, clientUrls } of list) {
    writeTexts(out.varint(id).text(name), peerUrls);
    out.u8(Number(clientUrls !== undefined));
    if (clientUrls !== undefined) writeTexts(out, clientUrls);
  }
  writeIds(out, removed);
  writeConfState(out, confState);
  writeConfigs(out, origin);
  out.varint(tokens.length);
  for (const token of tokens) out.u53(token);
  return out;
}

/** Throws CodecError. */
export function readMembers(input: ByteReader): Members {
  const format = input.u8();
  if (format !== FORMAT) throw new CodecError(`members: format ${format} is not supported`);
  const isStatic = input.u8() !== 0;
  const list = Array.from({ length: countOf(input, MAX_MEMBERS, 4) }, (): MemberRecord => {
    const [id, name, peerUrls] = [input.varint(), input.text(), readTexts(input)];
    return { id, name, peerUrls, clientUrls: input.u8() === 0 ? undefined : readTexts(input) };
  });
  const removed = readIds(input);
  const confState = readConfState(input);
  const origin = readConfigs(input);
  const tokens = Array.from({ length: countOf(input, MAX_TOKENS, 7) }, () => input.u53());
  return { isStatic, list, removed, confState, origin, tokens };
}

export function writeConfigs(out: ByteWriter, members: readonly MemberConfig[]): ByteWriter {
  out.varint(members.length);
  for (const { id, name, peerUrls } of members) writeTexts(out.varint(id).text(name), peerUrls);
  return out;
}

export function readConfigs(input: ByteReader): MemberConfig[] {
  const read = (): MemberConfig => ({ id: input.varint(), name: input.text(), peerUrls: readTexts(input) });
  return Array.from({ length: countOf(input, MAX_MEMBERS, 3) }, read);
}

function writeConfState(out: ByteWriter, { voters, votersOutgoing, learners, learnersNext, autoLeave }: ConfState): void {
  for (const ids of [voters, votersOutgoing, learners, learnersNext]) writeIds(out, ids);
  out.u8(Number(autoLeave));
}

function readConfState(input: ByteReader): ConfState {
  const [voters, votersOutgoing, learners, learnersNext] = [readIds(input), readIds(input), readIds(input), readIds(input)];
  const overlap = learners.some((id) => voters.includes(id) || votersOutgoing.includes(id));
  const autoLeave = input.u8() !== 0;
  if (voters.length === 0 || overlap || learnersNext.some((id) => !votersOutgoing.includes(id) || voters.includes(id))) {
    throw new CodecError('members: a configuration that cannot be');
  }
  return normalConfState({ voters, votersOutgoing, learners, learnersNext, autoLeave: autoLeave && votersOutgoing.length > 0 });
}

export function writeTexts(out: ByteWriter, texts: readonly string[]): ByteWriter {
  out.varint(texts.length);
  for (const text of texts) out.text(text);
  return out;
}

export function readTexts(input: ByteReader): string[] {
  return Array.from({ length: countOf(input, MAX_URLS, 1) }, () => input.text());
}

export function writeIds(out: ByteWriter, ids: readonly NodeId[]): ByteWriter {
  out.varint(ids.length);
  for (const id of ids) out.varint(id);
  return out;
}

export function readIds(input: ByteReader): NodeId[] {
  return Array.from({ length: countOf(input, 65_536, 1) }, () => input.varint());
}

function countOf(input: ByteReader, max: number, bytesEach: number): number {
  const count = input.count(bytesEach);
  if (count > max) throw new CodecError(`members: ${count} at one place`);
  return count;
}
