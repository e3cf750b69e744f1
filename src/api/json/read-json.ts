/**
 * A message in proto3 JSON as bytes, read in one pass and in slices. As etcd's gateway reads it:
 * fields by either of their names, in any order, null for what is not there, unknown ones and
 * unknown names of enums passed over, one field once, one field of a oneof.
 *
 * Nesting is bounded, numbers are exact, and what is held is no more than the text is long.
 */

import { JsonError } from './json-error.js';
import { JsonText, type Token } from './json-text.js';
import { MessageBuilder } from './message-builder.js';
import { parseInteger } from './integers.js';
import type { FieldSchema, MessageSchema } from './schema.js';

/** etcd's own bound on nested txns is lower. */
const MAX_DEPTH = 100;
/** Fields and elements of one slice. */
const SLICE_VALUES = 512;

/**
 * The first value of the text; the rest is not looked at. An empty text is an empty message.
 * Returns the message; throws JsonError. Whoever drives it lets others in when it yields.
 */
export function* readJson(schema: MessageSchema, text: Uint8Array): Generator<void, Uint8Array> {
  try {
    return yield* new JsonReader(text).root(schema);
  } catch (error) {
    // Whether it is JSON at all is asked before what it means.
    if (error instanceof JsonError && error.message.startsWith('proto:')) yield* new JsonReader(text).value();
    throw error;
  }
}

class JsonReader {
  readonly #text: JsonText;
  #values = 0;

  constructor(bytes: Uint8Array) {
    this.#text = new JsonText(bytes);
  }

  *root(schema: MessageSchema): Generator<void, Uint8Array> {
    if (this.#text.ended) return new Uint8Array(0);
    this.#expect('{', this.#text.value());
    return yield* this.#message(schema, 0);
  }

  /** To the end of the value, whatever it means: throws JsonError if it is no JSON. */
  *value(): Generator<void, void> {
    yield* this.#skip();
  }

  /** Behind its `{`. */
  *#message(schema: MessageSchema, depth: number): Generator<void, Uint8Array> {
    if (depth > MAX_DEPTH) throw this.#text.fault('% exceeded max recursion depth');
    const text = this.#text;
    const out = new MessageBuilder();
    const seen = new Set<FieldSchema>();
    const oneofs = new Set<string>();
    for (let first = true; text.more('}', first); first = false) {
      const name = text.name();
      const field = schema.byName.get(name);
      if (field === undefined) {
        yield* this.#skip();
        continue;
      }
      if (seen.has(field)) throw text.fault(`% duplicate field ${JSON.stringify(name)}`);
      seen.add(field);
      const { from } = text;
      const token = text.value();
      if (token === 'null') continue;
      if (field.oneof !== undefined) {
        if (oneofs.has(field.oneof)) throw text.fault(`% error parsing ${JSON.stringify(name)}, oneof ${schema.name}.${field.oneof} is already set`, from);
        oneofs.add(field.oneof);
      }
      if (field.repeated) yield* this.#list(field, token, out, depth);
      else yield* this.#value(field, token, out, depth);
    }
    return out.finish();
  }

  *#list(field: FieldSchema, token: Token, out: MessageBuilder, depth: number): Generator<void, void> {
    this.#expect('[', token);
    const text = this.#text;
    for (let first = true; text.more(']', first); first = false) yield* this.#value(field, text.value(), out, depth);
  }

  *#value(field: FieldSchema, token: Token, out: MessageBuilder, depth: number): Generator<void, void> {
    if (++this.#values % SLICE_VALUES === 0) yield;
    if (field.message !== undefined) {
      this.#expect('{', token);
      out.bytes(field.number, yield* this.#message(field.message, depth + 1));
      return;
    }
    // A default is not written, unless that it is there says something.
    const always = field.repeated || field.oneof !== undefined;
    if (field.kind === 'string' || field.kind === 'bytes') {
      if (token !== 'string') throw this.#invalid(field);
      const value = field.kind === 'string' ? Buffer.from(this.#text.text(), 'utf8') : this.#base64(field);
      if (always || value.length > 0) out.bytes(field.number, value);
      return;
    }
    const value = this.#number(field, token);
    if (value !== undefined && (always || value !== 0n)) out.varint(field.number, value);
  }

  /** Undefined: the name of an enum that is not known. */
  #number(field: FieldSchema, token: Token): bigint | undefined {
    if (field.kind === 'bool') {
      if (token !== 'true' && token !== 'false') throw this.#invalid(field);
      return token === 'true' ? 1n : 0n;
    }
    if (field.kind === 'enum') {
      if (token === 'string') {
        const number = field.numbers.get(this.#text.text());
        return number === undefined ? undefined : BigInt(number);
      }
      if (token !== 'number') throw this.#invalid(field);
      return this.#integer(field, this.#text.raw, 'int32');
    }
    if (token !== 'number' && token !== 'string') throw this.#invalid(field);
    return this.#integer(field, this.#text.raw, field.kind);
  }

  #integer(field: FieldSchema, raw: string, kind: string): bigint {
    const value = parseInteger(raw, kind);
    if (value === undefined) throw this.#invalid(field);
    return value;
  }

  /** Either alphabet, with padding or without. */
  #base64(field: FieldSchema): Buffer {
    let text = this.#text.raw;
    if (text.includes('\\')) text = this.#text.text().replaceAll(/[\r\n]/g, '');
    const data = text.replace(/={1,2}$/, '');
    const padded = data.length < text.length;
    const whole = padded ? text.length % 4 === 0 : data.length % 4 !== 1;
    if (!whole || !(PLAIN.test(data) || URL.test(data))) throw this.#invalid(field);
    return Buffer.from(data, 'base64');
  }

  *#skip(): Generator<void, void> {
    const text = this.#text;
    const open: ('}' | ']')[] = [];
    let first = this.#enter(text.value(), open);
    while (open.length > 0) {
      const close = open.at(-1) as '}' | ']';
      if (++this.#values % SLICE_VALUES === 0) yield;
      if (!text.more(close, first)) {
        open.pop();
        first = false;
        continue;
      }
      if (close === '}') text.name();
      first = this.#enter(text.value(), open);
    }
  }

  /** True: the value has an inside. */
  #enter(token: Token, open: ('}' | ']')[]): boolean {
    if (token === '{') open.push('}');
    else if (token === '[') open.push(']');
    else {
      this.#text.checkString();
      return false;
    }
    if (open.length > MAX_DEPTH) throw this.#text.fault('% exceeded max recursion depth');
    return true;
  }

  #expect(wanted: '{' | '[', token: Token): void {
    if (token !== wanted) throw this.#text.fault(`syntax error % unexpected token ${this.#text.written}`);
  }

  #invalid(field: FieldSchema): JsonError {
    this.#text.checkString();
    return this.#text.fault(`% invalid value for ${field.kind} field ${field.jsonName}: ${this.#text.written}`);
  }
}

const PLAIN = /^[A-Za-z0-9+/]*$/;
const URL = /^[A-Za-z0-9_-]*$/;
