/**
 * HPACK once more, as RFC 7541 tells it: slow, without anything shared with what ships but the two
 * tables of its appendices. Bits are characters, tables are arrays, what is broken is thrown.
 */

import { END_OF_STRING, HUFFMAN_CODES } from '../../../base/hpack-huffman.js';
import { STATIC_FIELDS } from '../static-table.js';

export type Pair = readonly [name: string, value: string];

export class BrokenBlock extends Error {}

const SYMBOL_OF_BITS = new Map(HUFFMAN_CODES.map(({ code, bits }, symbol) => [code.toString(2).padStart(bits, '0'), symbol]));
const EOS_BITS = '1'.repeat(30);

export const sizeOf = ([name, value]: Pair): number => name.length + value.length + 32;

/** 5.2: padding is the most significant bits of the end of string, fewer than eight of them. */
function plainHuffman(bytes: readonly number[]): string {
  const bits = bytes.map((byte) => byte.toString(2).padStart(8, '0')).join('');
  let text = '';
  let code = '';
  for (const bit of bits) {
    code += bit;
    const symbol = SYMBOL_OF_BITS.get(code);
    if (symbol === undefined) continue;
    if (symbol === END_OF_STRING) throw new BrokenBlock('end of string in a string');
    text += String.fromCharCode(symbol);
    code = '';
  }
  if (code.length > 7 || !EOS_BITS.startsWith(code)) throw new BrokenBlock(`padding ${code}`);
  return text;
}

export function plainHuffmanEncode(text: string): number[] {
  let bits = '';
  for (let i = 0; i < text.length; i++) {
    const symbol = HUFFMAN_CODES[text.charCodeAt(i)];
    if (symbol === undefined) throw new Error('not a byte');
    bits += symbol.code.toString(2).padStart(symbol.bits, '0');
  }
  while (bits.length % 8 !== 0) bits += '1';
  return (bits.match(/.{8}/g) ?? []).map((byte) => parseInt(byte, 2));
}

/** 5.1. */
export function plainInteger(flags: number, prefixBits: number, value: number): number[] {
  const most = 2 ** prefixBits - 1;
  if (value < most) return [flags + value];
  const out = [flags + most];
  let rest = value - most;
  while (rest >= 128) {
    out.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return [...out, rest];
}

/** 2.3: one index over both tables. */
class PlainTable {
  capacity = 4096;
  fields: Pair[] = [];

  at(index: number): Pair {
    const field = index === 0 ? undefined : [...STATIC_FIELDS, ...this.fields][index - 1];
    if (field === undefined) throw new BrokenBlock(`index ${index}`);
    return field;
  }

  /** 0: none. */
  find(name: string, value?: string): number {
    return 1 + [...STATIC_FIELDS, ...this.fields].findIndex((row) => row[0] === name && (value === undefined || row[1] === value));
  }

  insert(field: Pair): void {
    this.fields.unshift(field);
    while (this.bytes() > this.capacity) this.fields.pop();
  }

  resize(capacity: number): void {
    this.capacity = capacity;
    while (this.bytes() > this.capacity) this.fields.pop();
  }

  bytes(): number {
    return this.fields.reduce((sum, field) => sum + sizeOf(field), 0);
  }
}

/** Decodes block after block; throws {@link BrokenBlock} for what RFC 7541 calls an error. */
export class PlainDecoder {
  readonly table = new PlainTable();
  readonly #maxTableBytes: number;
  #left: number[] = [];

  constructor(maxTableBytes = 4096) {
    this.#maxTableBytes = maxTableBytes;
    this.table.capacity = Math.min(4096, maxTableBytes);
  }

  decode(block: Uint8Array): Pair[] {
    this.#left = [...block];
    const fields: Pair[] = [];
    let updates = 0;
    while (this.#left.length > 0) {
      const bits = (this.#left[0] as number).toString(2).padStart(8, '0');
      if (bits.startsWith('1')) fields.push(this.table.at(this.#integer(7)));
      else if (bits.startsWith('01')) {
        const field = this.#literal(6);
        this.table.insert(field);
        fields.push(field);
      } else if (bits.startsWith('001')) {
        const capacity = this.#integer(5);
        if (capacity > this.#maxTableBytes || fields.length > 0 || ++updates > 2) throw new BrokenBlock(`size update ${capacity}`);
        this.table.resize(capacity);
      } else fields.push(this.#literal(4));
    }
    return fields;
  }

  #byte(): number {
    const byte = this.#left.shift();
    if (byte === undefined) throw new BrokenBlock('ends early');
    return byte;
  }

  /** At most four bytes after the first: a limit of the implementation, as 5.1 allows. */
  #integer(prefixBits: number): number {
    const most = 2 ** prefixBits - 1;
    let value = this.#byte() % 2 ** prefixBits;
    if (value < most) return value;
    for (let i = 0; i < 4; i++) {
      const byte = this.#byte();
      value += (byte % 128) * 128 ** i;
      if (byte < 128) return value;
    }
    throw new BrokenBlock('long integer');
  }

  #string(): string {
    if (this.#left.length === 0) throw new BrokenBlock('ends early');
    const coded = (this.#left[0] as number) >= 128;
    const length = this.#integer(7);
    if (length > this.#left.length) throw new BrokenBlock('ends early');
    const bytes = this.#left.splice(0, length);
    return coded ? plainHuffman(bytes) : String.fromCharCode(...bytes);
  }

  #literal(prefixBits: number): Pair {
    const index = this.#integer(prefixBits);
    const name = index === 0 ? this.#string() : this.table.at(index)[0];
    return [name, this.#string()];
  }
}

/** How a field is put; what is impossible in the moment is put as a literal. */
export interface Choice {
  /** Refer to an equal field of a table. */
  readonly indexed: boolean;
  /** Refer to a field of that name. */
  readonly nameIndexed: boolean;
  readonly literal: 'remembered' | 'forgotten' | 'never indexed';
  readonly huffman: boolean;
}

const FLAGS = { remembered: [0x40, 6], forgotten: [0x00, 4], 'never indexed': [0x10, 4] } as const;

/** What grpc-go does: everything is remembered. */
export const REMEMBER_ALL: Choice = { indexed: true, nameIndexed: true, literal: 'remembered', huffman: true };

/** Makes any block that RFC 7541 allows, by the choices it is given. */
export class PlainEncoder {
  readonly table = new PlainTable();

  /** What a table of another size begins the next block with (6.3). */
  resize(capacity: number): number[] {
    this.table.resize(capacity);
    return plainInteger(0x20, 5, capacity);
  }

  field([name, value]: Pair, choice: Choice): number[] {
    const index = this.table.find(name, value);
    if (choice.indexed && index > 0) return plainInteger(0x80, 7, index);
    const nameIndex = choice.nameIndexed ? this.table.find(name) : 0;
    const [flags, prefixBits] = FLAGS[choice.literal];
    const out = plainInteger(flags, prefixBits, nameIndex);
    if (nameIndex === 0) out.push(...this.#string(name, choice.huffman));
    out.push(...this.#string(value, choice.huffman));
    if (choice.literal === 'remembered') this.table.insert([name, value]);
    return out;
  }

  block(fields: readonly Pair[], choice: Choice = REMEMBER_ALL): Uint8Array {
    return Uint8Array.from(fields.flatMap((field) => this.field(field, choice)));
  }

  #string(text: string, huffman: boolean): number[] {
    const bytes = huffman ? plainHuffmanEncode(text) : [...text].map((c) => c.charCodeAt(0));
    return [...plainInteger(huffman ? 0x80 : 0, 7, bytes.length), ...bytes];
  }
}
