/**
 * What a caller sends along with a request, beside what gRPC itself needs. Nothing is decoded until
 * somebody asks.
 *
 * Names that end in `-bin` hold bytes in base64, with padding or without; several values of one
 * name come as several fields, or in one field with commas between them (gRPC over HTTP/2,
 * "Custom-Metadata").
 */

import type { Field } from '../http2/hpack/field.js';

const BINARY = '-bin';
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** The bytes of one value; undefined if it is not base64. */
export function decodeBinary(value: string): Uint8Array | undefined {
  if (!BASE64.test(value)) return undefined;
  const padded = value.endsWith('=');
  if (padded ? value.length % 4 !== 0 : value.length % 4 === 1) return undefined;
  return Uint8Array.from(atob(value), (character) => character.charCodeAt(0));
}

const valuesOf = (field: Field): string[] => field.value.split(',').map((value) => value.trim());

export class Metadata {
  readonly #fields: readonly Field[];

  /** Of a request's head, without the pseudo fields; never changed afterwards. */
  constructor(fields: readonly Field[]) {
    this.#fields = fields;
  }

  /** The first value of that name (in lower case), as it was sent. */
  get(name: string): string | undefined {
    return this.#field(name)?.value;
  }

  /** The first value of a name that ends in `-bin`. */
  bytes(name: string): Uint8Array | undefined {
    const field = this.#field(name);
    if (field === undefined || !name.endsWith(BINARY)) return undefined;
    return decodeBinary(valuesOf(field)[0] as string);
  }

  /** A field that claims to hold base64 and does not. */
  malformed(): Field | undefined {
    for (const field of this.#fields) {
      if (field.name.endsWith(BINARY) && valuesOf(field).some((value) => decodeBinary(value) === undefined)) return field;
    }
    return undefined;
  }

  #field(name: string): Field | undefined {
    for (const field of this.#fields) if (field.name === name) return field;
    return undefined;
  }
}
