/**
 * What the client needs of a member: bytes in, bytes out, and to be told apart whether a call may
 * have been carried out. Over gRPC it is an {@link Endpoint}; a member inside this process is
 * reached without a socket.
 */

export interface CallLimits {
  /** In ms since 1970; Infinity: none. */
  readonly deadline: number;
  readonly signal?: AbortSignal | undefined;
  /** In whose name, as the metadata `token`; undefined or empty: in nobody's. */
  readonly token: string | undefined;
}

/** A call with a stream in each direction. Whoever opens it takes its messages, which end it. */
export interface DuplexCall {
  write(bytes: Uint8Array): void;
  /** Once. Ends the call when the consumer stops early. Throws ClientError. */
  messages(): AsyncGenerator<Uint8Array, void, undefined>;
}

/** All reject with ClientError. Its `unsent` is true only if the member never saw the request. */
export interface Connection {
  /** As it was given. */
  readonly name: string;
  unary(path: string, request: Uint8Array, limits: CallLimits): Promise<Uint8Array>;
  /** Ends the call when the consumer stops early. */
  serverStream(path: string, request: Uint8Array, limits: CallLimits): AsyncGenerator<Uint8Array, void, undefined>;
  duplex(path: string, limits: CallLimits, requireLeader: boolean): Promise<DuplexCall>;
  close(): void;
}

/** Where connections come from. */
export interface Dialer {
  /** Connects at the first call. Throws ClientError INVALID_ARGUMENT. */
  dial(name: string): Connection;
}
