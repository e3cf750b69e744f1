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
/** As far as it may be one: a sign, whole digits, a point, its digits, an exponent, its digits. */
const NUMBER = /^(-?)(?:(0|[1-9]\d*)(?:(\.)(\d*))?(?:([eE][+-]?)(\d*))?)?/;
/** What must not be in a string: a control character, or the escape of nothing. */
const BAD_IN_STRING = /[\0-\x1f]|\\(?:[^"\\/bfnrtu]|u(?![\da-fA-F]{4}))|\\["\\/bfnrtu]/g;
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
    this.checkString();
    const { raw } = this;
    if (/[\x80-\xff]/.test(raw)) return this.#wideText();
    if (!raw.includes('\\')) return raw;
    const text = JSON.parse(`"${raw}"`) as string;
    this.#checkPairs(text);
    return text;
  }

  /** Throws JsonError if the last token is a string with what none may have. */
  checkString(): void {
    if (this.#bytes[this.#from] !== QUOTE) return;
    for (const { 0: found, index } of this.raw.matchAll(BAD_IN_STRING)) {
      if (found.length === 1) this.#unexpected('in string literal', this.#from + 1 + index);
      const code = this.raw[index + 1] as string;
      if (!ESCAPES.has(code)) this.#unexpected('in string escape code', this.#from + 2 + index);
      if (code !== 'u') continue;
      const digits = /^[\da-fA-F]*/.exec(this.raw.slice(index + 2, index + 6))?.[0].length ?? 0;
      if (digits < 4) this.#unexpected('in \\u hexadecimal character escape', this.#from + 3 + index + digits);
    }
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
    let text: string;
    try {
      text = JSON.parse(fatal.decode(this.#bytes.subarray(this.#from, end + 1))) as string;
    } catch {
      throw this.fault('syntax error % invalid UTF-8 in string');
    }
    this.#checkPairs(text);
    return text;
  }

  /** Half a pair of surrogates is no character. */
  #checkPairs(text: string): void {
    if (!LONE_SURROGATE.test(text)) return;
    for (const { 0: found, index } of this.raw.matchAll(PAIR_OR_ESCAPE)) {
      if (!/^\\u[dD][89a-fA-F]..$/.test(found)) continue;
      const at = this.#from + 1 + index + found.length;
      const next = this.#bytes.toString('latin1', at, at + found.length);
      if (next.length < found.length) throw new JsonError('proto: unexpected EOF');
      throw this.fault(`syntax error % invalid escape code ${JSON.stringify(next)} in string`);
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
    const text = this.#bytes.toString('latin1', this.#at, this.#at + MAX_NUMBER);
    const [raw = '', sign = '', whole, point = '', fraction = '', exponent = '', power = ''] = NUMBER.exec(text) ?? [];
    const wholeEnd = sign.length + (whole?.length ?? 0);
    if (whole === undefined) this.#unexpected('in numeric literal', this.#at + wholeEnd);
    if (point !== '' && fraction === '') this.#unexpected('after decimal point in numeric literal', this.#at + wholeEnd + 1);
    if (exponent !== '' && power === '') this.#unexpected('in exponent of numeric literal', this.#at + raw.length);
    this.raw = raw;
    this.#at += raw.length;
    return 'number';
  }

  #literal(): Token {
    const first = String.fromCharCode(this.#bytes[this.#at] as number);
    const literal = LITERALS.find((each) => each.startsWith(first));
    if (literal === undefined) this.#unexpected('looking for beginning of value');
    for (let i = 1; i < literal.length; i++) {
      if (this.#bytes[this.#at + i] !== literal.charCodeAt(i)) this.#unexpected(`in literal ${literal} (expecting '${literal[i]}')`, this.#at + i);
    }
    this.#at += literal.length;
    return literal;
  }

  /** As Go says it, which looks at bytes. */
  #unexpected(where: string, at = this.#at): never {
    const byte = this.#bytes[at];
    if (byte === undefined) throw new JsonError('unexpected EOF');
    throw new JsonError(`invalid character ${quoted(byte)} ${where}`);
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

const LONE_SURROGATE = /[\ud800-\udfff]/u;
/** Pairs are taken whole: a surrogate that is found alone is alone. */
const PAIR_OR_ESCAPE = /\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u....|\\./g;
const ESCAPES = new Set('"\\/bfnrtu');
/** Go's own escapes. */
const NAMED: Readonly<Record<number, string>> = { 7: 'a', 8: 'b', 9: 't', 10: 'n', 11: 'v', 12: 'f', 13: 'r', 39: "'", 92: '\\' };
/** Of latin1: what Go does not print. */
const HIDDEN = /[\x80-\xa0\xad]/;

function quoted(byte: number): string {
  const char = String.fromCharCode(byte);
  const hex = byte.toString(16).padStart(2, '0');
  if (NAMED[byte] !== undefined) return `'\\${NAMED[byte]}'`;
  if (byte < 0x20 || byte === 0x7f) return `'\\x${hex}'`;
  return HIDDEN.test(char) ? `'\\u00${hex}'` : `'${char}'`;
}

/** An odd number of backslashes stands before the quote. */
function isEscaped(bytes: Uint8Array, from: number, quote: number): boolean {
  let at = quote;
  while (at > from && bytes[at - 1] === BACKSLASH) at--;
  return (quote - at) % 2 === 1;
}
