/**
 * What a server asks of the floor above it: who may call, how errors are said, how gzip is read,
 * and where calls are counted.
 */

import type { ServerCall } from './method.js';
import type { RpcStatus } from './status.js';

export interface CallGuard {
  /** Asked once for each call before its handler sees it; undefined: it may go on. */
  refuse(call: ServerCall): RpcStatus | undefined;
  /** What a call gets that is refused, or whose answer is, because too much lies unread. */
  readonly crowded: RpcStatus;
}

export interface ErrorMapper {
  /**
   * The status for anything that a handler threw. Asked for every error, also of calls that are
   * over already.
   */
  statusOf(error: unknown): RpcStatus;
}

export type Encoding = 'gzip' | 'deflate';

export interface Inflater {
  /**
   * Undefined if the result would be larger than `maxBytes`; no more memory than that is taken.
   * Rejects if `bytes` are not what they should be. `deflate` is zlib's format (RFC 1950).
   */
  inflate(encoding: Encoding, bytes: Uint8Array, maxBytes: number): Promise<Uint8Array | undefined>;
}

/** The counters of one method. */
export interface CallStats {
  started: number;
  /** Of messages, as they are read and written. */
  receivedBytes: number;
  sentBytes: number;
  /** Once for each call that was counted in `started`. */
  end(code: number, durationMs: number): void;
}

export type MethodType = 'unary' | 'server_stream' | 'client_stream' | 'bidi_stream';

export interface StatsOf {
  of(path: string, type: MethodType): CallStats;
}
