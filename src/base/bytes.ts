/**
 * Reading and writing of binary records. Every reader is bounded: a length is checked against what
 * is left before anything is allocated, and a record that does not parse is a {@link CodecError}.
 */

import { assert } from './assert.js';
import { copyInSlices } from './drive.js';
import { CodecError } from './errors.js';

export const EMPTY = new Uint8Array(0);
export const KiB = 1024;
export const MiB = 1024 * 1024;

const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder();

export function utf8(text: string): Uint8Array {
  return textEncoder.encode(text);
}

export function fromUtf8(bytes: Uint8Array): string {
  return textDecoder.decode(bytes);
}

/**
 * Unsigned lexicographic order: negative, zero or positive. A plain loop beats Buffer.compare for
 * short keys.
 */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const n = a.length < b.length ? a.length : b.length;
  for (let i = 0; i < n; i++) {
    const d = (a[i] as number) - (b[i] as number);
    if (d !== 0) return d;
  }
  return a.length - b.length;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/**
 * The end of the range of all keys with this prefix; undefined when there is none (all bytes 0xff).
 */
export function prefixEnd(prefix: Uint8Array): Uint8Array | undefined {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const byte = prefix[i] as number;
    if (byte < 0xff) {
      // A copy also of a Buffer, whose `slice` is none.
      const end = Uint8Array.prototype.slice.call(prefix, 0, i + 1);
      end[i] = byte + 1;
      return end;
    }
  }
  return undefined;
}

const HEX: string[] = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));

export function toHex(bytes: Uint8Array): string {
  let out = '';
  for (const byte of bytes) out += HEX[byte];
  return out;
}

/** Of pairs of hex digits of either case. */
function writeHex(hex: string, out: Uint8Array, at: number): void {
  for (let i = 0; i + 1 < hex.length; i += 2) out[at++] = (nibble(hex.charCodeAt(i)) << 4) | nibble(hex.charCodeAt(i + 1));
}

/** '0' is 0x30, 'A' is 0x41, 'a' is 0x61. */
function nibble(code: number): number {
  return code < 0x3a ? code - 0x30 : (code | 0x20) - 0x57;
}

/** Bytes: up to here, text that is ASCII is made faster than a decoder is called. */
const SHORT_TEXT = 32;

const TWO_32 = 0x1_0000_0000;

/**
 * Eight bytes on their way from or to a BigInt. No record has a view of its own: most are small and
 * have none of these numbers, and to make a view costs more than to read all the rest.
 */
const wide = new DataView(new ArrayBuffer(8));

/** Appends little-endian numbers and length-prefixed bytes to a buffer that grows. */
export class ByteWriter {
  #bytes: Uint8Array;
  #length = 0;
  #owedFrom = Infinity;
  readonly #owed: { readonly at: number; readonly bytes: Uint8Array }[] = [];

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** May replace the buffer: take the offset first, name it after. */
  #room(n: number): number {
    const at = this.#length;
    const need = at + n;
    if (need > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(need, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
    }
    this.#length = need;
    return at;
  }

  u8(n: number): this {
    const at = this.#room(1);
    this.#bytes[at] = n;
    return this;
  }

  u16(n: number): this {
    const at = this.#room(2);
    this.#bytes[at] = n;
    this.#bytes[at + 1] = n >>> 8;
    return this;
  }

  u32(n: number): this {
    this.#put32(this.#room(4), n);
    return this;
  }

  /** A whole number below 2^53 in eight bytes. */
  u53(n: number): this {
    assert(Number.isSafeInteger(n) && n >= 0, `u53 takes 0 to 2^53-1, got ${n}`);
    const at = this.#room(8);
    this.#put32(at, n % TWO_32);
    this.#put32(at + 4, Math.floor(n / TWO_32));
    return this;
  }

  u64(n: bigint): this {
    wide.setBigUint64(0, n, true);
    return this.#putWide();
  }

  i64(n: bigint): this {
    wide.setBigInt64(0, n, true);
    return this.#putWide();
  }

