/**
 * The services as plain functions over bytes, knowing nothing of the transport that carries them: a handler gets the
 * bytes of a request and gives those of the response, or throws. Deadlines, limits and `hasleader` are the transport's.
 */

export type UnaryHandler = (request: Uint8Array) => Promise<Uint8Array>;

/** The sending side of a stream. */
export interface Sender {
  /** Resolves when more may be written: a slow reader slows the writer and fills no memory. */
  write(message: Uint8Array): Promise<void>;
  /** The caller went away or the deadline passed. */
  readonly cancelled: boolean;
  onCancel(fn: () => void): void;
}

export type ServerStreamHandler = (request: Uint8Array, out: Sender) => Promise<void>;

/** Ends with OK when the promise resolves. */
export type BidiHandler = (requests: AsyncIterable<Uint8Array>, out: Sender) => Promise<void>;

export type Method =
  | { readonly kind: 'unary'; readonly handle: UnaryHandler }
  | { readonly kind: 'server-stream'; readonly handle: ServerStreamHandler }
  | { readonly kind: 'bidi'; readonly handle: BidiHandler };

/** By path: `/etcdserverpb.KV/Range`. */
export type MethodTable = ReadonlyMap<string, Method>;
