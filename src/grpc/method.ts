/**
 * What is served, as bytes in and bytes out: a method knows nothing of the transport that carries
 * it, and the transport nothing of what it means. Deadlines, limits, compression and back-pressure
 * are the transport's.
 *
 * Whatever a handler throws or rejects with becomes a status by the server's {@link ErrorMapper}.
 * A request belongs to the handler, an answer to the transport once it was given away: neither side
 * changes it afterwards.
 */

/**
 * What a method may know of its call. For unary methods it is valid until the answer is there: the
 * promise settled, or `handle` returned bytes.
 */
export interface ServerCall {
  /** The first value of that name (in lower case), as it was sent. */
  metadata(name: string): string | undefined;
  /** The first value of a name that ends in `-bin`. */
  metadataBytes(name: string): Uint8Array | undefined;
  /** Whom the client's certificate makes it; undefined: certificates make nobody a user here. */
  readonly clientCommonName: string | undefined;
  /** What the methods keep of who calls, from one look at the call to the next. */
  caller: object | undefined;
  /** In milliseconds of the server's `Clock.now()`; undefined: none. */
  readonly deadline: number | undefined;
  /** Nobody waits for the answer any more. */
  readonly cancelled: boolean;
  /**
   * Calls `fn` once, if the call ends before its answer: the caller cancels, the deadline passes,
   * the connection is lost. At once, if that was.
   */
  onCancel(fn: () => void): void;
}

/** The sending side of a stream. */
export interface Sender {
  /**
   * Resolves when more may be written: a slow reader slows the writer and fills no memory. Rejects
   * with an RpcError once the call is cancelled.
   */
  write(message: Uint8Array): Promise<void>;
  /** See {@link ServerCall}. */
  readonly cancelled: boolean;
  onCancel(fn: () => void): void;
}

/** One request, one response. */
export interface UnaryMethod {
  readonly kind: 'unary';
  /**
   * A large answer may be refused for want of room after the method was carried out: it changed
   * nothing, and may be asked again.
   */
  readonly refusable: boolean;
  handle(request: Uint8Array, call: ServerCall): Uint8Array | Promise<Uint8Array>;
}

/** One request, many responses. The stream ends with OK when the promise resolves. */
export interface ServerStreamMethod {
  readonly kind: 'server-stream';
  handle(request: Uint8Array, out: Sender, call: ServerCall): Promise<void>;
}

/**
 * Many requests, and many responses in any order, or (client-stream) one, written like the others.
 * `requests` may be iterated once; it throws an RpcError if the call ends before the caller has
 * said all, so that half of them is never taken for the whole. The stream ends with OK when the
 * promise resolves.
 */
export interface RequestStreamMethod {
  readonly kind: 'client-stream' | 'bidi';
  handle(requests: AsyncIterable<Uint8Array>, out: Sender, call: ServerCall): Promise<void>;
}

export type Method = UnaryMethod | ServerStreamMethod | RequestStreamMethod;

/** By path: `/etcdserverpb.KV/Range`. */
export type MethodTable = ReadonlyMap<string, Method>;
