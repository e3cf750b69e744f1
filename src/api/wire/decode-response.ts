/**
 * The client's half of the hot response codecs: bytes to responses, values as views into the
 * message.
 */

import { EMPTY } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import { MAX_TXN_DEPTH } from './decode-request.js';
import { ProtoReader } from './proto-reader.js';
import type {
  CompactionResponse, DeleteRangeResponse, KeyValue, PutResponse, RangeResponse, Reply, ResponseHeader, ResponseOp,
  TxnResponse,
} from '../requests.js';

/** Field 2 of a RangeResponse. */
const KVS_TAG = 18;

export const NO_HEADER: ResponseHeader = { clusterId: 0n, memberId: 0n, revision: 0, raftTerm: 0 };

export function readHeader(r: ProtoReader, end: number): ResponseHeader {
  let clusterId = 0n;
  let memberId = 0n;
  let revision = 0;
  let raftTerm = 0;
  while (r.at < end) {
    const tag = r.tag(end);
    switch (tag) {
      case 8: clusterId = r.uint64Big(end); break;
      case 16: memberId = r.uint64Big(end); break;
      case 24: revision = r.int64(end); break;
      case 32: raftTerm = r.int64(end); break;
      default: r.skip(tag, end);
    }
  }
  return { clusterId, memberId, revision, raftTerm };
}

export function readKv(r: ProtoReader, end: number): KeyValue {
  let key: Uint8Array = EMPTY;
  let createRevision = 0;
  let modRevision = 0;
  let version = 0;
  let value: Uint8Array = EMPTY;
  let lease = 0n;
  while (r.at < end) {
    const tag = r.tag(end);
    switch (tag) {
      case 10: key = r.view(end); break;
      case 16: createRevision = r.int64(end); break;
      case 24: modRevision = r.int64(end); break;
      case 32: version = r.int64(end); break;
      case 42: value = r.view(end); break;
      case 48: lease = r.int64Big(end); break;
      default: r.skip(tag, end);
    }
  }
  return { key, createRevision, modRevision, version, value, lease };
}

/** The `kvs` of a RangeResponse, one field after the other. Throws CodecError. */
export function decodeKvs(bytes: Uint8Array): KeyValue[] {
  const r = new ProtoReader(bytes);
  const kvs: KeyValue[] = [];
  while (r.at < bytes.length) {
    if (r.tag(bytes.length) !== KVS_TAG) throw new CodecError('a field that is no key and value');
    kvs.push(readKv(r, r.lengthEnd(bytes.length)));
  }
  return kvs;
}

function readRange(r: ProtoReader, end: number): Reply<RangeResponse> {
  let header = NO_HEADER;
  const kvs: KeyValue[] = [];
  let more = false;
  let count = 0;
  while (r.at < end) {
    const tag = r.tag(end);
    switch (tag) {
      case 10: header = readHeader(r, r.lengthEnd(end)); break;
      case KVS_TAG: kvs.push(readKv(r, r.lengthEnd(end))); break;
      case 24: more = r.bool(end); break;
      case 32: count = r.int64(end); break;
      default: r.skip(tag, end);
    }
  }
  return { header, revision: header.revision, kvs, more, count };
}

function readPut(r: ProtoReader, end: number): Reply<PutResponse> {
  let header = NO_HEADER;
  let prevKv: KeyValue | undefined;
  while (r.at < end) {
    const tag = r.tag(end);
    switch (tag) {
      case 10: header = readHeader(r, r.lengthEnd(end)); break;
      case 18: prevKv = readKv(r, r.lengthEnd(end)); break;
      default: r.skip(tag, end);
    }
  }
  return { header, revision: header.revision, prevKv };
}

function readDeleteRange(r: ProtoReader, end: number): Reply<DeleteRangeResponse> {
  let header = NO_HEADER;
  let deleted = 0;
  const prevKvs: KeyValue[] = [];
  while (r.at < end) {
    const tag = r.tag(end);
    switch (tag) {
      case 10: header = readHeader(r, r.lengthEnd(end)); break;
      case 16: deleted = r.int64(end); break;
      case 26: prevKvs.push(readKv(r, r.lengthEnd(end))); break;
      default: r.skip(tag, end);
    }
  }
  return { header, revision: header.revision, deleted, prevKvs };
}

/**
 * Inner responses have the shape of the requests module: what their header says is their revision.
 */
function readOp(r: ProtoReader, end: number, depth: number): ResponseOp {
  let op: ResponseOp | undefined;
  while (r.at < end) {
    const tag = r.tag(end);
    switch (tag) {
      case 10: op = { kind: 'range', response: readRange(r, r.lengthEnd(end)) }; break;
      case 18: op = { kind: 'put', response: readPut(r, r.lengthEnd(end)) }; break;
      case 26: op = { kind: 'delete-range', response: readDeleteRange(r, r.lengthEnd(end)) }; break;
      case 34: op = { kind: 'txn', response: readTxn(r, r.lengthEnd(end), depth + 1) }; break;
      default: r.skip(tag, end);
    }
  }
  if (op === undefined) throw new CodecError('response of an operation is empty');
  return op;
}

function readTxn(r: ProtoReader, end: number, depth: number): Reply<TxnResponse> {
  if (depth > MAX_TXN_DEPTH) throw new CodecError(`txn nested deeper than ${MAX_TXN_DEPTH}`);
  let header = NO_HEADER;
  let succeeded = false;
  const responses: ResponseOp[] = [];
  while (r.at < end) {
    const tag = r.tag(end);
    switch (tag) {
      case 10: header = readHeader(r, r.lengthEnd(end)); break;
      case 16: succeeded = r.bool(end); break;
      case 26: responses.push(readOp(r, r.lengthEnd(end), depth)); break;
      default: r.skip(tag, end);
    }
  }
  return { header, revision: header.revision, succeeded, responses };
}

function readCompaction(r: ProtoReader, end: number): Reply<CompactionResponse> {
  let header = NO_HEADER;
  while (r.at < end) {
    const tag = r.tag(end);
    if (tag === 10) header = readHeader(r, r.lengthEnd(end));
    else r.skip(tag, end);
  }
  return { header, revision: header.revision };
}

export const decodeRangeResponse = (bytes: Uint8Array): Reply<RangeResponse> =>
  readRange(new ProtoReader(bytes), bytes.length);
export const decodePutResponse = (bytes: Uint8Array): Reply<PutResponse> => readPut(new ProtoReader(bytes), bytes.length);
export const decodeDeleteRangeResponse = (bytes: Uint8Array): Reply<DeleteRangeResponse> =>
  readDeleteRange(new ProtoReader(bytes), bytes.length);
export const decodeTxnResponse = (bytes: Uint8Array): Reply<TxnResponse> =>
  readTxn(new ProtoReader(bytes), bytes.length, 1);
export const decodeCompactionResponse = (bytes: Uint8Array): Reply<CompactionResponse> =>
  readCompaction(new ProtoReader(bytes), bytes.length);
