/**
 * The server's half of the hot request codecs: bytes to requests. Views into the message are handed
 * on, never copies. Unknown fields are passed over; an unknown enum number means what it means to
 * etcd.
 */

import { EMPTY } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import { EtcdError } from '../etcd-error.js';
import { ProtoReader } from './proto-reader.js';
import type {
  CompactionRequest, Compare, CompareResult, CompareTarget, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp,
  SortOrder, SortTarget, TxnRequest,
} from '../requests.js';

/**
 * Operations and compares of a transaction with all that are nested in it: etcd's default for each
 * list, for as many lists. etcd has no bound but the request's bytes, into which a hundred thousand
 * fit: a tenth of a second for each step of their way, on every member.
 */
export const MAX_TXN_OPS_TOTAL = 32 * 128;

/** Deeper nesting holds no txn that any limit on operations would let pass. */
export const MAX_TXN_DEPTH = 128;

const SORT_ORDERS: readonly SortOrder[] = ['none', 'ascend', 'descend'];
const SORT_TARGETS: readonly SortTarget[] = ['key', 'version', 'create', 'mod', 'value'];
const COMPARE_RESULTS: readonly CompareResult[] = ['equal', 'greater', 'less', 'not-equal'];
const EMPTY_OP: RequestOp = { kind: 'empty' };

function readRange(r: ProtoReader, end: number): RangeRequest {
  let key: Uint8Array = EMPTY;
  let rangeEnd: Uint8Array = EMPTY;
  let limit = 0;
  let revision = 0;
  let sortOrder = 0;
  let sortTarget = 0;
  let serializable = false;
  let keysOnly = false;
  let countOnly = false;
  let minModRevision = 0;
  let maxModRevision = 0;
  let minCreateRevision = 0;
  let maxCreateRevision = 0;
  while (r.at < end) {
    const tag = r.tag(end);
    switch (tag) {
      case 10: key = r.view(end); break;
      case 18: rangeEnd = r.view(end); break;
      case 24: limit = r.int64(end); break;
      case 32: revision = r.int64(end); break;
      case 40: sortOrder = r.uint32(end); break;
      case 48: sortTarget = r.uint32(end); break;
      case 56: serializable = r.bool(end); break;
      case 64: keysOnly = r.bool(end); break;
      case 72: countOnly = r.bool(end); break;
      case 80: minModRevision = r.int64(end); break;
      case 88: maxModRevision = r.int64(end); break;
      case 96: minCreateRevision = r.int64(end); break;
      case 104: maxCreateRevision = r.int64(end); break;
      default: r.skip(tag, end);
    }
  }
  return {
    key, rangeEnd, limit, revision, serializable, keysOnly, countOnly,
    sortOrder: SORT_ORDERS[sortOrder] ?? 'unknown',
    sortTarget: SORT_TARGETS[sortTarget] ?? 'unknown',
    minModRevision, maxModRevision, minCreateRevision, maxCreateRevision,
  };
}

function readPut(r: ProtoReader, end: number): PutRequest {
  let key: Uint8Array = EMPTY;
  let value: Uint8Array = EMPTY;
  let lease = 0n;
  let prevKv = false;
  let ignoreValue = false;
  let ignoreLease = false;
  while (r.at < end) {
    const tag = r.tag(end);
    switch (tag) {
      case 10: key = r.view(end); break;
      case 18: value = r.view(end); break;
      case 24: lease = r.int64Big(end); break;
      case 32: prevKv = r.bool(end); break;
      case 40: ignoreValue = r.bool(end); break;
      case 48: ignoreLease = r.bool(end); break;
      default: r.skip(tag, end);
    }
  }
  return { key, value, lease, prevKv, ignoreValue, ignoreLease };
}

function readDeleteRange(r: ProtoReader, end: number): DeleteRangeRequest {
  let key: Uint8Array = EMPTY;
  let rangeEnd: Uint8Array = EMPTY;
  let prevKv = false;
  while (r.at < end) {
    const tag = r.tag(end);
    switch (tag) {
      case 10: key = r.view(end); break;
      case 18: rangeEnd = r.view(end); break;
      case 24: prevKv = r.bool(end); break;
      default: r.skip(tag, end);
    }
  }
  return { key, rangeEnd, prevKv };
}

