/** The parts of a header block (RFC 7541, 5 and 6), written. */

import type { ByteWriter } from '../../base/bytes.js';
import { huffmanBytes, huffmanEncode } from '../../base/hpack-huffman.js';

/** The first byte of a part: flags that say what it is, and the first bits of an integer. */
export interface Prefix {
  readonly flags: number;
  readonly bits: number;
}

/** A field by its index alone (6.1). */
export const INDEXED: Prefix = { flags: 0x80, bits: 7 };
/** A literal to be remembered (6.2.1), with the index of its name. */
export const REMEMBERED: Prefix = { flags: 0x40, bits: 6 };
/** A literal that is not (6.2.2). */
export const FORGOTTEN: Prefix = { flags: 0x00, bits: 4 };
/** The table's size from here on (6.3). */
export const RESIZED: Prefix = { flags: 0x20, bits: 5 };

const PLAIN: Prefix = { flags: 0x00, bits: 7 };
const CODED: Prefix = { flags: 0x80, bits: 7 };

/** An integer (5.1). */
export function writeInteger(out: ByteWriter, prefix: Prefix, value: number): void {
  const most = (1 << prefix.bits) - 1;
  if (value < most) out.u8(prefix.flags | value);
  else out.u8(prefix.flags | most).varint(value - most);
}

/** A string (5.2) whose characters are bytes, in Huffman's code if that is shorter. */
export function writeString(out: ByteWriter, text: string): void {
  const coded = huffmanBytes(text);
  if (coded < text.length) {
    writeInteger(out, CODED, coded);
    out.raw(huffmanEncode(text));
    return;
  }
  writeInteger(out, PLAIN, text.length);
  for (let i = 0; i < text.length; i++) out.u8(text.charCodeAt(i));
}
