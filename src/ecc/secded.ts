/**
 * Hsiao's (72,64) code: corrects one wrong bit of 72 and detects two. A word is one column of eight
 * data shards and one shard of check bytes, so that neighbouring bytes of a block belong to
 * different words.
 *
 * All columns of the check matrix have odd weight: a single error has an odd syndrome, a double
 * error an even one.
 */

import { assert } from '../base/assert.js';
import type { ParityCodec } from './parity-codec.js';

const DATA_SHARDS = 8;

function weight(byte: number): number {
  let n = 0;
  for (let rest = byte; rest !== 0; rest &= rest - 1) n++;
  return n;
}

/**
 * The check bits of each of the 64 data bits: all 56 bytes of weight three, then eight of weight
 * five.
 */
const COLUMNS: readonly number[] = (() => {
  const bytes = Array.from({ length: 256 }, (_, i) => i);
  return [...bytes.filter((b) => weight(b) === 3), ...bytes.filter((b) => weight(b) === 5).slice(0, 8)];
})();

/** Check bits of each byte value in each of the eight places. */
const CHECKS: readonly Uint8Array[] = Array.from({ length: DATA_SHARDS }, (_, place) => {
  const table = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let check = 0;
    for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) check ^= COLUMNS[place * 8 + bit] as number;
    table[byte] = check;
  }
  return table;
});

/** Syndrome to data bit, 255 where it names none. */
assert(COLUMNS.length === 64 && new Set(COLUMNS).size === 64, 'each data bit has a syndrome of its own');

const BIT_OF = new Uint8Array(256).fill(255);
COLUMNS.forEach((column, bit) => (BIT_OF[column] = bit));

const [C0, C1, C2, C3, C4, C5, C6, C7] = CHECKS as [
  Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array,
];

function checkOf(shards: Uint8Array, n: number, j: number): number {
  return (
    (C0[shards[j] as number] as number) ^
    (C1[shards[j + n] as number] as number) ^
    (C2[shards[j + 2 * n] as number] as number) ^
    (C3[shards[j + 3 * n] as number] as number) ^
    (C4[shards[j + 4 * n] as number] as number) ^
    (C5[shards[j + 5 * n] as number] as number) ^
    (C6[shards[j + 6 * n] as number] as number) ^
    (C7[shards[j + 7 * n] as number] as number)
  );
}

export class Secded implements ParityCodec {
  readonly dataShards = DATA_SHARDS;
  readonly parityShards = 1;
  /** Bits, not shards. */
  readonly erasures = 0;

  encode(shards: Uint8Array, shardBytes: number, from = 0, to = shardBytes): void {
    const parity = DATA_SHARDS * shardBytes;
    for (let j = from; j < to; j++) shards[parity + j] = checkOf(shards, shardBytes, j);
  }

  restore(_shards: Uint8Array, _shardBytes: number, lost: readonly number[]): boolean {
    return lost.every((shard) => shard === DATA_SHARDS);
  }

  correct(shards: Uint8Array, shardBytes: number): number {
    let wrong = 0;
    for (let j = 0; j < shardBytes; j++) {
      const syndrome = checkOf(shards, shardBytes, j) ^ (shards[DATA_SHARDS * shardBytes + j] as number);
      if (syndrome === 0) continue;
      wrong++;
      // A power of two: the check bit itself is wrong.
      if ((syndrome & (syndrome - 1)) === 0) continue;
      const bit = BIT_OF[syndrome] as number;
      if (bit === 255) return -1;
      const at = (bit >> 3) * shardBytes + j;
      shards[at] = (shards[at] as number) ^ (1 << (bit & 7));
    }
    return wrong;
  }
}
