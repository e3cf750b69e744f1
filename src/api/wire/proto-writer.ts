/**
 * Writes protobuf into a buffer of exactly the right size: callers first add up sizes, then write,
 * so that nothing grows, nothing is copied twice, and a wrong size is noticed (`finish` asserts
 * that the buffer is full).
 */

import { assert } from '../../base/assert.js';

/** Bytes of a varint; a negative number takes ten, as in protobuf. */
export function varintSize(n: number): number {
  if (n < 0) return 10;
  if (n < 0x80) return 1;
  if (n < 0x4000) return 2;
  if (n < 0x20_0000) return 3;
  if (n < 0x1000_0000) return 4;
  if (n < 0x8_0000_0000) return 5;
  if (n < 0x400_0000_0000) return 6;
  if (n < 0x2_0000_0000_0000) return 7;
  return 8;
}

/** Size of an int64 field with a one-byte tag; zero is not written. */
export function int64FieldSize(n: number): number {
  return n === 0 ? 0 : 1 + varintSize(n);
}

export function bigFieldSize(n: bigint): number {
  if (n === 0n) return 0;
  if (n >= 0n && n <= 0x1f_ffff_ffff_ffffn) return 1 + varintSize(Number(n));
  let rest = BigInt.asUintN(64, n);
  let size = 1;
  do {
    rest >>= 7n;
    size++;
  } while (rest !== 0n);
  return size;
}

/** Size of a bytes field with a one-byte tag; empty is not written. */
export function bytesFieldSize(bytes: Uint8Array): number {
  const n = bytes.length;
  return n === 0 ? 0 : 1 + varintSize(n) + n;
}

/** Size of an embedded message with a one-byte tag; written even when it is empty. */
export function messageFieldSize(size: number): number {
  return 1 + varintSize(size) + size;
}

/** Writes n, at least 0, from `from` on; returns where it ends. */
export function putVarint(out: Uint8Array, from: number, n: number): number {
  let at = from;
  let high = n;
  while (high >= 0x8000_0000) {
    out[at++] = (high % 0x80) | 0x80;
    high = Math.floor(high / 0x80);
  }
  // An integer of the machine from here on.
  let rest = high | 0;
  while (rest >= 0x80) {
    out[at++] = (rest & 0x7f) | 0x80;
    rest >>= 7;
  }
  out[at++] = rest;
  return at;
}

export class ProtoWriter {
  readonly #out: Buffer;
  #at = 0;

  /** Into a new buffer of this size, or into the one given, which must be filled. */
  constructor(into: number | Buffer) {
    this.#out = typeof into === 'number' ? Buffer.allocUnsafe(into) : into;
  }

  byte(byte: number): void {
    this.#out[this.#at++] = byte;
  }

  varint(n: number): void {
    if (n < 0) {
      this.#bigVarint(BigInt(n));
      return;
    }
    this.#at = putVarint(this.#out, this.#at, n);
  }

  #bigVarint(n: bigint): void {
    let rest = BigInt.asUintN(64, n);
    while (rest >= 0x80n) {
      this.#out[this.#at++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#out[this.#at++] = Number(rest);
  }

  int64Field(tag: number, n: number): void {
    if (n === 0) return;
    this.byte(tag);
    this.varint(n);
  }

  bigField(tag: number, n: bigint): void {
    if (n === 0n) return;
    this.byte(tag);
    this.#bigVarint(n);
  }

  boolField(tag: number, value: boolean): void {
    if (!value) return;
    this.byte(tag);
    this.byte(1);
  }

  raw(bytes: Uint8Array): void {
    const n = bytes.length;
    const out = this.#out;
    const at = this.#at;
    if (n < 24) {
      for (let i = 0; i < n; i++) out[at + i] = bytes[i] as number;
    } else {
      out.set(bytes, at);
    }
    this.#at = at + n;
  }

  /** Passes over what is in the buffer already. */
  skip(bytes: number): void {
    this.#at += bytes;
  }

  bytesField(tag: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.byte(tag);
    this.varint(bytes.length);
    this.raw(bytes);
  }

  /** Tag and length of an embedded message; its fields follow. */
  message(tag: number, size: number): void {
    this.byte(tag);
    this.varint(size);
  }

  finish(): Buffer {
    assert(this.#at === this.#out.length, `message of ${this.#out.length} bytes was filled to ${this.#at}`);
    return this.#out;
  }
}
