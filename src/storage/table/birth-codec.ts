/**
 * Bytes of a birth: short ones for manifests, log entries, messages and hints; of fixed length for
 * what a table says of itself, because a footer has a fixed size. Reading throws CodecError on
 * damage.
 */

import type { ByteReader, ByteWriter } from '../../base/bytes.js';
import type { Birth } from './table-meta.js';

export function writeBirth(out: ByteWriter, birth: Birth): void {
  out.varint(birth.term).varint(birth.proposer).varint(birth.sequence).varint(birth.ordinal);
}

export function readBirth(input: ByteReader): Birth {
  return { term: input.varint(), proposer: input.varint(), sequence: input.varint(), ordinal: input.varint() };
}

/** 32 bytes. */
export function writeFixedBirth(out: ByteWriter, birth: Birth): void {
  out.u53(birth.term).u53(birth.proposer).u53(birth.sequence).u53(birth.ordinal);
}

export function readFixedBirth(input: ByteReader): Birth {
  return { term: input.u53(), proposer: input.u53(), sequence: input.u53(), ordinal: input.u53() };
}
