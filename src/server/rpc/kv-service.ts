/** etcd's KV over a Store: the hot methods, with hand-written codecs and nothing allocated besides request and response. */

import {
  decodeCompactionRequest, decodeDeleteRangeRequest, decodePutRequest, decodeRangeRequest, decodeTxnRequest,
} from '../../api/wire/decode-request.js';
import {
  encodeCompactionResponse, encodeDeleteRangeResponse, encodeHeaderPrefix, encodePutResponse, encodeRangeResponse,
  encodeTxnResponse,
} from '../../api/wire/encode-response.js';
import { EtcdError } from '../../api/etcd-error.js';
import type { Store } from '../../node/store.js';
import type { Method, UnaryHandler } from './method.js';

export interface KvLimits {
  /** Bytes of a write request as it goes into the log. etcd's `--max-request-bytes`. */
  readonly maxRequestBytes: number;
}

export function addKv(table: Map<string, Method>, store: Store, limits: KvLimits): void {
  const prefix = encodeHeaderPrefix(store.clusterId, BigInt(store.memberId));
  const add = (name: string, handle: UnaryHandler): void => void table.set(`/etcdserverpb.KV/${name}`, { kind: 'unary', handle });
  const bounded = (request: Uint8Array): Uint8Array => {
    if (request.length > limits.maxRequestBytes) throw new EtcdError('REQUEST_TOO_LARGE');
    return request;
  };

  add('Range', async (request) => {
    const response = await store.range(decodeRangeRequest(request));
    return encodeRangeResponse(prefix, store.term, response);
  });
  add('Put', async (request) => {
    const response = await store.put(decodePutRequest(bounded(request)));
    return encodePutResponse(prefix, store.term, response);
  });
  add('DeleteRange', async (request) => {
    const response = await store.deleteRange(decodeDeleteRangeRequest(bounded(request)));
    return encodeDeleteRangeResponse(prefix, store.term, response);
  });
  add('Txn', async (request) => {
    const response = await store.txn(decodeTxnRequest(bounded(request)));
    return encodeTxnResponse(prefix, store.term, response);
  });
  add('Compact', async (request) => {
    const response = await store.compact(decodeCompactionRequest(bounded(request)));
    return encodeCompactionResponse(prefix, store.term, response);
  });
}