  /** LEB128 of a whole number below 2^53: one to eight bytes. */
  varint(n: number): this {
    if (!Number.isSafeInteger(n) || n < 0) assert(false, `varint takes 0 to 2^53-1, got ${n}`);
    let rest = n;
    while (rest >= 0x80) {
      this.u8((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    return this.u8(rest);
  }

  raw(bytes: Uint8Array): this {
    const at = this.#room(bytes.length);
    if (bytes.length >= this.#owedFrom) this.#owed.push({ at, bytes });
    else this.#bytes.set(bytes, at);
    return this;
  }

  /** From now on what is so long gets its place only, until `settle` copies it there. */
  owe(from: number): this {
    this.#owedFrom = from;
    return this;
  }

  /** Copies, in slices, what is owed. Nothing is written meanwhile. */
  *settle(): Generator<void, void> {
    for (const { at, bytes } of this.#owed.splice(0)) yield* copyInSlices(this.#bytes, at, bytes);
  }

  /** A varint length, then the bytes. */
  bytes(bytes: Uint8Array): this {
    return this.varint(bytes.length).raw(bytes);
  }

  text(text: string): this {
    const { length } = text;
    for (let i = 0; i < length; i++) if (text.charCodeAt(i) >= 0x80) return this.bytes(utf8(text));
    this.varint(length);
    const at = this.#room(length);
    for (let i = 0; i < length; i++) this.#bytes[at + i] = text.charCodeAt(i);
    return this;
  }

  /** The bytes that an even number of lower-case hex digits stand for. */
  hex(digits: string): this {
    const at = this.#room(digits.length >> 1);
    writeHex(digits, this.#bytes, at);
    return this;
  }

  zeros(n: number): this {
    const at = this.#room(n);
    this.#bytes.fill(0, at, at + n);
    return this;
  }

  /** Overwrites four bytes written before. */
  patchU32(at: number, n: number): this {
    assert(at + 4 <= this.#length, 'patch inside what was written');
    this.#put32(at, n);
    return this;
  }

  /** A view of what was written so far; valid until the next write. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** A copy of exactly what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  reset(): this {
    this.#length = 0;
    return this;
  }

  #put32(at: number, n: number): void {
    const bytes = this.#bytes;
    bytes[at] = n;
    bytes[at + 1] = n >>> 8;
    bytes[at + 2] = n >>> 16;
    bytes[at + 3] = n >>> 24;
  }

  #putWide(): this {
    const at = this.#room(8);
    for (let i = 0; i < 8; i++) this.#bytes[at + i] = wide.getUint8(i);
    return this;
  }
}

/**
 * The counterpart of {@link ByteWriter}. Every method throws {@link CodecError} when the input ends
 * too early.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at: number;
  readonly #what: string;

  /** `what` names the record in error messages. */
  constructor(bytes: Uint8Array, what: string, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
    this.#what = what;
  }

  get offset(): number {
    return this.#at;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  #take(n: number): number {
    const at = this.#at;
    if (n < 0 || n > this.#bytes.length - at) {
      throw new CodecError(`${this.#what} ends early: ${n} bytes wanted at ${at} of ${this.#bytes.length}`);
    }
    this.#at = at + n;
    return at;
  }

  u8(): number {
    return this.#bytes[this.#take(1)] as number;
  }

  u16(): number {
    const at = this.#take(2);
    return (this.#bytes[at] as number) | ((this.#bytes[at + 1] as number) << 8);
  }

  u32(): number {
    return this.#get32(this.#take(4));
  }

  u53(): number {
    const at = this.#take(8);
    const high = this.#get32(at + 4);
    if (high >= 0x20_0000) throw new CodecError(`${this.#what}: number above 2^53 at ${at}`);
    return high * TWO_32 + this.#get32(at);
  }

  u64(): bigint {
    this.#getWide();
    return wide.getBigUint64(0, true);
  }

  i64(): bigint {
    this.#getWide();
    return wide.getBigInt64(0, true);
  }

  varint(): number {
    let result = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      const byte = this.u8();
      result += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (result > Number.MAX_SAFE_INTEGER) break;
        return result;
      }
      scale *= 0x80;
    }
    throw new CodecError(`${this.#what}: varint above 2^53 before ${this.#at}`);
  }

  /** A view, not a copy. */
  raw(n: number): Uint8Array {
    const at = this.#take(n);
    return this.#bytes.subarray(at, at + n);
  }

  /** A view, not a copy. */
  bytes(): Uint8Array {
    return this.raw(this.varint());
  }

  text(): string {
    const length = this.varint();
    const at = this.#take(length);
    if (length > SHORT_TEXT) return fromUtf8(this.#bytes.subarray(at, at + length));
    let text = '';
    for (let i = at; i < at + length; i++) {
      const byte = this.#bytes[i] as number;
      if (byte >= 0x80) return fromUtf8(this.#bytes.subarray(at, at + length));
      text += String.fromCharCode(byte);
    }
    return text;
  }

  /**
   * A count of items that take at least `bytesEach`: refused before anything of that size is
   * allocated.
   */
  count(bytesEach = 1): number {
    const n = this.varint();
    if (n * bytesEach > this.remaining) throw new CodecError(`${this.#what}: count ${n} does not fit into what is left`);
    return n;
  }

  end(): void {
    if (this.remaining !== 0) throw new CodecError(`${this.#what} has ${this.remaining} bytes too many`);
  }

  #get32(at: number): number {
    const bytes = this.#bytes;
    const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16);
    return (low | ((bytes[at + 3] as number) << 24)) >>> 0;
  }

  #getWide(): void {
    const at = this.#take(8);
    for (let i = 0; i < 8; i++) wide.setUint8(i, this.#bytes[at + i] as number);
  }
}
