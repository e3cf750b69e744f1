/**
 * A message that is put together field by field, as they come. Its size is known at the end only,
 * so parts are kept and joined once; long values are kept as they are.
 */

import { putVarint } from '../wire/proto-writer.js';

const SMALL = 4096;
const LONGEST_VARINT = 10;

export class MessageBuilder {
  readonly #parts: Uint8Array[] = [];
  #part = Buffer.allocUnsafe(128);
  #filled = 0;
  #size = 0;

  varint(number: number, value: bigint): void {
    this.#room(2 * LONGEST_VARINT);
    this.#filled = putVarint(this.#part, this.#filled, number * 8);
    let rest = BigInt.asUintN(64, value);
    while (rest >= 0x80n) {
      this.#part[this.#filled++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#part[this.#filled++] = Number(rest);
  }

  /** A value with its length: bytes, text, a message. It is kept, and not changed any more. */
  bytes(number: number, value: Uint8Array): void {
    this.#room(2 * LONGEST_VARINT);
    this.#filled = putVarint(this.#part, this.#filled, number * 8 + 2);
    this.#filled = putVarint(this.#part, this.#filled, value.length);
    if (value.length > SMALL) {
      this.#endPart();
      this.#parts.push(value);
      this.#size += value.length;
      return;
    }
    this.#room(value.length);
    this.#part.set(value, this.#filled);
    this.#filled += value.length;
  }

  finish(): Uint8Array {
    this.#endPart();
    return this.#parts.length === 1 ? (this.#parts[0] as Uint8Array) : Buffer.concat(this.#parts, this.#size);
  }

  #room(bytes: number): void {
    if (this.#filled + bytes <= this.#part.length) return;
    this.#endPart();
    this.#part = Buffer.allocUnsafe(Math.max(bytes, SMALL));
  }

  #endPart(): void {
    if (this.#filled === 0) return;
    this.#parts.push(this.#part.subarray(0, this.#filled));
    this.#size += this.#filled;
    this.#part = this.#part.subarray(this.#filled) as Buffer<ArrayBuffer>;
    this.#filled = 0;
  }
}
