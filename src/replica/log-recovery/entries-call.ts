/**
 * The call `log.entries`: entries that the asking member has lost, by index and term. What is taken
 * of an answer is checked by the asking member: the index, the term, and that the entry is what its
 * proposer made.
 */

import { assert } from '../../base/assert.js';
import { ByteReader, ByteWriter, MiB } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import type { LogIndex, Term } from '../../base/ids.js';
import type { Entry } from '../../raft/types.js';
import type { LogPoint } from '../log/log-point.js';
import { SAYINGS, type Says } from './says.js';

export const LOG_ENTRIES_METHOD = 'log.entries';
/** Of entries in one answer; a single one may exceed it alone. */
export const ANSWER_BYTES = MiB;
/** Entries that are asked for at once. */
export const MAX_WANTED = 1024;

/** An entry; 0: its term is not known. */
export interface WantedEntry {
  readonly index: LogIndex;
  readonly term: Term;
}

export interface EntriesRequest {
  /** The newest term in which the asking member may have acknowledged anything. */
  readonly bound: Term;
  /** It has asked in vain: an answer is worth a higher term. */
  readonly insists: boolean;
  /** Term of the entry before the first wanted one; 0: not known. */
  readonly beforeTerm: Term;
  /** Ascending, 1 to MAX_WANTED. */
  readonly wanted: readonly WantedEntry[];
}

export interface Said {
  readonly says: Says;
  /** With `have` and `follow`. */
  readonly entry?: Entry;
}

export interface EntriesAnswer {
  /** The term that the answering member leads; 0: it does not. */
  readonly leads: Term;
  /** Its log begins after this. */
  readonly base: LogPoint;
  /** Of the first ones wanted, in order. */
  readonly said: readonly Said[];
}

export function encodeEntriesRequest({ bound, insists, beforeTerm, wanted }: EntriesRequest): Uint8Array {
  assert(wanted.length > 0 && wanted.length <= MAX_WANTED, `${wanted.length} entries are asked for at once`);
  const out = new ByteWriter(32 + wanted.length * 8).u53(bound).u8(Number(insists)).u53(beforeTerm).varint(wanted.length);
  let last = 0;
  for (const { index, term } of wanted) {
    out.varint(index - last).varint(term);
    last = index;
  }
  return out.finish();
}

/** Throws CodecError. */
export function decodeEntriesRequest(bytes: Uint8Array): EntriesRequest {
  const input = new ByteReader(bytes, LOG_ENTRIES_METHOD);
  const [bound, insists, beforeTerm] = [input.u53(), input.u8() !== 0, input.u53()];
  const count = input.count(2);
  if (count === 0 || count > MAX_WANTED) throw new CodecError(`${LOG_ENTRIES_METHOD}: ${count} entries are asked for`);
  const wanted: WantedEntry[] = [];
  let index = 0;
  for (let i = 0; i < count; i++) {
    const step = input.varint();
    if (step === 0) throw new CodecError(`${LOG_ENTRIES_METHOD}: entry ${index} is asked for twice`);
    index += step;
    wanted.push({ index, term: input.varint() });
  }
  input.end();
  return { bound, insists, beforeTerm, wanted };
}

export function encodeEntriesAnswer({ leads, base, said }: EntriesAnswer): Uint8Array {
  let size = 40;
  for (const { entry } of said) size += 24 + (entry?.data.length ?? 0);
  const out = new ByteWriter(size).u53(leads).u53(base.index).u53(base.term).varint(said.length);
  for (const { says, entry } of said) {
    out.u8(SAYINGS.indexOf(says));
    if (entry !== undefined) out.varint(entry.index).varint(entry.term).u8(Number(entry.type !== 'normal')).bytes(entry.data);
  }
  return out.finish();
}

/** Throws CodecError. */
export function decodeEntriesAnswer(bytes: Uint8Array): EntriesAnswer {
  const input = new ByteReader(bytes, LOG_ENTRIES_METHOD);
  const leads = input.u53();
  const base = { index: input.u53(), term: input.u53() };
  const said = Array.from({ length: input.count() }, (): Said => {
    const says = SAYINGS[input.u8()];
    if (says === undefined) throw new CodecError(`${LOG_ENTRIES_METHOD}: an answer of an unknown kind`);
    if (says !== 'have' && says !== 'follow') return { says };
    const [index, term] = [input.varint(), input.varint()];
    return { says, entry: { index, term, type: input.u8() === 0 ? 'normal' : 'confChange', data: input.bytes().slice() } };
  });
  input.end();
  return { leads, base, said };
}
