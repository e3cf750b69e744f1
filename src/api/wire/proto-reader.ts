/**
 * Reads protobuf without reflection. Bounded: no length is believed before it is compared with what
 * is left, and bytes fields are views, so a decoder allocates no more than the message has.
 * Whatever does not parse is a CodecError.
 */

import { EMPTY } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';

const TWO_32 = 0x1_0000_0000;
const MAX = Number.MAX_SAFE_INTEGER;

export class ProtoReader {
  readonly bytes: Uint8Array;
  at: number;
  #low = 0;
  #high = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.at = 0;
  }

  /** A varint as two halves of 32 bits; `end` is the end of the enclosing message. */
  #varint(end: number): void {
    const bytes = this.bytes;
    let at = this.at;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (at >= end) throw new CodecError('unexpected EOF');
      const byte = bytes[at++] as number;
      if (shift < 28) {
        low |= (byte & 0x7f) << shift;
      } else if (shift === 28) {
        low |= (byte & 0x7f) << 28;
        high |= (byte & 0x7f) >> 4;
      } else {
        high |= (byte & 0x7f) << (shift - 32);
      }
      if (byte < 0x80) {
        this.at = at;
        this.#low = low >>> 0;
        this.#high = high;
        return;
      }
    }
    throw new CodecError('proto: integer overflow');
  }

  /** Field number * 8 + wire type. */
  tag(end: number): number {
    const tag = this.uint32(end);
    if (tag < 8) throw new CodecError(`proto: illegal tag ${tag >>> 3} (wire type ${tag & 7})`);
    return tag;
  }

  /** The low 32 bits, as enums and tags are read. */
  uint32(end: number): number {
    const at = this.at;
    if (at < end) {
      const byte = this.bytes[at] as number;
      if (byte < 0x80) {
        this.at = at + 1;
        return byte;
      }
    }
    this.#varint(end);
    return this.#low;
  }

  bool(end: number): boolean {
    this.#varint(end);
    return (this.#low | this.#high) !== 0;
  }

  /**
   * int64 as a number; what lies beyond +-(2^53-1) saturates, which keeps every comparison with a
   * real revision.
   */
  int64(end: number): number {
    const at = this.at;
    if (at < end) {
      const byte = this.bytes[at] as number;
      if (byte < 0x80) {
        this.at = at + 1;
        return byte;
      }
    }
    this.#varint(end);
    const value = (this.#high | 0) * TWO_32 + this.#low;
    return value > MAX ? MAX : value < -MAX ? -MAX : value;
  }

  int64Big(end: number): bigint {
    this.#varint(end);
    return (BigInt(this.#high | 0) << 32n) | BigInt(this.#low);
  }

  uint64Big(end: number): bigint {
    this.#varint(end);
    return (BigInt(this.#high >>> 0) << 32n) | BigInt(this.#low);
  }

  /** Reads the length of a bytes field or message and returns where it ends. */
  lengthEnd(end: number): number {
    const length = this.int64(end);
    if (length < 0 || length > end - this.at) throw new CodecError('unexpected EOF');
    return this.at + length;
  }

  /** A view. */
  view(end: number): Uint8Array {
    const to = this.lengthEnd(end);
    const from = this.at;
    this.at = to;
    return from === to ? EMPTY : this.bytes.subarray(from, to);
  }

  /** Passes over a field that is not known here. */
  skip(tag: number, end: number): void {
    switch (tag & 7) {
      case 0:
        this.#varint(end);
        return;
      case 1:
        this.#pass(8, end);
        return;
      case 2:
        this.at = this.lengthEnd(end);
        return;
      case 5:
        this.#pass(4, end);
        return;
      default:
        throw new CodecError(`proto: illegal wireType ${tag & 7}`);
    }
  }

  #pass(n: number, end: number): void {
    if (n > end - this.at) throw new CodecError('unexpected EOF');
    this.at += n;
  }
}
