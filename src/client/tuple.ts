/**
 * Tuples as keys, in an encoding that keeps their order: bytes compare as the tuples do, element by
 * element, and a tuple comes before all that begin with it. The format is that of FoundationDB's
 * tuple layer (its `design/tuple.md`), the parts that are needed here:
 *
 *   null     00
 *   bytes    01, the bytes with 00 written as 00 FF, 00
 *   string   02, its UTF-8 likewise, 00
 *   array    05, its elements, with null as 00 FF, 00
 *   bigint   14 for 0; 14+n or 14-n and its n bytes, big end first, of a negative number the
 *            complement; beyond 8 bytes 1D and n, or 0B and the complement of n, before them
 *   number   21, its double, big end first: the sign bit flipped, of a negative number all bits
 *   false    26, true 27
 *
 * So elements of different types have this order: null, bytes, strings, arrays, bigints, numbers,
 * booleans. Strings have the order of their code points. A number is always a double: what is to be
 * compared with numbers must be one. -0 is 0; NaN and strings with half a surrogate pair have no
 * place in an order, and are refused.
 */

import { ByteSink, ByteSource } from './byte-sink.js';
import { CodecError } from '../base/errors.js';
import { badArgument } from './errors.js';

export type TupleElement = string | number | bigint | boolean | null | Uint8Array | readonly TupleElement[];
export type Tuple = readonly TupleElement[];

const NULL = 0x00;
const BYTES = 0x01;
const STRING = 0x02;
const ARRAY = 0x05;
const BIG_NEGATIVE = 0x0b;
const ZERO = 0x14;
const BIG_POSITIVE = 0x1d;
const DOUBLE = 0x21;
const FALSE = 0x26;
const TRUE = 0x27;
const ESCAPE = 0xff;
/** Of bigints: most bytes that their own codes count, and that a length of one byte can. */
const SMALL_BYTES = 8;
const MOST_BYTES = 255;
/** A key that somebody else wrote must not cost a stack. */
const MOST_DEPTH = 64;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Throws ClientError INVALID_ARGUMENT for what has no place in an order. */
export function encodeTuple(tuple: Tuple): Uint8Array {
  const out = new ByteSink();
  for (const element of tuple) write(out, element, 0);
  return out.bytes();
}

/** Throws CodecError if it is none. */
export function decodeTuple(bytes: Uint8Array): TupleElement[] {
  const input = new ByteSource(bytes);
  const tuple: TupleElement[] = [];
  while (!input.atEnd) tuple.push(read(input, input.byte(), 0));
  return tuple;
}

/** Where keys end that begin with the encoding of a tuple: no element begins with this byte. */
export const TUPLE_END = ESCAPE;

function write(out: ByteSink, element: TupleElement, depth: number): void {
  if (element === null) out.byte(NULL);
  else if (typeof element === 'string') writeString(out, element);
  else if (typeof element === 'number') writeNumber(out, element);
  else if (typeof element === 'bigint') writeBigint(out, element);
  else if (typeof element === 'boolean') out.byte(element ? TRUE : FALSE);
  else if (element instanceof Uint8Array) out.byte(BYTES).escaped(element);
  else if (Array.isArray(element)) writeArray(out, element as Tuple, depth + 1);
  else throw badArgument(`a tuple has strings, numbers, bigints, booleans, bytes, null and arrays of them, not ${typeof element}`);
}

function writeString(out: ByteSink, text: string): void {
  if (!isWellFormed(text)) throw badArgument('a string of a tuple has half a surrogate pair');
  out.byte(STRING).escaped(encoder.encode(text));
}

/** `String.prototype.isWellFormed`, which Node 20 has and its types do not. */
function isWellFormed(text: string): boolean {
  return !/[\uD800-\uDFFF]/u.test(text);
}

function writeArray(out: ByteSink, tuple: Tuple, depth: number): void {
  if (depth > MOST_DEPTH) throw badArgument(`arrays of a tuple are nested at most ${MOST_DEPTH} deep`);
  out.byte(ARRAY);
  for (const element of tuple) {
    if (element === null) out.byte(NULL).byte(ESCAPE);
    else write(out, element, depth);
  }
  out.byte(NULL);
}

