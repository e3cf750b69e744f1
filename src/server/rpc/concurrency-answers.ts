/** What both services read from requests, and how they answer. */

import { EtcdError } from '../../api/etcd-error.js';
import type { Message } from '../../api/protos/reflected-rpc.js';
import type { KeyValue } from '../../api/requests.js';
import type { Revision } from '../../base/ids.js';
import { Code, type StatusCode } from '../../grpc/code.js';
import type { ServerCall } from '../../grpc/method.js';
import { RpcError } from '../../grpc/status.js';
import type { Store } from '../../node/store.js';
import type { RequestLimits } from './hot.js';
import { ETCD_STATUS } from './status.js';

/** Clients act on these: they ask again, or log in again. */
const KEPT: readonly StatusCode[] = [Code.UNAVAILABLE, Code.UNAUTHENTICATED];

/**
 * etcd's two services are clients of its others, and pass their refusals on as they print them: the
 * words stay, the code is UNKNOWN.
 */
export async function answering<T>(answer: () => Promise<T>): Promise<T> {
  try {
    return await answer();
  } catch (error) {
    if (!(error instanceof EtcdError) || KEPT.includes(ETCD_STATUS[error.code])) throw error;
    throw new RpcError(Code.UNKNOWN, error.wireMessage);
  }
}

export function headerAt(store: Store, revision: Revision): object {
  return {
    cluster_id: store.clusterId.toString(), member_id: String(store.memberId), raft_term: String(store.term), revision: String(revision),
  };
}

export function kvMessage({ key, createRevision, modRevision, version, value, lease }: KeyValue): object {
  return {
    key, create_revision: String(createRevision), mod_revision: String(modRevision), version: String(version), value,
    lease: lease.toString(),
  };
}

export function bytesIn(request: Message, field: string): Uint8Array {
  return (request[field] as Uint8Array | undefined) ?? new Uint8Array(0);
}

export function int64In(request: Message, field: string): bigint {
  return BigInt(String(request[field] ?? 0));
}

/** The bytes; throws EtcdError REQUEST_TOO_LARGE if a request with all of that would be. */
export function within({ maxRequestBytes }: RequestLimits, bytes: Uint8Array, ...more: readonly Uint8Array[]): Uint8Array {
  if ([bytes, ...more].reduce((sum, { length }) => sum + length, 0) > maxRequestBytes) throw new EtcdError('REQUEST_TOO_LARGE');
  return bytes;
}

/** Aborted once nobody waits for the answer any more. */
export function signalOf(call: Pick<ServerCall, 'onCancel'>): AbortSignal {
  const abort = new AbortController();
  call.onCancel(() => abort.abort());
  return abort.signal;
}
