/**
 * Replaces the slashes in the `:authority` of one HPACK header block, in place, with dots: both take one byte, and six
 * bits in HPACK's Huffman code (RFC 7541, appendix B), so no length and no size of the peer's dynamic table changes.
 */

const AUTHORITY_INDEX = 1;

/** The parts of HPACK's Huffman code that a walk needs: how long each code is, from its value. Canonical, so ranges suffice. */
const CODE_RANGES: readonly (readonly [bits: number, first: number, last: number])[] = [
  [5, 0x0, 0x9], [6, 0x14, 0x2d], [7, 0x5c, 0x7b], [8, 0xf8, 0xfd], [10, 0x3f8, 0x3fc], [11, 0x7fa, 0x7fc], [12, 0xffa, 0xffb],
  [13, 0x1ff8, 0x1ffd], [14, 0x3ffc, 0x3ffd], [15, 0x7ffc, 0x7ffe],
];
const CODED_SLASH = 0x18;
const CODED_DOT = 0x17;
const SLASH = 0x2f;
const DOT = 0x2e;

function patchCoded(bytes: Buffer, from: number, to: number): void {
  let code = 0;
  let bits = 0;
  for (let bit = from * 8; bit < to * 8; bit++) {
    code = (code << 1) | (((bytes[bit >> 3] as number) >> (7 - (bit & 7))) & 1);
    bits++;
    const range = CODE_RANGES.find(([length]) => length === bits);
    if (bits > 15) return;
    if (range === undefined || code < range[1] || code > range[2]) continue;
    if (bits === 6 && code === CODED_SLASH) {
      for (let i = 0; i < 6; i++) {
        const at = bit - 5 + i;
        const mask = 1 << (7 - (at & 7));
        const old = bytes[at >> 3] as number;
        bytes[at >> 3] = (CODED_DOT >> (5 - i)) & 1 ? old | mask : old & ~mask;
      }
    }
    code = bits = 0;
  }
}

/** Walks one header block; replaces slashes in the authority, in place. Anything unexpected ends the walk: Node will judge it. */
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
