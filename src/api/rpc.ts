/**
 * One method of a service as both ends see it: its path, what it does, and how its messages look in
 * bytes. Server and client read the same description, so that a method is named in one place. Hot
 * methods have codecs by hand (`services/kv.ts`); all others go through reflection over the
 * `.proto` files (`protos/reflected-rpc.ts`).
 */

import type { Caller } from './caller.js';

/**
 * A read may be asked again, and be refused after it was carried out. A write may not: it has
 * happened.
 */
export type Effect = 'read' | 'write';

/** `Answer` is what a client gets: the response with the header that the server put before it. */
export interface Rpc<Request, Response, Answer = Response> {
  /** `/etcdserverpb.KV/Range`. */
  readonly path: string;
  readonly effect: Effect;
  encodeRequest(request: Request): Uint8Array;
  /** Throws CodecError. Byte fields may be views of `bytes`. */
  decodeRequest(bytes: Uint8Array): Request;
  /** `prefix`: who answers, from `encodeHeaderPrefix`; `term`: of the moment. */
  encodeResponse(prefix: Uint8Array, term: number, response: Response): Uint8Array;
  /** The same in slices, if a response may be long and made of very many pieces. */
  encodeInSlices?(prefix: Uint8Array, term: number, response: Response): Generator<void, Uint8Array>;
  /** Throws CodecError. Byte fields may be views of `bytes`. */
  decodeResponse(bytes: Uint8Array): Answer;
}

/** A handler for each method of a service: one that is missing does not compile. */
export type Handlers<S> = {
  readonly [M in keyof S]: S[M] extends Rpc<infer Request, infer Response, infer _> 
    ? (request: Request, caller: Caller) => Promise<Response> : never;
};
