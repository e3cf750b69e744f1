/** From keys and values of a collection to those of the store, and back. */

import type { KeyValue } from '../api/requests.js';
import { prefixEnd } from '../base/bytes.js';
import { InvalidValue, type Codec, type Issue, type KeyCodec } from './codec.js';
import { ClientError } from './errors.js';
import { bytesOf, type Bytes, type KeyRange } from './requests.js';

export interface Entry<K, V> {
  readonly key: K;
  readonly value: V;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  /** 0n: none. */
  readonly lease: bigint;
}

/** `to` is not in it. Without any of them: all. */
export type CollectionRange<K, Prefix> =
  | { readonly prefix: K | Prefix }
  | { readonly key: K }
  | { readonly from?: K | Prefix; readonly to?: K | Prefix };

/**
 * A value that is not what the codec or its schema says. INVALID_ARGUMENT: it was to be written,
 * and was not. FAILED_PRECONDITION: it is what the store holds.
 */
export class ValidationError extends ClientError {
  override readonly name = 'ValidationError' as 'ClientError';
  /** As the store has it. */
  readonly key: Uint8Array;
  readonly issues: readonly Issue[];

  constructor(code: 'INVALID_ARGUMENT' | 'FAILED_PRECONDITION', key: Uint8Array, cause: unknown) {
    const message = cause instanceof Error ? cause.message : String(cause);
    const what = code === 'INVALID_ARGUMENT' ? 'is not written: ' : 'is not valid: ';
    super(code, { details: `the value of ${printed(key)} ${what}${message}`, unsent: code === 'INVALID_ARGUMENT', cause });
    this.key = key;
    this.issues = cause instanceof InvalidValue ? cause.issues : [{ message }];
  }
}

/** What can be read as text is; all else as in a string of JavaScript. */
function printed(key: Uint8Array): string {
  return JSON.stringify(Buffer.from(key).toString('utf8'));
}

/** "\0": no end. */
const NO_END = new Uint8Array(1);

export class Entries<K, Out, In, Prefix> {
  readonly #prefix: Uint8Array;
  readonly #values: Codec<Out, In>;
  readonly #keys: KeyCodec<K, Prefix>;

  constructor(prefix: Bytes, values: Codec<Out, In>, keys: KeyCodec<K, Prefix>) {
    this.#prefix = bytesOf(prefix);
    this.#values = values;
    this.#keys = keys;
  }

  keyOf(key: K): Uint8Array {
    return this.#under(this.#keys.encode(key));
  }

  rangeOf(range: CollectionRange<K, Prefix>): KeyRange {
    if ('key' in range) return { key: this.keyOf(range.key) };
    if ('prefix' in range) {
      const prefix = this.#under(this.#keys.encodePrefix(range.prefix));
      return { key: this.#first(prefix), end: this.#keys.endOf(prefix) ?? NO_END };
    }
    const { from, to } = range;
    const start = from === undefined ? this.#prefix : this.#under(this.#keys.encodePrefix(from));
    const end = to === undefined ? (prefixEnd(this.#prefix) ?? NO_END) : this.#under(this.#keys.encodePrefix(to));
    return { key: this.#first(start), end };
  }

  /** Throws ValidationError. */
  encode(key: Uint8Array, value: In): Uint8Array {
    try {
      return this.#values.encode(value);
    } catch (error) {
      throw new ValidationError('INVALID_ARGUMENT', key, error);
    }
  }

  /** Throws ValidationError. */
  decode(key: Uint8Array, bytes: Uint8Array): Out {
    try {
      return this.#values.decode(bytes);
    } catch (error) {
      throw new ValidationError('FAILED_PRECONDITION', key, error);
    }
  }

  /** Throws ValidationError, also for a key that somebody else wrote there. */
  keyFrom(bytes: Uint8Array): K {
    try {
      return this.#keys.decode(bytes.subarray(this.#prefix.length));
    } catch (error) {
      throw new ValidationError('FAILED_PRECONDITION', bytes, error);
    }
  }

  /** Throws ValidationError. */
  entryOf({ key, value, createRevision, modRevision, version, lease }: KeyValue): Entry<K, Out> {
    return { key: this.keyFrom(key), value: this.decode(key, value), createRevision, modRevision, version, lease };
  }

  #under(key: Uint8Array): Uint8Array {
    const whole = new Uint8Array(this.#prefix.length + key.length);
    whole.set(this.#prefix);
    whole.set(key, this.#prefix.length);
    return whole;
  }

  /** A range that begins with nothing begins with the first key of all. */
  #first(key: Uint8Array): Uint8Array {
    return key.length === 0 ? NO_END : key;
  }
}
