/**
 * Calls a method of a service: a request to bytes, the bytes through the caller, its answer from
 * bytes.
 */

import { CodecError } from '../base/errors.js';
import type { Effect, Rpc } from '../api/rpc.js';
import type { CallOptions, Caller } from './caller.js';
import { ClientError } from './errors.js';

/** `effect`: where a request may do less than its method can. */
export async function callUnary<Request, Answer>(
  caller: Caller, rpc: Rpc<Request, never, Answer>, request: Request, options: CallOptions, effect: Effect = rpc.effect,
): Promise<Answer> {
  const spec = { path: rpc.path, request: rpc.encodeRequest(request), idempotent: effect === 'read' };
  return decoded(rpc, await caller.unary(spec, options));
}

export async function* callStream<Request, Answer>(
  caller: Caller, rpc: Rpc<Request, never, Answer>, request: Request, options: CallOptions,
): AsyncGenerator<Answer, void, undefined> {
  for await (const bytes of caller.stream(rpc.path, rpc.encodeRequest(request), options)) yield decoded(rpc, bytes);
}

function decoded<Answer>(rpc: Rpc<unknown, never, Answer>, bytes: Uint8Array): Answer {
  try {
    return rpc.decodeResponse(bytes);
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    throw new ClientError('INTERNAL', { details: `the answer does not parse: ${error.message}`, cause: error });
  }
}
