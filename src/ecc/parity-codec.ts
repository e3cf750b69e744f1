/**
 * One interface for all parity schemes. A codec works on `dataShards + parityShards` shards of
 * equal length that lie one after the other in one buffer, data first; byte j of every shard forms
 * column j, and each column is corrected for itself. A codec cannot tell right from wrong: whoever
 * calls it judges the result by a digest.
 */

import { assert } from '../base/assert.js';

/** Shards are a multiple of this, so that vector code needs no remainder loop. */
const SHARD_ALIGNMENT = 16;

export interface ParityCodec {
  readonly dataShards: number;
  readonly parityShards: number;
  /** Shards that may be lost in a column when it is known which. */
  readonly erasures: number;
  /**
   * Writes columns [from, to) of the parity shards, all if not said; both multiples of 4. `shards`
   * begins at a multiple of 4 bytes of its buffer.
   */
  encode(shards: Uint8Array, shardBytes: number, from?: number, to?: number): void;
  /**
   * Restores in columns [from, to) the data shards named in `lost`, using none of `lost`
   * (ascending; parity shards may be among them and are left as they are). False, and nothing
   * changed, if there are too many.
   */
  restore(shards: Uint8Array, shardBytes: number, lost: readonly number[], from: number, to: number): boolean;
  /**
   * Corrects data without being told where it is wrong, as far as the scheme can: one bit (secded)
   * or one byte (rs) per column. The number of columns that were wrong; -1 if one is beyond that,
   * and then `shards` may be half changed.
   */
  correct(shards: Uint8Array, shardBytes: number): number;
}

/** Bytes of each shard for a payload of this size. */
export function shardBytesOf(codec: ParityCodec, payloadBytes: number): number {
  assert(payloadBytes >= 0, 'bytes of a payload');
  const least = Math.ceil(payloadBytes / codec.dataShards);
  return Math.ceil(least / SHARD_ALIGNMENT) * SHARD_ALIGNMENT;
}