function writeNumber(out: ByteSink, n: number): void {
  if (Number.isNaN(n)) throw badArgument('NaN has no place in an order of tuples');
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, n === 0 ? 0 : n);
  flipDouble(bytes, ((bytes[0] as number) & 0x80) !== 0);
  out.byte(DOUBLE).all(bytes);
}

/** To bytes that sort and back. */
function flipDouble(bytes: Uint8Array, isNegative: boolean): void {
  if (isNegative) complement(bytes);
  else bytes[0] = (bytes[0] as number) ^ 0x80;
}

function complement(bytes: Uint8Array): Uint8Array {
  for (let i = 0; i < bytes.length; i++) bytes[i] = ~(bytes[i] as number) & 0xff;
  return bytes;
}

function writeBigint(out: ByteSink, n: bigint): void {
  if (n === 0n) {
    out.byte(ZERO);
    return;
  }
  const hex = (n < 0n ? -n : n).toString(16);
  const bytes = new Uint8Array(Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex'));
  const { length } = bytes;
  if (length > MOST_BYTES) throw badArgument(`a bigint of a tuple has at most ${MOST_BYTES} bytes, this one has ${length}`);
  if (length <= SMALL_BYTES) out.byte(n < 0n ? ZERO - length : ZERO + length);
  else if (n < 0n) out.byte(BIG_NEGATIVE).byte(length ^ 0xff);
  else out.byte(BIG_POSITIVE).byte(length);
  out.all(n < 0n ? complement(bytes) : bytes);
}

function read(input: ByteSource, code: number, depth: number): TupleElement {
  switch (code) {
    case NULL: return null;
    case BYTES: return input.escaped();
    case STRING: return readString(input);
    case ARRAY: return readArray(input, depth + 1);
    case DOUBLE: return readNumber(input);
    case FALSE: return false;
    case TRUE: return true;
    case BIG_NEGATIVE: return bigintOf(complement(copyOf(input.take(input.byte() ^ 0xff))), true, SMALL_BYTES + 1);
    case BIG_POSITIVE: return bigintOf(input.take(input.byte()), false, SMALL_BYTES + 1);
    default: return readSmallBigint(input, code);
  }
}

const copyOf = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes);

function readSmallBigint(input: ByteSource, code: number): bigint {
  if (code === ZERO) return 0n;
  const size = Math.abs(code - ZERO);
  if (size > SMALL_BYTES) throw new CodecError(`no tuple has an element of type 0x${code.toString(16)}`);
  const bytes = copyOf(input.take(size));
  return bigintOf(code < ZERO ? complement(bytes) : bytes, code < ZERO, size);
}

/** One number has one encoding: others are refused. */
function bigintOf(bytes: Uint8Array, isNegative: boolean, least: number): bigint {
  if (bytes.length < least || bytes[0] === 0) throw new CodecError('a bigint of a tuple is longer than it must be');
  const n = BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
  return isNegative ? -n : n;
}

function readString(input: ByteSource): string {
  try {
    return decoder.decode(input.escaped());
  } catch (error) {
    if (error instanceof CodecError) throw error;
    throw new CodecError('a string of a tuple is not UTF-8');
  }
}

function readNumber(input: ByteSource): number {
  const bytes = copyOf(input.take(8));
  flipDouble(bytes, ((bytes[0] as number) & 0x80) === 0);
  const n = new DataView(bytes.buffer).getFloat64(0);
  if (Number.isNaN(n) || Object.is(n, -0)) throw new CodecError('a number of a tuple is NaN or -0');
  return n;
}

function readArray(input: ByteSource, depth: number): TupleElement[] {
  if (depth > MOST_DEPTH) throw new CodecError(`arrays of a tuple are nested deeper than ${MOST_DEPTH}`);
  const tuple: TupleElement[] = [];
  for (;;) {
    const code = input.byte();
    if (code !== NULL) tuple.push(read(input, code, depth));
    else if (input.skips(ESCAPE)) tuple.push(null);
    else return tuple;
  }
}
