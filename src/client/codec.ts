/**
 * What values and keys of a collection are in bytes. What a codec encodes it can decode: what would
 * be refused when it is read is refused when it is written.
 */

import type { StandardSchemaV1 } from '@standard-schema/spec';
import { fromUtf8, prefixEnd, utf8 } from '../base/bytes.js';
import { decodeTuple, encodeTuple, TUPLE_END, type Tuple } from './tuple.js';

/** What is wrong with a value, and where in it. */
export interface Issue {
  readonly message: string;
  readonly path?: readonly (string | number)[];
}

/** Thrown by a codec; a collection names the key, and makes a ValidationError of it. */
export class InvalidValue extends Error {
  override readonly name = 'InvalidValue';
  readonly issues: readonly Issue[];

  constructor(issues: readonly Issue[]) {
    super(issues.map(({ message, path = [] }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`)).join('; '));
    this.issues = issues;
  }
}

/** `In` is what may be put, `Out` what is got. Throws InvalidValue, or any Error that says why. */
export interface Codec<Out, In = Out> {
  encode(value: In): Uint8Array;
  decode(bytes: Uint8Array): Out;
}

class JsonCodec implements Codec<unknown> {
  encode(value: unknown): Uint8Array {
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined) throw new InvalidValue([{ message: `a value of type ${typeof value} has no JSON` }]);
    return utf8(text);
  }

  decode(bytes: Uint8Array): unknown {
    return JSON.parse(fromUtf8(bytes)) as unknown;
  }
}

class SchemaCodec implements Codec<unknown> {
  readonly #json = new JsonCodec();
  readonly #schema: StandardSchemaV1;

  constructor(schema: StandardSchemaV1) {
    this.#schema = schema;
  }

  /** Validates what will be read, not what was given: a Date, say, is text by then. */
  encode(value: unknown): Uint8Array {
    const bytes = this.#json.encode(value);
    this.decode(bytes);
    return bytes;
  }

  decode(bytes: Uint8Array): unknown {
    const result = this.#schema['~standard'].validate(this.#json.decode(bytes));
    if (result instanceof Promise) throw new TypeError('a schema that validates asynchronously cannot be used here');
    if (result.issues === undefined) return result.value;
    throw new InvalidValue(result.issues.map(({ message, path = [] }) => ({ message, path: path.map(segmentOf) })));
  }
}

function segmentOf(segment: PropertyKey | StandardSchemaV1.PathSegment): string | number {
  const key = typeof segment === 'object' ? segment.key : segment;
  return typeof key === 'number' ? key : String(key);
}

/** JSON that is what the type says, on trust. */
export function json<T = unknown>(): Codec<T>;
/** JSON that a schema (zod, valibot, arktype, ...) has found right, both ways. */
export function json<S extends StandardSchemaV1>(schema: S): Codec<StandardSchemaV1.InferOutput<S>, StandardSchemaV1.InferInput<S>>;
export function json(schema?: StandardSchemaV1): Codec<unknown> {
  return schema === undefined ? new JsonCodec() : new SchemaCodec(schema);
}

class TextCodec implements Codec<string> {
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

  encode(value: string): Uint8Array {
    return utf8(value);
  }

  decode(bytes: Uint8Array): string {
    return this.#decoder.decode(bytes);
  }
}

class BytesCodec implements Codec<Uint8Array> {
  encode(value: Uint8Array): Uint8Array {
    return value;
  }

  decode(bytes: Uint8Array): Uint8Array {
    return bytes;
  }
}

class NumberCodec implements Codec<number> {
  encode(value: number): Uint8Array {
    if (!Number.isFinite(value)) throw new InvalidValue([{ message: `${value} is not a finite number` }]);
    return utf8(String(value));
  }

  decode(bytes: Uint8Array): number {
    const text = fromUtf8(bytes);
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidValue([{ message: `${JSON.stringify(text)} is not a number` }]);
    return value;
  }
}

/** UTF-8. */
export const text: Codec<string> = new TextCodec();
/** As they are. */
export const bytes: Codec<Uint8Array> = new BytesCodec();
/** In decimal, as people write it. */
export const number: Codec<number> = new NumberCodec();

/** `Prefix`: what several keys may begin with. Their order is that of the bytes. */
export interface KeyCodec<K, Prefix = K> {
  encode(key: K): Uint8Array;
  decode(bytes: Uint8Array): K;
  encodePrefix(prefix: K | Prefix): Uint8Array;
  /** Where keys end that begin with it, of which `bytes` are the encoding; undefined: nowhere. */
  endOf(bytes: Uint8Array): Uint8Array | undefined;
}

class TextKeys implements KeyCodec<string> {
  encode(key: string): Uint8Array {
    return text.encode(key);
  }

  decode(bytes: Uint8Array): string {
    return text.decode(bytes);
  }

  encodePrefix(prefix: string): Uint8Array {
    return text.encode(prefix);
  }

  endOf(bytes: Uint8Array): Uint8Array | undefined {
    return prefixEnd(bytes);
  }
}

class TupleKeys implements KeyCodec<Tuple> {
  encode(key: Tuple): Uint8Array {
    return encodeTuple(key);
  }

  decode(bytes: Uint8Array): Tuple {
    return decodeTuple(bytes);
  }

  encodePrefix(prefix: Tuple): Uint8Array {
    return encodeTuple(prefix);
  }

  endOf(bytes: Uint8Array): Uint8Array {
    const end = new Uint8Array(bytes.length + 1);
    end.set(bytes);
    end[bytes.length] = TUPLE_END;
    return end;
  }
}

/** All that a tuple of this type may begin with. */
export type TuplePrefix<T extends Tuple> = T extends readonly [...infer Rest extends Tuple, unknown] ? T | TuplePrefix<Rest> : T;

export const textKeys: KeyCodec<string> = new TextKeys();

/** Keys that are tuples, in their order; see `tuple.ts` for the format. On trust. */
export function tuple<T extends Tuple>(): KeyCodec<T, TuplePrefix<T>> {
  return new TupleKeys() as unknown as KeyCodec<T, TuplePrefix<T>>;
}
