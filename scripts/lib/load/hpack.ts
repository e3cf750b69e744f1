/**
 * As much of HPACK (RFC 7541) as the lean client needs: literals without an index going out; coming
 * in, header blocks of a peer that was told to keep no dynamic table. Only `grpc-status` and
 * `grpc-message` are looked at; all else is skipped by its length.
 */

import { huffmanDecode, huffmanEncode } from '../../../src/base/hpack-huffman.js';

/** Literals without indexing, not Huffman coded; names and values shorter than 127 bytes. */
export function encodeHeaders(headers: readonly (readonly [string, string])[]): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of headers) {
    parts.push(Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value));
  }
  return Buffer.concat(parts);
}

export interface GrpcStatus {
  /** Undefined: this block carries none. */
  status: number | undefined;
  message: string;
}

const STATUS = 'grpc-status';
const STATUS_CODED = huffmanEncode(STATUS);
const MESSAGE = 'grpc-message';
const MESSAGE_CODED = huffmanEncode(MESSAGE);

/** Walks one header block. */
class BlockReader {
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;
  #from = 0;
  #to = 0;
  #coded = false;

  constructor(bytes: Buffer, at: number, end: number) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  #integer(prefixBits: number): number {
    const most = (1 << prefixBits) - 1;
    let n = (this.#bytes[this.#at++] as number) & most;
    if (n < most) return n;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes[this.#at++] as number;
      n += (byte & 0x7f) << shift;
      if (byte < 0x80) return n;
    }
  }

  #string(): void {
    this.#coded = ((this.#bytes[this.#at] as number) & 0x80) !== 0;
    const length = this.#integer(7);
    this.#from = this.#at;
    this.#at = this.#to = this.#at + length;
  }

  #is(plain: string, coded: Uint8Array): boolean {
    if (!this.#coded) return this.#to - this.#from === plain.length && this.#bytes.toString('latin1', this.#from, this.#to) === plain;
    if (this.#to - this.#from !== coded.length) return false;
    for (let i = 0; i < coded.length; i++) if (this.#bytes[this.#from + i] !== coded[i]) return false;
    return true;
  }

  #text(): string {
    const raw = this.#bytes.subarray(this.#from, this.#to);
    return this.#coded ? huffmanDecode(raw) : raw.toString('latin1');
  }

  readInto(out: GrpcStatus): void {
    while (this.#at < this.#end) {
      const first = this.#bytes[this.#at] as number;
      if (first >= 0x80) {
        this.#integer(7);
        continue;
      }
      if (first >= 0x20 && first < 0x40) {
        this.#integer(5);
        continue;
      }
      const named = this.#integer(first >= 0x40 ? 6 : 4);
      if (named === 0) this.#string();
      const isStatus = named === 0 && this.#is(STATUS, STATUS_CODED);
      const isMessage = named === 0 && !isStatus && this.#is(MESSAGE, MESSAGE_CODED);
      this.#string();
      if (isStatus) out.status = Number(this.#text());
      else if (isMessage) out.message = decodeURIComponent(this.#text());
    }
  }
}

export function readGrpcStatus(bytes: Buffer, at: number, end: number, out: GrpcStatus): void {
  new BlockReader(bytes, at, end).readInto(out);
}
