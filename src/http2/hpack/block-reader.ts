/**
 * The integers and strings of a header block (RFC 7541, 5). Nothing is read beyond the block, and
 * nothing is allocated for a length that the block does not hold.
 */

import { EMPTY } from '../../base/bytes.js';
import { decodedRoom, huffmanDecodeInto } from './huffman-decoder.js';

/** Strings up to here are decoded into `scratch`, larger ones, which are rare, by themselves. */
const SCRATCH_BYTES = 1024;

/** Holds one string while it is made: it is taken out before anything else can be put in. */
const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);

/** Bytes: up to here text is made faster character by character. */
const SHORT_TEXT = 6;

/** Bytes that an integer may have beyond its first: more than any length or index needs. */
const MOST_BYTES = 4;

export class BlockReader {
  #bytes: Uint8Array = EMPTY;
  #at = 0;
  #end = 0;

  open(block: Uint8Array, from: number, to: number): void {
    this.#bytes = block;
    this.#at = from;
    this.#end = to;
  }

  /** Lets go of the block. */
  close(): void {
    this.#bytes = EMPTY;
    this.#at = this.#end = 0;
  }

  get done(): boolean {
    return this.#at >= this.#end;
  }

  /** The byte that comes next, which must be there. */
  get next(): number {
    return this.#bytes[this.#at] as number;
  }

  /** Of a prefix of so many bits (5.1); -1 if it ends early or is longer than any may be. */
  integer(prefixBits: number): number {
    if (this.#at >= this.#end) return -1;
    const most = (1 << prefixBits) - 1;
    const prefix = (this.#bytes[this.#at++] as number) & most;
    return prefix < most ? prefix : this.#longInteger(most);
  }

  #longInteger(most: number): number {
    let value = most;
    const last = Math.min(this.#end, this.#at + MOST_BYTES);
    for (let shift = 0; this.#at < last; shift += 7) {
      const byte = this.#bytes[this.#at++] as number;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return -1;
  }

  /** A string (5.2), each character one byte; undefined if it is broken. */
  text(): string | undefined {
    if (this.#at >= this.#end) return undefined;
    const coded = this.next >= 0x80;
    const from = this.#skipString();
    if (from < 0) return undefined;
    const length = this.#at - from;
    const room = coded ? decodedRoom(length) : length;
    const into = room <= SCRATCH_BYTES ? scratch : Buffer.allocUnsafeSlow(room);
    if (!coded) {
      if (length <= SHORT_TEXT) return shortText(this.#bytes, from, length);
      for (let i = 0; i < length; i++) into[i] = this.#bytes[from + i] as number;
      return into.toString('latin1', 0, length);
    }
    const n = huffmanDecodeInto(this.#bytes, from, this.#at, into);
    if (n < 0) return undefined;
    return n <= SHORT_TEXT ? shortText(into, 0, n) : into.toString('latin1', 0, n);
  }

  /** Passes over a string's bytes and says where they begin; -1 if they are not all there. */
  #skipString(): number {
    const length = this.integer(7);
    const from = this.#at;
    if (length < 0 || length > this.#end - from) return -1;
    this.#at = from + length;
    return from;
  }
}

function shortText(bytes: Uint8Array, from: number, length: number): string {
  let text = '';
  for (let i = from; i < from + length; i++) text += String.fromCharCode(bytes[i] as number);
  return text;
}
