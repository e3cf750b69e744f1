/**
 * A message in bytes as proto3 JSON, in pieces, straight from one to the other: what is held of a
 * large answer besides its bytes is one piece. As etcd's gateway writes it: names as in the
 * `.proto` file, 64-bit numbers as strings, bytes in base64, enums by name, nothing that has its
 * default.
 *
 * Fields come in the order of the bytes. Our encoders write the elements of a repeated field one
 * behind the other; bytes in which they are not together are no answer of ours, and are refused.
 */

import { CodecError } from '../../base/errors.js';
import { ProtoReader } from '../wire/proto-reader.js';
import type { FieldSchema, MessageSchema } from './schema.js';

/** Characters of a piece, but for one value that is longer. */
const PIECE_CHARS = 32 * 1024;
const WIRE_BYTES = 2;

/** A message that is being written. */
interface Frame {
  readonly schema: MessageSchema;
  readonly end: number;
  /** The repeated field whose list is open. */
  list: FieldSchema | undefined;
  /** Of repeated fields: those that were there. */
  readonly lists: FieldSchema[];
  empty: boolean;
}

const utf8 = new TextDecoder('utf-8');

/**
 * Yields pieces of text. Throws CodecError if the bytes are no such message. Whoever drives it lets
 * others in between two pieces.
 */
export function* writeJson(schema: MessageSchema, bytes: Uint8Array): Generator<string, void> {
  const writer = new JsonWriter(schema, bytes);
  for (let piece = writer.piece(); piece !== undefined; piece = writer.piece()) yield piece;
}

class JsonWriter {
  readonly #reader: ProtoReader;
  readonly #frames: Frame[] = [];
  #out = '';

  constructor(schema: MessageSchema, bytes: Uint8Array) {
    this.#reader = new ProtoReader(bytes);
    this.#open(schema, bytes.length);
  }

  /** Undefined: that was all. */
  piece(): string | undefined {
    for (let frame = this.#frames.at(-1); frame !== undefined; frame = this.#frames.at(-1)) {
      if (this.#reader.at < frame.end) this.#field(frame);
      else this.#close(frame);
      if (this.#out.length >= PIECE_CHARS) break;
    }
    const piece = this.#out;
    this.#out = '';
    return piece === '' ? undefined : piece;
  }

  #open(schema: MessageSchema, end: number): void {
    this.#out += '{';
    this.#frames.push({ schema, end, list: undefined, lists: [], empty: true });
  }

  #close(frame: Frame): void {
    this.#closeList(frame);
    this.#out += '}';
    this.#frames.pop();
  }

  #closeList(frame: Frame): void {
    if (frame.list === undefined) return;
    frame.list = undefined;
    this.#out += ']';
  }

  #field(frame: Frame): void {
    const reader = this.#reader;
    const tag = reader.tag(frame.end);
    const field = frame.schema.byNumber.get(tag >>> 3);
    if (field === undefined) {
      reader.skip(tag, frame.end);
      return;
    }
    const isBytes = (tag & 7) === WIRE_BYTES;
    if (field.kind === 'message' || field.kind === 'bytes' || field.kind === 'string') {
      if (!isBytes) throw new CodecError(`proto: ${frame.schema.name}.${field.name} has wire type ${tag & 7}`);
      this.#sized(frame, field);
    } else if (isBytes) this.#packed(frame, field);
    else if ((tag & 7) === 0) this.#value(frame, field, this.#number(field, frame.end));
    else throw new CodecError(`proto: ${frame.schema.name}.${field.name} has wire type ${tag & 7}`);
  }

  #sized(frame: Frame, field: FieldSchema): void {
    const reader = this.#reader;
    if (field.message !== undefined) {
      this.#begin(frame, field);
      this.#open(field.message, reader.lengthEnd(frame.end));
      return;
    }
    const view = reader.view(frame.end);
    if (view.length === 0 && isPlain(field)) return;
    if (field.kind === 'string') this.#value(frame, field, JSON.stringify(utf8.decode(view)));
    else this.#value(frame, field, `"${Buffer.from(view.buffer, view.byteOffset, view.length).toString('base64')}"`);
  }

  #packed(frame: Frame, field: FieldSchema): void {
    const end = this.#reader.lengthEnd(frame.end);
    while (this.#reader.at < end) this.#value(frame, field, this.#number(field, end));
  }

  /** '': the default. */
  #number(field: FieldSchema, end: number): string {
    const reader = this.#reader;
    const plain = isPlain(field);
    switch (field.kind) {
      case 'bool': {
        const value = reader.bool(end);
        return value || !plain ? String(value) : '';
      }
      case 'enum': {
        const value = reader.uint32(end) | 0;
        if (value === 0 && plain) return '';
        const name = field.names.get(value);
        return name === undefined ? String(value) : `"${name}"`;
      }
      case 'int32':
      case 'uint32': {
        const value = field.kind === 'int32' ? reader.uint32(end) | 0 : reader.uint32(end);
        return value === 0 && plain ? '' : String(value);
      }
      default: {
        const text = this.#wide(field.kind === 'uint64', end);
        return text === '0' && plain ? '' : `"${text}"`;
      }
    }
  }

  #wide(unsigned: boolean, end: number): string {
    const reader = this.#reader;
    const { at } = reader;
    const value = reader.int64(end);
    if (Math.abs(value) < Number.MAX_SAFE_INTEGER && !(unsigned && value < 0)) return String(value);
    reader.at = at;
    return String(unsigned ? reader.uint64Big(end) : reader.int64Big(end));
  }

  #value(frame: Frame, field: FieldSchema, text: string): void {
    if (text === '') return;
    this.#begin(frame, field);
    this.#out += text;
  }

  /** What goes before a value. */
  #begin(frame: Frame, field: FieldSchema): void {
    if (frame.list === field) {
      this.#out += ',';
      return;
    }
    this.#closeList(frame);
    this.#out += frame.empty ? `"${field.name}":` : `,"${field.name}":`;
    frame.empty = false;
    if (!field.repeated) return;
    if (frame.lists.includes(field)) throw new CodecError(`proto: the elements of ${frame.schema.name}.${field.name} are not together`);
    frame.lists.push(field);
    frame.list = field;
    this.#out += '[';
  }
}

/** Its default is the same as its absence. */
function isPlain(field: FieldSchema): boolean {
  return !field.repeated && field.oneof === undefined;
}
