/**
 * What the client port serves, as bytes in and bytes out: a method knows nothing of the transport
 * that carries it, and the transport nothing of what it means. Deadlines, limits and `hasleader`
 * are the transport's.
 */

import type { Effect } from '../../api/rpc.js';

/** The sending side of a stream. */
export interface Sender {
  /** Resolves when more may be written: a slow reader slows the writer and fills no memory. */
  write(message: Uint8Array): Promise<void>;
  /** The caller went away or the deadline passed. */
  readonly cancelled: boolean;
  /** Calls `fn` once: when the caller goes away, or now if it has. */
  onCancel(fn: () => void): void;
}

export interface UnaryMethod {
  readonly kind: 'unary';
  /** Only a read may be refused after it was carried out. */
  readonly effect: Effect;
  /** Rejects with what `statusOf` makes a status of. */
  handle(request: Uint8Array): Promise<Uint8Array>;
}

/** One request, many responses. */
export interface StreamMethod {
  readonly kind: 'server-stream';
  /** The stream ends with OK when this resolves. */
  handle(request: Uint8Array, out: Sender): Promise<void>;
}

export type Method = UnaryMethod | StreamMethod;

/** By path: `/etcdserverpb.KV/Range`. */
export type MethodTable = ReadonlyMap<string, Method>;
