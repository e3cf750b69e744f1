/**
 * HPACK's Huffman code (RFC 7541, appendix B), as far as printable ASCII needs it: codes of at most
 * 15 bits. The code is canonical: codes of one length are consecutive numbers, and a longer code
 * begins where the shorter ones end. So the symbols by length, in the order of their codes, are the
 * whole table.
 */

const SYMBOLS: readonly (readonly [bits: number, symbols: string])[] = [
  [5, '012aceiost'],
  [6, ' %-./3456789=A_bdfghlmnpru'],
  [7, ':BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz'],
  [8, '&*,;XZ'],
  [10, '!"()?'],
  [11, "'+|"],
  [12, '#>'],
  [13, '\0$@[]~'],
  [14, '^}'],
  [15, '<`{'],
];

export const LONGEST_CODE_BITS = 15;

/** The codes of one length: `symbols[i]` has the code `first + i`. */
interface Codes {
  readonly first: number;
  readonly symbols: string;
}

/** By length in bits. */
const codesOf: (Codes | undefined)[] = [];
const codeOf = new Map<string, { readonly code: number; readonly bits: number }>();
{
  let code = 0;
  let length = 5;
  for (const [bits, symbols] of SYMBOLS) {
    code <<= bits - length;
    length = bits;
    codesOf[bits] = { first: code, symbols };
    for (const symbol of symbols) codeOf.set(symbol, { code: code++, bits });
  }
}

/**
 * The symbol of a code of so many bits; undefined if there is none, so that more bits are needed.
 */
export function huffmanSymbol(code: number, bits: number): string | undefined {
  const codes = codesOf[bits];
  return codes === undefined ? undefined : codes.symbols[code - codes.first];
}

/** The code of a symbol; undefined for what is not in the table. */
export function huffmanCode(symbol: string): { readonly code: number; readonly bits: number } | undefined {
  return codeOf.get(symbol);
}

/** Text of coded bytes; from a code that is not in the table on it says `...`. */
export function huffmanDecode(bytes: Uint8Array): string {
  let out = '';
  let code = 0;
  let bits = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      code = (code << 1) | ((byte >>> bit) & 1);
      bits++;
      const symbol = huffmanSymbol(code, bits);
      if (symbol !== undefined) {
        out += symbol;
        code = bits = 0;
      } else if (bits > LONGEST_CODE_BITS) return `${out}...`;
    }
  }
  return out;
}

/** Coded bytes of text, padded with ones. All of its symbols must be in the table. */
export function huffmanEncode(text: string): Uint8Array {
  const out: number[] = [];
  let pending = 0;
  let held = 0;
  for (const symbol of text) {
    const { code, bits } = codeOf.get(symbol) ?? { code: 0, bits: 0 };
    for (let i = bits - 1; i >= 0; i--) {
      pending = (pending << 1) | ((code >>> i) & 1);
      if (++held === 8) {
        out.push(pending);
        pending = held = 0;
      }
    }
  }
  if (held > 0) out.push(((pending << (8 - held)) | (0xff >>> held)) & 0xff);
  return Uint8Array.from(out);
}
