/**
 * A method that is called seldom: its codecs are derived from the `.proto` files. Messages are
 * plain objects with the fields' own names; 64-bit numbers are decimal strings, enums their labels,
 * bytes Buffers.
 */

import { must } from '../../base/assert.js';
import { CodecError, messageOf } from '../../base/errors.js';
import type { Effect, Rpc } from '../rpc.js';
import { serviceMethods, type AnyMethod } from './protos.js';

export type Message = Readonly<Record<string, unknown>>;

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

function decode(parse: (bytes: Buffer) => object, bytes: Uint8Array): Message {
  try {
    return parse(asBuffer(bytes)) as Message;
  } catch (error) {
    throw new CodecError(messageOf(error));
  }
}

export class ReflectedRpc implements Rpc<object, object, Message> {
  readonly path: string;
  readonly effect: Effect;
  /** Has many responses. */
  readonly isStream: boolean;
  readonly #definition: AnyMethod;

  /** The service and the method must be in the `.proto` files. */
  constructor(service: string, name: string, effect: Effect) {
    const definition = must(serviceMethods(service)[name], `${service} has a method ${name}`);
    this.path = definition.path;
    this.effect = effect;
    this.isStream = definition.responseStream;
    this.#definition = definition;
  }

  encodeRequest(request: object): Uint8Array {
    return this.#definition.requestSerialize(request);
  }

  decodeRequest(bytes: Uint8Array): Message {
    return decode(this.#definition.requestDeserialize, bytes);
  }

  /** A header, where there is one, is part of the message. */
  encodeResponse(_prefix: Uint8Array, _term: number, response: object): Uint8Array {
    return this.#definition.responseSerialize(response);
  }

  decodeResponse(bytes: Uint8Array): Message {
    return decode(this.#definition.responseDeserialize, bytes);
  }
}
