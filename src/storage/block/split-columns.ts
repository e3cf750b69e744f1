/**
 * Where a burst begins inside a shard: the shard is intact up to some unknown column, and parity
 * restores it rightly from there on. Only the checksum of the whole shard tells. Checksums are
 * linear, so one pass tries all columns, instead of a checksum for each.
 */

import { assert } from '../../base/assert.js';
import { crc32c } from '../../base/crc32c.js';

/**
 * State of the checksum's register after one byte from zero, and the byte that a state's top byte
 * stands for.
 */
const STEP = new Uint32Array(256);
const BYTE_OF_TOP = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) {
  const state = ~crc32c(Uint8Array.of(byte), 0xffff_ffff) >>> 0;
  STEP[byte] = state;
  BYTE_OF_TOP[state >>> 24] = byte;
}

/** Columns offered at most: more than one is an accident of 2^-32 each. */
const MAX_SPLITS = 8;

/**
 * The columns c, highest first, for which `stored[0, c)` followed by `restored[c, end)` has the
 * checksum `crc`. Of neighbours that give the same bytes only one is named.
 */
export function splitColumns(stored: Uint8Array, restored: Uint8Array, crc: number): number[] {
  const length = stored.length;
  assert(restored.length === length, 'one shard, as read and as restored');
  // prefix[c]: register after the differences before column c.
  const prefix = new Uint32Array(length + 1);
  for (let c = 0; c < length; c++) {
    const state = prefix[c] as number;
    const difference = (stored[c] as number) ^ (restored[c] as number);
    prefix[c + 1] = (STEP[(state ^ difference) & 0xff] as number) ^ (state >>> 8);
  }
  // The differences from c on must change the checksum from what it is to `crc`; so must those
  // before c change it by the rest, `wanted`, once zeros up to the end have passed through: taken
  // back zero by zero.
  let wanted = ((prefix[length] as number) ^ crc32c(stored) ^ crc) >>> 0;
  const found: number[] = [];
  let last = -2;
  for (let c = length; c >= 0 && found.length < MAX_SPLITS; c--) {
    if (prefix[c] === wanted) {
      const same = last === c + 1 && stored[c] === restored[c];
      if (!same) found.push(c);
      last = c;
    }
    const byte = BYTE_OF_TOP[wanted >>> 24] as number;
    wanted = (((wanted ^ (STEP[byte] as number)) << 8) | byte) >>> 0;
  }
  return found;
}
