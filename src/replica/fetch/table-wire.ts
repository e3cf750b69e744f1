/**
 * The call `table.regions`: payloads of a table's blocks, by what the bytes are (birth and file
 * digest) and never by an id or a path, so that any file on any node that holds them can answer.
 * Nothing in an answer is believed: the asker checks every payload against the digest chain it
 * holds itself (S4, S6). Payloads are enough, because every other byte of a region is a function of
 * its payload.
 */

import { assert } from '../../base/assert.js';
import { ByteReader, ByteWriter, MiB } from '../../base/bytes.js';
import { readDigest, writeDigest } from '../../base/digest.js';
import { CodecError } from '../../base/errors.js';
import { MAX_PAYLOAD_BYTES } from '../../storage/block/handle.js';
import { readBirth, writeBirth } from '../../storage/table/birth-codec.js';
import type { TableName } from '../../storage/table/table-meta.js';

export const TABLE_REGIONS_METHOD = 'table.regions';
/**
 * Bytes of payloads in one answer; a single one may exceed it alone (a block of one huge value).
 */
export const ANSWER_BYTES = MiB;
/** A payload is a block's, and a reply has room for any block. */
export const PAYLOAD_BYTES_MAX = MAX_PAYLOAD_BYTES;

/** No file has bytes beyond it; two of it can still be added. */
const OFFSET_MAX = 2 ** 48;

export interface RegionsRequest extends TableName {
  /** Where a region begins. */
  readonly offset: number;
  /** Regions that begin in [offset, offset + bytes) are wanted. */
  readonly bytes: number;
}

export interface Piece {
  /** Where the region begins. */
  readonly offset: number;
  /** Undefined where the copy here is beyond repair too. */
  readonly payload: Uint8Array | undefined;
}

export type RegionsAnswer =
  /** No file here holds these bytes, and none is going to. */
  | { readonly kind: 'none' }
  /** Not now: the table is owed here, or this node is busy. Ask again. */
  | { readonly kind: 'later' }
  /**
   * In file order, cut off at the answer's budget. `next` is where the first region begins that was
   * not served.
   */
  | { readonly kind: 'pieces'; readonly pieces: readonly Piece[]; readonly next: number };

export function encodeRegionsRequest(request: RegionsRequest): Uint8Array {
  assert(request.offset >= 0 && request.bytes > 0, `regions of ${request.bytes} bytes from ${request.offset}`);
  const out = new ByteWriter(80);
  writeBirth(out, request.birth);
  writeDigest(out, request.fileDigest);
  return out.varint(request.offset).varint(request.bytes).finish();
}

export function decodeRegionsRequest(bytes: Uint8Array): RegionsRequest {
  const input = new ByteReader(bytes, TABLE_REGIONS_METHOD);
  const request = { birth: readBirth(input), fileDigest: readDigest(input), offset: input.varint(), bytes: input.varint() };
  input.end();
  const { offset, bytes: span } = request;
  if (span === 0 || offset > OFFSET_MAX || span > OFFSET_MAX) throw new CodecError(`${TABLE_REGIONS_METHOD}: ${span} bytes from ${offset}`);
  return request;
}

const NONE = 0;
const LATER = 1;
const PIECES = 2;

export function encodeRegionsAnswer(answer: RegionsAnswer): Uint8Array {
  if (answer.kind !== 'pieces') return Uint8Array.of(answer.kind === 'none' ? NONE : LATER);
  let size = 24;
  assert(answer.pieces.every(({ payload }) => payload === undefined || payload.length <= PAYLOAD_BYTES_MAX), 'S4 an answer fits into a reply');
  assert(answer.next > (answer.pieces.at(-1)?.offset ?? -1), `S4 the next region comes after those that are served: ${answer.next}`);
  for (const piece of answer.pieces) size += 16 + (piece.payload?.length ?? 0);
  const out = new ByteWriter(size).u8(PIECES).varint(answer.next).varint(answer.pieces.length);
  for (const piece of answer.pieces) {
    out.varint(piece.offset).u8(piece.payload === undefined ? 0 : 1);
    if (piece.payload !== undefined) out.bytes(piece.payload);
  }
  return out.finish();
}

/** The payloads are views into `bytes`. Throws CodecError. */
export function decodeRegionsAnswer(bytes: Uint8Array): RegionsAnswer {
  const input = new ByteReader(bytes, `answer to ${TABLE_REGIONS_METHOD}`);
  const kind = input.u8();
  if (kind === NONE || kind === LATER) {
    input.end();
    return { kind: kind === NONE ? 'none' : 'later' };
  }
  if (kind !== PIECES) throw new CodecError(`answer to ${TABLE_REGIONS_METHOD}: kind ${kind}`);
  const next = input.varint();
  if (next > 2 * OFFSET_MAX) throw new CodecError(`answer to ${TABLE_REGIONS_METHOD}: the next region is at ${next}`);
  const count = input.count(2);
  const pieces: Piece[] = [];
  for (let i = 0; i < count; i++) {
    const offset = input.varint();
    const good = input.u8() === 1;
    pieces.push({ offset, payload: good ? input.bytes() : undefined });
  }
  input.end();
  return { kind: 'pieces', pieces, next };
}
