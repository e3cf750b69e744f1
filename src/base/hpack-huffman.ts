/**
 * HPACK's Huffman code (RFC 7541, appendix B). The code is canonical: codes of one length are
 * consecutive numbers, and a longer code begins where the shorter ones end. So the symbols by
 * length, in the order of their codes, are the whole table.
 */

import { must } from './assert.js';

/** A symbol is the character of its byte. */
const SYMBOLS: readonly (readonly [bits: number, symbols: string])[] = [
  [5, '012aceiost'],
  [6, ' %-./3456789=A_bdfghlmnpru'],
  [7, ':BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz'],
  [8, '&*,;XZ'],
  [10, '!"()?'],
  [11, '\'+|'],
  [12, '#>'],
  [13, '\x00$@[]~'],
  [14, '^}'],
  [15, '<`{'],
  [19, '\\\xc3\xd0'],
  [20, '\x80\x82\x83\xa2\xb8\xc2\xe0\xe2'],
  [21, '\x99\xa1\xa7\xac\xb0\xb1\xb3\xd1\xd8\xd9\xe3\xe5\xe6'],
  [22, '\x81\x84\x85\x86\x88\x92\x9a\x9c\xa0\xa3\xa4\xa9\xaa\xad\xb2\xb5\xb9\xba\xbb\xbd\xbe\xc4\xc6\xe4\xe8\xe9'],
  [
    23,
    '\x01\x87\x89\x8a\x8b\x8c\x8d\x8f\x93\x95\x96\x97\x98\x9b\x9d\x9e\xa5\xa6\xa8\xae\xaf\xb4\xb6\xb7\xbc\xbf\xc5' +
      '\xe7\xef',
  ],
  [24, '\x09\x8e\x90\x91\x94\x9f\xab\xce\xd7\xe1\xec\xed'],
  [25, '\xc7\xcf\xea\xeb'],
  [26, '\xc0\xc1\xc8\xc9\xca\xcd\xd2\xd5\xda\xdb\xee\xf0\xf2\xf3\xff'],
  [27, '\xcb\xcc\xd3\xd4\xd6\xdd\xde\xdf\xf1\xf4\xf5\xf6\xf7\xf8\xfa\xfb\xfc\xfd\xfe'],
  [
    28,
    '\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f' +
      '\xdc\xf9',
  ],
  [30, '\x0a\x0d\x16\u0100'],
];

/** What ends a string: its code is in no string, but its first bits are what fills up a byte. */
export const END_OF_STRING = 256;

/** The lowest `bits` bits of `code`, the highest of them first. */
export interface HuffmanCode {
  readonly code: number;
  readonly bits: number;
}

/** The codes of one length: `symbols[i]` has the code `first + i`. */
interface Codes {
  readonly first: number;
  readonly symbols: string;
}

/** By length in bits. */
const codesOf: (Codes | undefined)[] = [];
const codeOf: HuffmanCode[] = [];
{
  let code = 0;
  let length = 5;
  for (const [bits, symbols] of SYMBOLS) {
    code <<= bits - length;
    length = bits;
    codesOf[bits] = { first: code, symbols };
    for (let i = 0; i < symbols.length; i++) codeOf[symbols.charCodeAt(i)] = { code: code++, bits };
  }
}

/** The codes of all bytes, and of {@link END_OF_STRING}. */
export const HUFFMAN_CODES: readonly HuffmanCode[] = codeOf;

/** The symbol of a code of so many bits; undefined if there is none: more bits are needed. */
function huffmanSymbol(code: number, bits: number): string | undefined {
  const codes = codesOf[bits];
  return codes === undefined ? undefined : codes.symbols[code - codes.first];
}

/**
 * Text of coded bytes, each character one byte; where it ends before its bytes do it says `...`.
 */
export function huffmanDecode(bytes: Uint8Array): string {
  let out = '';
  let code = 0;
  let bits = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      code = (code << 1) | ((byte >>> bit) & 1);
      bits++;
      const symbol = huffmanSymbol(code, bits);
      if (symbol === undefined) continue;
      if (symbol.charCodeAt(0) === END_OF_STRING) return `${out}...`;
      out += symbol;
      code = bits = 0;
    }
  }
  return out;
}

/** Bytes that text takes when it is coded. */
export function huffmanBytes(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += codeOfByte(text, i).bits;
  return (bits + 7) >>> 3;
}

/** Coded bytes of text, whose characters are bytes; padded with ones. */
export function huffmanEncode(text: string): Uint8Array {
  const out = new Uint8Array(huffmanBytes(text));
  let n = 0;
  let byte = 0;
  let free = 8;
  for (let i = 0; i < text.length; i++) {
    const { code, bits } = codeOfByte(text, i);
    let left = bits;
    while (left > 0) {
      const taken = left < free ? left : free;
      left -= taken;
      byte = (byte << taken) | ((code >>> left) & ((1 << taken) - 1));
      free -= taken;
      if (free > 0) continue;
      out[n++] = byte;
      byte = 0;
      free = 8;
    }
  }
  if (free < 8) out[n] = (byte << free) | (0xff >>> (8 - free));
  return out;
}

function codeOfByte(text: string, at: number): HuffmanCode {
  const byte = text.charCodeAt(at);
  return must(byte < END_OF_STRING ? codeOf[byte] : undefined, 'text to be coded consists of bytes');
}
