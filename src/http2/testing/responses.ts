/** What tests answer. */

import { HeaderList } from '../hpack/header-list.js';
import type { Call } from './test-handler.js';

export const OK = HeaderList.of([':status', '200'], ['content-type', 'application/x']);
export const DONE = HeaderList.of(['x-status', '0']);
export const NOT_FOUND = HeaderList.of([':status', '404']);
export const PREFIX: Uint8Array = Uint8Array.of(1, 2, 3, 4, 5);

/** Answers with what the client has sent. */
export function echo({ stream, body }: Call): void {
  stream.respond(OK, PREFIX, Buffer.from(body), DONE);
}

export function answer(bytes: number): (call: Call) => void {
  return ({ stream }) => stream.respond(OK, PREFIX, Buffer.alloc(bytes, 97), DONE);
}

/** The same as `echo`, in pieces. */
export function echoInPieces({ stream, body }: Call): void {
  stream.headers(OK);
  stream.data(PREFIX, Buffer.from(body));
  stream.trailers(DONE);
}

/** What a response with this body looks like to the client. */
export const withPrefix = (body: Uint8Array | string): Buffer => Buffer.concat([PREFIX, Buffer.from(body)]);
