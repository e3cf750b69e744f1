/**
 * One request and its response, as the layer above sees it: a record that is used again. It belongs
 * to that layer from `RequestHandler.request` on until both `release` was called and the stream is
 * over; after that it may be another request. Once it is over, everything but `release` does
 * nothing.
 */

import type { HeaderList } from './hpack/header-list.js';

export interface Http2Stream {
  readonly id: number;
  /** The layer above keeps its call here; undefined when a stream begins. */
  app: unknown;
  /** Bytes given to `respond` or `data` that have not gone out yet. */
  readonly unsentBytes: number;
  /** The same of whole responses, over all streams of its connection. */
  readonly unsentOfConnection: number;
  /** Whom the peer's certificate makes it; undefined: certificates make nobody a user here. */
  readonly peerName: string | undefined;
  /** Nothing can be sent any more. */
  readonly over: boolean;

  /**
   * A whole response: headers, one payload and trailers. The payload is `prefix`, which is copied
   * at once, and then `body`, which must not be changed any more. If the request has not ended, the
   * stream is then reset with NO_ERROR (RFC 9113, 8.1); so for all responses.
   */
  respond(headers: HeaderList, prefix: Uint8Array, body: Uint8Array, trailers: HeaderList): void;
  /** A response without a body: headers with END_STREAM. */
  respondOnly(headers: HeaderList): void;

  /** Begins a response in pieces. */
  headers(list: HeaderList): void;
  /**
   * More of its payload, as in `respond`. False: enough is waiting, and `RequestHandler.writable`
   * tells when more may come. What is given all the same waits, too.
   */
  data(prefix: Uint8Array, body: Uint8Array): boolean;
  /** Ends it, after all of its payload; with NO_TRAILERS by nothing but the end. */
  trailers(list: HeaderList): void;

  /** Ends the stream at once with an error code of `Http2Code`; what waits is dropped. */
  reset(code: number): void;
  /**
   * So many bytes of the request, whole frames or not, were used up: the peer may send as many
   * more. A request whose length is not known may be longer than its window, so what is gathered
   * must be told, too; only what ends within the window needs no telling.
   */
  consumed(bytes: number): void;
  /** The layer above lets go of the record, before or after the stream is over, once. */
  release(): void;
}
