/**
 * The client's half of the hot request codecs: requests to bytes. Each `x`Size mirrors its `write`
 * line by line.
 */

import {
  ProtoWriter, bigFieldSize, bytesFieldSize, int64FieldSize, messageFieldSize, varintSize,
} from './proto-writer.js';
import type {
  CompactionRequest, Compare, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest,
} from '../requests.js';

const SORT_ORDERS = { none: 0, ascend: 1, descend: 2, unknown: 3 } as const;
const SORT_TARGETS = { key: 0, version: 1, create: 2, mod: 3, value: 4, unknown: 5 } as const;
const COMPARE_RESULTS = { 'equal': 0, 'greater': 1, 'less': 2, 'not-equal': 3, 'unknown': 4 } as const;

const flag = (value: boolean): number => (value ? 2 : 0);

function rangeSize(q: RangeRequest): number {
  return (
    bytesFieldSize(q.key) + bytesFieldSize(q.rangeEnd) + int64FieldSize(q.limit) + int64FieldSize(q.revision) +
    int64FieldSize(SORT_ORDERS[q.sortOrder]) + int64FieldSize(SORT_TARGETS[q.sortTarget]) +
    flag(q.serializable) + flag(q.keysOnly) + flag(q.countOnly) +
    int64FieldSize(q.minModRevision) + int64FieldSize(q.maxModRevision) +
    int64FieldSize(q.minCreateRevision) + int64FieldSize(q.maxCreateRevision)
  );
}

function writeRange(w: ProtoWriter, q: RangeRequest): void {
  w.bytesField(10, q.key);
  w.bytesField(18, q.rangeEnd);
  w.int64Field(24, q.limit);
  w.int64Field(32, q.revision);
  w.int64Field(40, SORT_ORDERS[q.sortOrder]);
  w.int64Field(48, SORT_TARGETS[q.sortTarget]);
  w.boolField(56, q.serializable);
  w.boolField(64, q.keysOnly);
  w.boolField(72, q.countOnly);
  w.int64Field(80, q.minModRevision);
  w.int64Field(88, q.maxModRevision);
  w.int64Field(96, q.minCreateRevision);
  w.int64Field(104, q.maxCreateRevision);
}

function putSize(q: PutRequest): number {
  return (
    bytesFieldSize(q.key) + bytesFieldSize(q.value) + bigFieldSize(q.lease) +
    flag(q.prevKv) + flag(q.ignoreValue) + flag(q.ignoreLease)
  );
}

function writePut(w: ProtoWriter, q: PutRequest): void {
  w.bytesField(10, q.key);
  w.bytesField(18, q.value);
  w.bigField(24, q.lease);
  w.boolField(32, q.prevKv);
  w.boolField(40, q.ignoreValue);
  w.boolField(48, q.ignoreLease);
}

function deleteRangeSize(q: DeleteRangeRequest): number {
  return bytesFieldSize(q.key) + bytesFieldSize(q.rangeEnd) + flag(q.prevKv);
}

function writeDeleteRange(w: ProtoWriter, q: DeleteRangeRequest): void {
  w.bytesField(10, q.key);
  w.bytesField(18, q.rangeEnd);
  w.boolField(24, q.prevKv);
}

/** A member of a oneof is written even when it is zero or empty. */
function targetSize({ target }: Compare): number {
  switch (target.kind) {
    case 'version': return 1 + varintSize(target.version);
    case 'create': return 3 + varintSize(target.revision);
    case 'mod': return 3 + varintSize(target.revision);
    case 'value': return 2 + messageFieldSize(target.value.length);
    case 'lease': return 2 + (target.lease === 0n ? 2 : bigFieldSize(target.lease));
    case 'unknown': return 2;
  }
}

