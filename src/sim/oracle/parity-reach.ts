/**
 * What parity must be able to restore, by counting what differs. The census asks the store's
 * decoder whether a copy is good; where that decoder itself is on trial, nothing of it may be
 * asked, and this is the measure. Reed-Solomon and XOR replace as many shards as they have parity,
 * whatever became of the checksums; SEC-DED one bit of each column.
 */

import type { BlockSpec } from '../../storage/block/handle.js';
import { blockLayout } from '../../storage/block/layout.js';

/** `stored` may be short; `born` is the whole region as it was written. */
export function isWithinParity(stored: Uint8Array, born: Uint8Array, spec: BlockSpec): boolean {
  const { codec, shards, shardBytes, headerBytes } = blockLayout(spec.payloadBytes, spec.scheme);
  const differs = (shard: number, column: number): number => {
    const at = headerBytes + shard * shardBytes + column;
    return (stored[at] ?? 0) ^ (born[at] as number);
  };
  if (spec.scheme.kind === 'none') return false;
  let badShards = 0;
  let worstColumn = 0;
  const columns = new Uint8Array(shardBytes);
  for (let shard = 0; shard < shards; shard++) {
    let bad = false;
    for (let column = 0; column < shardBytes; column++) {
      const difference = differs(shard, column);
      if (difference === 0) continue;
      bad = true;
      columns[column] = (columns[column] as number) + bitsOf(difference);
      worstColumn = Math.max(worstColumn, columns[column] as number);
    }
    if (bad) badShards++;
  }
  return spec.scheme.kind === 'secded' ? worstColumn <= 1 : badShards <= codec.parityShards;
}

function bitsOf(byte: number): number {
  let bits = 0;
  for (let rest = byte; rest !== 0; rest &= rest - 1) bits++;
  return bits;
}
