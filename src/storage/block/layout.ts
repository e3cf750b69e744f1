/**
 * Where the parts of a block's region lie, as a function of payload size and scheme alone:
 *
 *   header | data shards (payload, zero padded) | parity shards | mirror of the header
 *
 * Shards follow each other without gaps and all have one length, so that a burst of up to
 * `parityShards` shard lengths, wherever it begins, hits each column at most that often. All
 * lengths are multiples of 8.
 */

import { assert } from '../../base/assert.js';
import { parityCodec } from '../../ecc/codec.js';
import { shardBytesOf, type ParityCodec } from '../../ecc/parity-codec.js';
import type { EccScheme } from '../../ecc/scheme.js';

/** Of the header, before the checksums of the shards. */
export const HEADER_FIXED_BYTES = 24;

export interface BlockLayout {
  readonly codec: ParityCodec;
  readonly shardBytes: number;
  /** Data and parity. */
  readonly shards: number;
  /** Of the header and of its mirror. The payload begins here. */
  readonly headerBytes: number;
  readonly parityAt: number;
  readonly mirrorAt: number;
  /** Of the whole region. */
  readonly length: number;
}

/** Of the header and of its mirror: fixed part, a checksum per shard, a checksum of the header. */
export function headerBytesOf(shards: number): number {
  return (HEADER_FIXED_BYTES + 4 * shards + 4 + 7) & ~7;
}

export function blockLayout(payloadBytes: number, scheme: EccScheme): BlockLayout {
  const codec = parityCodec(scheme);
  const shardBytes = shardBytesOf(codec, payloadBytes);
  assert(payloadBytes >= 0 && codec.dataShards * shardBytes >= payloadBytes, 'a payload fits into its data shards');
  const shards = codec.dataShards + codec.parityShards;
  const headerBytes = headerBytesOf(shards);
  const mirrorAt = headerBytes + shards * shardBytes;
  return {
    codec,
    shardBytes,
    shards,
    headerBytes,
    parityAt: headerBytes + codec.dataShards * shardBytes,
    mirrorAt,
    length: mirrorAt + headerBytes,
  };
}

/** Bytes of the region of a payload of this size. */
export function regionBytes(payloadBytes: number, scheme: EccScheme): number {
  return blockLayout(payloadBytes, scheme).length;
}
