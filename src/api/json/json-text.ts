/**
 * The tokens of a JSON text in bytes. What is wrong is a JsonError in the words of Go's decoder,
 * which etcd's clients get, with the place where that one names it.
 *
 * It reads and keeps nothing: numbers come as they are written, because a lease's id has more
 * digits than a double holds.
 */

import { JsonError } from './json-error.js';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const CONTROL = /[\0-\x1f]/;
const LITERALS = ['true', 'false', 'null'] as const;

export type Token = '{' | '}' | '[' | ']' | 'string' | 'number' | 'true' | 'false' | 'null';

export class JsonText {
  readonly #bytes: Buffer;
  #at = 0;
  /** Where the last token began. */
  #from = 0;
  /** Of the last string or number, as it is written: latin1, of a string without its quotes. */
  raw = '';

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Nothing but blanks is left. */
  get ended(): boolean {
    this.#blanks();
    return this.#at >= this.#bytes.length;
  }

  /** The next byte that is no blank, as a character; not taken. */
  peek(): string {
    this.#blanks();
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new JsonError('unexpected EOF');
    return String.fromCharCode(byte);
  }

  /** What a value begins with. */
  value(): Token {
    const first = this.peek();
    this.#from = this.#at;
    switch (first) {
      case '{':
      case '}':
      case '[':
      case ']':
          if (first === '}' || first === ']') this.#unexpected('looking for beginning of value');
        this.#at++;
        return first;
      case '"':
        this.#string();
        return 'string';
      default:
        return /[-\d]/.test(first) ? this.#number() : this.#literal();
    }
  }

  /** True: another element or field follows; false: `close` came. Before the first: `first`. */
  more(close: '}' | ']', first: boolean): boolean {
    const next = this.peek();
    if (next === close) {
      this.#at++;
      return false;
    }
    if (first) return true;
    if (next.charCodeAt(0) !== COMMA) this.#unexpected(close === '}' ? 'after object key:value pair' : 'after array element');
    this.#at++;
    if (close === ']' && this.peek() === ']') this.#unexpected('looking for beginning of value');
    return true;
  }

  /** The name of a field, and its colon. */
  name(): string {
    if (this.peek().charCodeAt(0) !== QUOTE) this.#unexpected('looking for beginning of object key string');
    this.#from = this.#at;
    this.#string();
    const name = this.text();
    const from = this.#from;
    if (this.peek().charCodeAt(0) !== COLON) this.#unexpected('after object key');
    this.#at++;
    this.#from = from;
    return name;
  }

  /** The last string: what it means. */
  text(): string {
    const { raw } = this;
    if (CONTROL.test(raw)) throw new JsonError('invalid character in string literal');
    let text = raw;
    if (raw.includes('\\')) {
      try {
        text = JSON.parse(`"${raw}"`) as string;
      } catch {
        throw new JsonError('invalid character in string escape code');
      }
    }
    return /[\x80-\xff]/.test(raw) ? this.#wideText() : text;
  }

  /** Where the last token, or the last name, began. */
  get from(): number {
    return this.#from;
  }

  /** What is wrong with the last token, or with the one that began there; `%` is its place. */
  fault(what: string, from = this.#from): JsonError {
    return new JsonError(`proto: ${what.replace('%', this.#place(from))}`);
  }

  /** The last token as it is written, shortened. */
  get written(): string {
    const end = this.#at;
    const text = this.#bytes.toString('utf8', this.#from, Math.min(end, this.#from + MAX_WRITTEN));
    return end - this.#from > MAX_WRITTEN ? `${text}...` : text;
  }

  /** Not latin1 after all: it is read again, as UTF-8. */
  #wideText(): string {
    const end = this.#at - 1;
    try {
      return JSON.parse(fatal.decode(this.#bytes.subarray(this.#from, end + 1))) as string;
    } catch {
      throw this.fault('syntax error % invalid UTF-8 in string');
    }
  }

  #blanks(): void {
    const bytes = this.#bytes;
    for (let byte = bytes[this.#at]; byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09; byte = bytes[++this.#at]);
  }

  #string(): void {
    const bytes = this.#bytes;
    const from = this.#at + 1;
    let end = from - 1;
    do {
      end = bytes.indexOf(QUOTE, end + 1);
      if (end < 0) throw new JsonError('unexpected EOF');
    } while (isEscaped(bytes, from, end));
    this.raw = bytes.toString('latin1', from, end);
    this.#at = end + 1;
  }

  #number(): Token {
    const bytes = this.#bytes;
    let end = this.#at;
    while (end < bytes.length && /[-+.eE\d]/.test(String.fromCharCode(bytes[end] as number)) && end - this.#at <= MAX_NUMBER) end++;
    this.raw = bytes.toString('latin1', this.#at, end);
    if (!NUMBER.test(this.raw)) throw new JsonError(end >= bytes.length ? 'unexpected EOF' : 'invalid character in numeric literal');
    this.#at = end;
    return 'number';
  }

  #literal(): Token {
    const text = this.#bytes.toString('latin1', this.#at, this.#at + 5);
    for (const literal of LITERALS) {
      if (!text.startsWith(literal)) continue;
      this.#at += literal.length;
      return literal;
    }
    if (LITERALS.some((literal) => literal.startsWith(text))) throw new JsonError('unexpected EOF');
    return this.#unexpected('looking for beginning of value');
  }

  #unexpected(where: string): never {
    const byte = this.#bytes[this.#at] as number;
    const size = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    const text = this.#bytes.toString('utf8', this.#at, this.#at + size);
    const shown = text === "'" ? "'\\''" : text === '"' ? `'"'` : `'${text}'`;
    throw new JsonError(`invalid character ${shown} ${where}`);
  }

  #place(from: number): string {
    const before = this.#bytes.subarray(0, from);
    let lines = 1;
    let start = 0;
    for (let at = before.indexOf(0x0a); at >= 0; at = before.indexOf(0x0a, at + 1)) {
      lines++;
      start = at + 1;
    }
    return `(line ${lines}:${before.subarray(start).toString('utf8').length + 1}):`;
  }
}

const MAX_WRITTEN = 256;
/** Digits of a number; no field takes one as long. */
const MAX_NUMBER = 512;
const fatal = new TextDecoder('utf-8', { fatal: true });

/** An odd number of backslashes stands before the quote. */
function isEscaped(bytes: Uint8Array, from: number, quote: number): boolean {
  let at = quote;
  while (at > from && bytes[at - 1] === BACKSLASH) at--;
  return (quote - at) % 2 === 1;
}
