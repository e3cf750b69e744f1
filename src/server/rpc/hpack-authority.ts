/**
 * Replaces the slashes in the `:authority` of one HPACK header block, in place, with dots: both
 * take one byte, and six bits in HPACK's Huffman code (RFC 7541, appendix B), so no length and no
 * size of the peer's dynamic table changes.
 */

import { must } from '../../base/assert.js';
import { LONGEST_CODE_BITS, huffmanCode, huffmanSymbol } from '../../base/hpack-huffman.js';

const AUTHORITY_INDEX = 1;
const SLASH = 0x2f;
const DOT = 0x2e;
const CODED_DOT = must(huffmanCode('.'), 'a dot has a code');

/** Stops at a code that is not in the table: no host name has such a symbol. */
function patchCoded(bytes: Buffer, from: number, to: number): void {
  let code = 0;
  let bits = 0;
  for (let bit = from * 8; bit < to * 8; bit++) {
    code = (code << 1) | (((bytes[bit >> 3] as number) >> (7 - (bit & 7))) & 1);
    bits++;
    if (bits > LONGEST_CODE_BITS) return;
    const symbol = huffmanSymbol(code, bits);
    if (symbol === undefined) continue;
    if (symbol === '/') writeBits(bytes, bit + 1 - bits, CODED_DOT.code, CODED_DOT.bits);
    code = bits = 0;
  }
}

/** Writes the lowest `count` bits of `value` from bit `start` on. */
function writeBits(bytes: Buffer, start: number, value: number, count: number): void {
  for (let i = 0; i < count; i++) {
    const at = start + i;
    const mask = 1 << (7 - (at & 7));
    const old = bytes[at >> 3] as number;
    bytes[at >> 3] = (value >> (count - 1 - i)) & 1 ? old | mask : old & ~mask;
  }
}

/**
 * Walks one header block; replaces slashes in the authority, in place. Anything unexpected ends the
 * walk: Node will judge it.
 */
export function patchAuthority(bytes: Buffer, start: number, end: number): void {
  let at = start;
  const integer = (prefix: number): number => {
    const most = (1 << prefix) - 1;
    let n = (bytes[at++] as number) & most;
    if (n < most) return n;
    for (let shift = 0; shift <= 21 && at < end; shift += 7) {
      const byte = bytes[at++] as number;
      n += (byte & 0x7f) << shift;
      if (byte < 0x80) return n;
    }
    return end;
  };
  while (at < end) {
    const first = bytes[at] as number;
    if (first >= 0x80) integer(7);
    else if (first >= 0x20 && first < 0x40) integer(5);
    else {
      const name = integer(first >= 0x40 ? 6 : 4);
      if (name === 0) at += integer(7);
      const coded = at < end && ((bytes[at] as number) & 0x80) !== 0;
      const length = integer(7);
      if (at + length > end) return;
      if (name === AUTHORITY_INDEX) {
        if (coded) patchCoded(bytes, at, at + length);
        else for (let i = at; i < at + length; i++) if (bytes[i] === SLASH) bytes[i] = DOT;
      }
      at += length;
    }
  }
}