/** The target that `target` asks for; a union member that does not fit it counts as missing. */
function compareTarget(target: number, field: number, n: number, value: Uint8Array, lease: bigint): CompareTarget {
  switch (target) {
    case 0: return { kind: 'version', version: field === 4 ? n : 0 };
    case 1: return { kind: 'create', revision: field === 5 ? n : 0 };
    case 2: return { kind: 'mod', revision: field === 6 ? n : 0 };
    case 3: return { kind: 'value', value: field === 7 ? value : EMPTY };
    case 4: return { kind: 'lease', lease: field === 8 ? lease : 0n };
    default: return { kind: 'unknown' };
  }
}

function readCompare(r: ProtoReader, end: number): Compare {
  let result = 0;
  let target = 0;
  let key: Uint8Array = EMPTY;
  let rangeEnd: Uint8Array = EMPTY;
  let field = 0;
  let n = 0;
  let value: Uint8Array = EMPTY;
  let lease = 0n;
  while (r.at < end) {
    const tag = r.tag(end);
    switch (tag) {
      case 8: result = r.uint32(end); break;
      case 16: target = r.uint32(end); break;
      case 26: key = r.view(end); break;
      case 32: case 40: case 48: field = tag >>> 3; n = r.int64(end); break;
      case 58: field = 7; value = r.view(end); break;
      case 64: field = 8; lease = r.int64Big(end); break;
      case 514: rangeEnd = r.view(end); break;
      default: r.skip(tag, end);
    }
  }
  return {
    result: COMPARE_RESULTS[result] ?? 'unknown',
    target: compareTarget(target, field, n, value, lease),
    key,
    rangeEnd,
  };
}

/** What of a transaction may still come: more is refused before anything is made of it (C1). */
class OpsLeft {
  #left = MAX_TXN_OPS_TOTAL;

  take(): void {
    if (--this.#left < 0) throw new EtcdError('TOO_MANY_OPS');
  }
}

function readOp(r: ProtoReader, end: number, depth: number, left: OpsLeft): RequestOp {
  left.take();
  let op = EMPTY_OP;
  while (r.at < end) {
    const tag = r.tag(end);
    // Of several the last one counts, and each is made.
    if (op !== EMPTY_OP) left.take();
    switch (tag) {
      case 10: op = { kind: 'range', request: readRange(r, r.lengthEnd(end)) }; break;
      case 18: op = { kind: 'put', request: readPut(r, r.lengthEnd(end)) }; break;
      case 26: op = { kind: 'delete-range', request: readDeleteRange(r, r.lengthEnd(end)) }; break;
      case 34: op = { kind: 'txn', request: readTxn(r, r.lengthEnd(end), depth + 1, left) }; break;
      default: r.skip(tag, end);
    }
  }
  return op;
}

function readTxn(r: ProtoReader, end: number, depth: number, left: OpsLeft): TxnRequest {
  if (depth > MAX_TXN_DEPTH) throw new CodecError(`txn nested deeper than ${MAX_TXN_DEPTH}`);
  const compare: Compare[] = [];
  const success: RequestOp[] = [];
  const failure: RequestOp[] = [];
  while (r.at < end) {
    const tag = r.tag(end);
    switch (tag) {
      case 10:
        left.take();
        compare.push(readCompare(r, r.lengthEnd(end)));
        break;
      case 18: success.push(readOp(r, r.lengthEnd(end), depth, left)); break;
      case 26: failure.push(readOp(r, r.lengthEnd(end), depth, left)); break;
      default: r.skip(tag, end);
    }
  }
  return { compare, success, failure };
}

function readCompaction(r: ProtoReader, end: number): CompactionRequest {
  let revision = 0;
  let physical = false;
  while (r.at < end) {
    const tag = r.tag(end);
    switch (tag) {
      case 8: revision = r.int64(end); break;
      case 16: physical = r.bool(end); break;
      default: r.skip(tag, end);
    }
  }
  return { revision, physical };
}

export const decodeRangeRequest = (bytes: Uint8Array): RangeRequest => readRange(new ProtoReader(bytes), bytes.length);
export const decodePutRequest = (bytes: Uint8Array): PutRequest => readPut(new ProtoReader(bytes), bytes.length);
export const decodeDeleteRangeRequest = (bytes: Uint8Array): DeleteRangeRequest =>
  readDeleteRange(new ProtoReader(bytes), bytes.length);
export const decodeTxnRequest = (bytes: Uint8Array): TxnRequest => readTxn(new ProtoReader(bytes), bytes.length, 1, new OpsLeft());
export const decodeCompactionRequest = (bytes: Uint8Array): CompactionRequest =>
  readCompaction(new ProtoReader(bytes), bytes.length);
