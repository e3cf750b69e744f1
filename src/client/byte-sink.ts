/** Bytes of a tuple, one after the other. What is read is bounded by what is there. */

import { CodecError } from '../base/errors.js';

export class ByteSink {
  #bytes = new Uint8Array(64);
  #length = 0;

  byte(value: number): this {
    this.#room(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  all(bytes: Uint8Array): this {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** 00 is written as 00 FF, and 00 ends it: so what is longer comes later. */
  escaped(bytes: Uint8Array): this {
    let from = 0;
    for (let at = bytes.indexOf(0); at >= 0; at = bytes.indexOf(0, from)) {
      this.all(bytes.subarray(from, at + 1)).byte(0xff);
      from = at + 1;
    }
    return this.all(bytes.subarray(from)).byte(0);
  }

  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #room(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

export class ByteSource {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** Throws CodecError at the end. */
  byte(): number {
    return this.take(1)[0] as number;
  }

  /** A view. Throws CodecError if there are not so many. */
  take(count: number): Uint8Array {
    const end = this.#at + count;
    if (end > this.#bytes.length) throw new CodecError('a tuple is cut off');
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  /** Goes on past the next byte if it is this one. */
  skips(value: number): boolean {
    if (this.#bytes[this.#at] !== value) return false;
    this.#at++;
    return true;
  }

  /** What {@link ByteSink.escaped} wrote. Throws CodecError. */
  escaped(): Uint8Array {
    const out = new ByteSink();
    for (;;) {
      const end = this.#bytes.indexOf(0, this.#at);
      if (end < 0) throw new CodecError('a tuple is cut off');
      out.all(this.take(end - this.#at));
      this.#at++;
      if (!this.skips(0xff)) return out.bytes();
      out.byte(0);
    }
  }
}
