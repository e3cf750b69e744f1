/**
 * etcd's KV service: the one list of its methods. Their codecs are by hand, because every put and
 * get goes through them: a request is read and a response written in one pass over one buffer,
 * nothing allocated besides.
 */

import type {
  CompactionRequest, CompactionResponse, DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse, RangeRequest,
  RangeResponse, Reply, TxnRequest, TxnResponse,
} from '../requests.js';
import type { Caller } from '../caller.js';
import type { Rpc } from '../rpc.js';
import {
  decodeCompactionRequest, decodeDeleteRangeRequest, decodePutRequest, decodeRangeRequest, decodeTxnRequest,
} from '../wire/decode-request.js';
import {
  decodeCompactionResponse, decodeDeleteRangeResponse, decodePutResponse, decodeRangeResponse, decodeTxnResponse,
} from '../wire/decode-response.js';
import {
  encodeCompactionRequest, encodeDeleteRangeRequest, encodePutRequest, encodeRangeRequest, encodeTxnRequest,
} from '../wire/encode-request.js';
import {
  encodeCompactionResponse, encodeDeleteRangeInSlices, encodeDeleteRangeResponse, encodePutResponse, encodeRangeResponse, encodeTxnResponse,
} from '../wire/encode-response.js';

/**
 * What answers the service: a store, in requests and responses. Refusals are EtcdErrors. Without a
 * caller it is the application that the store is part of, to which nothing is forbidden.
 */
export interface KvApi {
  range(request: RangeRequest, caller?: Caller): Promise<RangeResponse>;
  put(request: PutRequest, caller?: Caller): Promise<PutResponse>;
  deleteRange(request: DeleteRangeRequest, caller?: Caller): Promise<DeleteRangeResponse>;
  txn(request: TxnRequest, caller?: Caller): Promise<TxnResponse>;
  compact(request: CompactionRequest, caller?: Caller): Promise<CompactionResponse>;
}

type KvRpc<Request, Response> = Rpc<Request, Response, Reply<Response>>;

const Range: KvRpc<RangeRequest, RangeResponse> = {
  path: '/etcdserverpb.KV/Range',
  effect: 'read',
  encodeRequest: encodeRangeRequest,
  decodeRequest: decodeRangeRequest,
  encodeResponse: encodeRangeResponse,
  decodeResponse: decodeRangeResponse,
};

const Put: KvRpc<PutRequest, PutResponse> = {
  path: '/etcdserverpb.KV/Put',
  effect: 'write',
  encodeRequest: encodePutRequest,
  decodeRequest: decodePutRequest,
  encodeResponse: encodePutResponse,
  decodeResponse: decodePutResponse,
};

const DeleteRange: KvRpc<DeleteRangeRequest, DeleteRangeResponse> = {
  path: '/etcdserverpb.KV/DeleteRange',
  effect: 'write',
  encodeRequest: encodeDeleteRangeRequest,
  decodeRequest: decodeDeleteRangeRequest,
  encodeResponse: encodeDeleteRangeResponse,
  encodeInSlices: encodeDeleteRangeInSlices,
  decodeResponse: decodeDeleteRangeResponse,
};

const Txn: KvRpc<TxnRequest, TxnResponse> = {
  path: '/etcdserverpb.KV/Txn',
  effect: 'write',
  encodeRequest: encodeTxnRequest,
  decodeRequest: decodeTxnRequest,
  encodeResponse: encodeTxnResponse,
  decodeResponse: decodeTxnResponse,
};

const Compact: KvRpc<CompactionRequest, CompactionResponse> = {
  path: '/etcdserverpb.KV/Compact',
  effect: 'write',
  encodeRequest: encodeCompactionRequest,
  decodeRequest: decodeCompactionRequest,
  encodeResponse: encodeCompactionResponse,
  decodeResponse: decodeCompactionResponse,
};

/** Its answers are `wire/range-stream.ts`. */
export const RANGE_STREAM_PATH = '/etcdserverpb.KV/RangeStream';

export const KV = { Range, Put, DeleteRange, Txn, Compact } as const;