function writeTarget(w: ProtoWriter, { target }: Compare): void {
  switch (target.kind) {
    case 'version':
      w.byte(32);
      return w.varint(target.version);
    case 'create':
      w.int64Field(16, 1);
      w.byte(40);
      return w.varint(target.revision);
    case 'mod':
      w.int64Field(16, 2);
      w.byte(48);
      return w.varint(target.revision);
    case 'value':
      w.int64Field(16, 3);
      w.message(58, target.value.length);
      return w.raw(target.value);
    case 'lease':
      w.int64Field(16, 4);
      if (target.lease === 0n) {
        w.byte(64);
        return w.byte(0);
      }
      return w.bigField(64, target.lease);
    case 'unknown':
      return w.int64Field(16, 5);
  }
}

function compareSize(q: Compare): number {
  const end = bytesFieldSize(q.rangeEnd);
  return int64FieldSize(COMPARE_RESULTS[q.result]) + bytesFieldSize(q.key) + targetSize(q) + (end === 0 ? 0 : end + 1);
}

function writeCompare(w: ProtoWriter, q: Compare): void {
  w.int64Field(8, COMPARE_RESULTS[q.result]);
  writeTarget(w, q);
  w.bytesField(26, q.key);
  if (q.rangeEnd.length > 0) {
    w.varint(514);
    w.varint(q.rangeEnd.length);
    w.raw(q.rangeEnd);
  }
}

function opBodySize(op: RequestOp): number {
  switch (op.kind) {
    case 'range': return rangeSize(op.request);
    case 'put': return putSize(op.request);
    case 'delete-range': return deleteRangeSize(op.request);
    case 'txn': return txnSize(op.request);
    case 'empty': return -1;
  }
}

function opSize(op: RequestOp): number {
  const body = opBodySize(op);
  return body < 0 ? 0 : messageFieldSize(body);
}

function writeOp(w: ProtoWriter, op: RequestOp): void {
  switch (op.kind) {
    case 'range':
      w.message(10, rangeSize(op.request));
      return writeRange(w, op.request);
    case 'put':
      w.message(18, putSize(op.request));
      return writePut(w, op.request);
    case 'delete-range':
      w.message(26, deleteRangeSize(op.request));
      return writeDeleteRange(w, op.request);
    case 'txn':
      w.message(34, txnSize(op.request));
      return writeTxn(w, op.request);
    case 'empty':
  }
}

function txnSize(q: TxnRequest): number {
  let size = 0;
  for (const compare of q.compare) size += messageFieldSize(compareSize(compare));
  for (const op of q.success) size += messageFieldSize(opSize(op));
  for (const op of q.failure) size += messageFieldSize(opSize(op));
  return size;
}

function writeTxn(w: ProtoWriter, q: TxnRequest): void {
  for (const compare of q.compare) {
    w.message(10, compareSize(compare));
    writeCompare(w, compare);
  }
  for (const op of q.success) {
    w.message(18, opSize(op));
    writeOp(w, op);
  }
  for (const op of q.failure) {
    w.message(26, opSize(op));
    writeOp(w, op);
  }
}

export function encodeRangeRequest(q: RangeRequest): Buffer {
  const w = new ProtoWriter(rangeSize(q));
  writeRange(w, q);
  return w.finish();
}

export function encodePutRequest(q: PutRequest): Buffer {
  const w = new ProtoWriter(putSize(q));
  writePut(w, q);
  return w.finish();
}

export function encodeDeleteRangeRequest(q: DeleteRangeRequest): Buffer {
  const w = new ProtoWriter(deleteRangeSize(q));
  writeDeleteRange(w, q);
  return w.finish();
}

export function encodeTxnRequest(q: TxnRequest): Buffer {
  const w = new ProtoWriter(txnSize(q));
  writeTxn(w, q);
  return w.finish();
}

export function encodeCompactionRequest(q: CompactionRequest): Buffer {
  const w = new ProtoWriter(int64FieldSize(q.revision) + flag(q.physical));
  w.int64Field(8, q.revision);
  w.boolField(16, q.physical);
  return w.finish();
}
