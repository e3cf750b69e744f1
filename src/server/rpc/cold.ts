/** Methods that are called seldom go through the generic codec; here it meets the bytes-in, bytes-out handlers. */

import { must } from '../../base/assert.js';
import { CodecError, messageOf } from '../../base/errors.js';
import { serviceMethods, type AnyMethod } from '../../api/protos/protos.js';
import type { Method, Sender } from './method.js';

/** Requests of the generic codec: 64-bit numbers are strings, enums their labels, bytes Buffers. */
export type ColdRequest = Readonly<Record<string, unknown>>;

export interface ColdSender {
  write(message: object): Promise<void>;
  readonly out: Sender;
}

export type ColdHandler =
  | { readonly unary: (request: ColdRequest) => object | Promise<object> }
  | { readonly stream: (request: ColdRequest, sender: ColdSender) => Promise<void> };

function parse(definition: AnyMethod, bytes: Uint8Array): ColdRequest {
  try {
    return definition.requestDeserialize(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)) as ColdRequest;
  } catch (error) {
    throw new CodecError(messageOf(error));
  }
}

/** Adds `handlers` of `service` to a table of methods. */
export function addCold(table: Map<string, Method>, service: string, handlers: Readonly<Record<string, ColdHandler>>): void {
  const methods = serviceMethods(service);
  for (const [name, handler] of Object.entries(handlers)) {
    const definition = must(methods[name], `${service} has a method ${name}`);
    table.set(definition.path, coldMethod(definition, handler));
  }
}

function coldMethod(definition: AnyMethod, handler: ColdHandler): Method {
  if ('unary' in handler) {
    return {
      kind: 'unary',
      handle: async (bytes) => definition.responseSerialize(await handler.unary(parse(definition, bytes))),
    };
  }
  return {
    kind: 'server-stream',
    handle: (bytes, out) =>
      handler.stream(parse(definition, bytes), {
        write: (message) => out.write(definition.responseSerialize(message)),
        out,
      }),
  };
}
