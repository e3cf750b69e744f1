/**
 * The server's half of the hot response codecs: responses to bytes, in one allocation of the right
 * size. The header's constant part (cluster, member) is encoded once per process.
 */

import { atOnce, SLICE_BYTES } from '../../base/drive.js';
import { PackedRange } from './packed-range.js';
import {
  ProtoWriter, bigFieldSize, bytesFieldSize, int64FieldSize, messageFieldSize,
} from './proto-writer.js';
import type {
  CompactionResponse, DeleteRangeResponse, KeyValue, PutResponse, RangeResponse, ResponseOp, TxnResponse,
} from '../requests.js';

/** Keys whose sizes are added up, or which are written, in one slice. */
const SLICE_KVS = 2048;

/** What every header of one server begins with. */
export function encodeHeaderPrefix(clusterId: bigint, memberId: bigint): Buffer {
  const w = new ProtoWriter(bigFieldSize(clusterId) + bigFieldSize(memberId));
  w.bigField(8, clusterId);
  w.bigField(16, memberId);
  return w.finish();
}

/**
 * The outer header; inner ones carry only the revision, that of a nested txn is empty, as in etcd.
 */
interface Header {
  readonly prefix: Uint8Array;
  readonly revision: number;
  readonly term: number;
}

const headerSize = (h: Header): number => h.prefix.length + int64FieldSize(h.revision) + int64FieldSize(h.term);

function writeHeader(w: ProtoWriter, h: Header): void {
  w.message(10, headerSize(h));
  w.raw(h.prefix);
  w.int64Field(24, h.revision);
  w.int64Field(32, h.term);
}

const innerHeaderSize = (revision: number): number => messageFieldSize(int64FieldSize(revision));

function writeInnerHeader(w: ProtoWriter, revision: number): void {
  w.message(10, int64FieldSize(revision));
  w.int64Field(24, revision);
}

export function kvSize(kv: KeyValue): number {
  return (
    bytesFieldSize(kv.key) + int64FieldSize(kv.createRevision) + int64FieldSize(kv.modRevision) +
    int64FieldSize(kv.version) + bytesFieldSize(kv.value) + bigFieldSize(kv.lease)
  );
}

export function writeKv(w: ProtoWriter, tag: number, kv: KeyValue): void {
  w.message(tag, kvSize(kv));
  w.bytesField(10, kv.key);
  w.int64Field(16, kv.createRevision);
  w.int64Field(24, kv.modRevision);
  w.int64Field(32, kv.version);
  w.bytesField(42, kv.value);
  w.bigField(48, kv.lease);
}

const tailSize = (p: RangeResponse): number => int64FieldSize(p.count) + (p.more ? 2 : 0);

function rangeBodySize(p: RangeResponse): number {
  let size = tailSize(p);
  if (p instanceof PackedRange) return size + p.bodyBytes;
  for (const kv of p.kvs) size += messageFieldSize(kvSize(kv));
  return size;
}

function writeRangeBody(w: ProtoWriter, p: RangeResponse): void {
  if (p instanceof PackedRange) w.raw(p.body);
  else for (const kv of p.kvs) writeKv(w, 18, kv);
  writeRangeTail(w, p);
}

function writeRangeTail(w: ProtoWriter, p: RangeResponse): void {
  w.boolField(24, p.more);
  w.int64Field(32, p.count);
}

const putBodySize = (p: PutResponse): number => (p.prevKv === undefined ? 0 : messageFieldSize(kvSize(p.prevKv)));

function writePutBody(w: ProtoWriter, p: PutResponse): void {
  if (p.prevKv !== undefined) writeKv(w, 18, p.prevKv);
}

function deleteBodySize(p: DeleteRangeResponse): number {
  let size = int64FieldSize(p.deleted);
  for (const kv of p.prevKvs) size += messageFieldSize(kvSize(kv));
  return size;
}

function writeDeleteBody(w: ProtoWriter, p: DeleteRangeResponse): void {
  w.int64Field(16, p.deleted);
  for (const kv of p.prevKvs) writeKv(w, 26, kv);
}

/** Size of the message inside a ResponseOp, its header included. */
function innerSize(op: ResponseOp): number {
  switch (op.kind) {
    case 'range': return innerHeaderSize(op.response.revision) + rangeBodySize(op.response);
    case 'put': return innerHeaderSize(op.response.revision) + putBodySize(op.response);
    case 'delete-range': return innerHeaderSize(op.response.revision) + deleteBodySize(op.response);
    case 'txn': return 2 + txnBodySize(op.response);
  }
}

function writeOp(w: ProtoWriter, op: ResponseOp): void {
  const size = innerSize(op);
  w.message(26, messageFieldSize(size));
  switch (op.kind) {
    case 'range':
      w.message(10, size);
      writeInnerHeader(w, op.response.revision);
      return writeRangeBody(w, op.response);
    case 'put':
      w.message(18, size);
      writeInnerHeader(w, op.response.revision);
      return writePutBody(w, op.response);
    case 'delete-range':
      w.message(26, size);
      writeInnerHeader(w, op.response.revision);
      return writeDeleteBody(w, op.response);
    case 'txn':
      w.message(34, size);
      w.message(10, 0);
      return writeTxnBody(w, op.response);
  }
}

function txnBodySize(p: TxnResponse): number {
  let size = p.succeeded ? 2 : 0;
  for (const op of p.responses) size += messageFieldSize(messageFieldSize(innerSize(op)));
  return size;
}

function writeTxnBody(w: ProtoWriter, p: TxnResponse): void {
  w.boolField(16, p.succeeded);
  for (const op of p.responses) writeOp(w, op);
}

function start(prefix: Uint8Array, revision: number, term: number, bodySize: number): ProtoWriter {
  const header: Header = { prefix, revision, term };
  const w = new ProtoWriter(messageFieldSize(headerSize(header)) + bodySize);
  writeHeader(w, header);
  return w;
}

/** Of a packed one the bytes around its keys and values are written into the room beside them. */
export function encodeRangeResponse(prefix: Uint8Array, term: number, p: RangeResponse): Buffer {
  if (p instanceof PackedRange) {
    const header: Header = { prefix, revision: p.revision, term };
    const frame = p.frame(messageFieldSize(headerSize(header)), tailSize(p));
    if (frame !== undefined) {
      const inPlace = new ProtoWriter(frame);
      writeHeader(inPlace, header);
      inPlace.skip(p.bodyBytes);
      writeRangeTail(inPlace, p);
      return inPlace.finish();
    }
  }
  const w = start(prefix, p.revision, term, rangeBodySize(p));
  writeRangeBody(w, p);
  return w.finish();
}

/** The `kvs` fields alone. */
export function encodeRangeKvs(p: RangeResponse): Uint8Array {
  if (p instanceof PackedRange) return p.body;
  const w = new ProtoWriter(rangeBodySize(p) - tailSize(p));
  for (const kv of p.kvs) writeKv(w, 18, kv);
  return w.finish();
}

export function encodePutResponse(prefix: Uint8Array, term: number, p: PutResponse): Buffer {
  const w = start(prefix, p.revision, term, putBodySize(p));
  writePutBody(w, p);
  return w.finish();
}

export function encodeDeleteRangeResponse(prefix: Uint8Array, term: number, p: DeleteRangeResponse): Buffer {
  return atOnce(encodeDeleteRangeInSlices(prefix, term, p));
}

/** The same, in slices: it may hold hundreds of thousands of keys. */
export function* encodeDeleteRangeInSlices(prefix: Uint8Array, term: number, p: DeleteRangeResponse): Generator<void, Buffer> {
  const { prevKvs } = p;
  let size = int64FieldSize(p.deleted);
  for (let i = 0; i < prevKvs.length; i++) {
    if (i % SLICE_KVS === SLICE_KVS - 1) yield;
    size += messageFieldSize(kvSize(prevKvs[i] as KeyValue));
  }
  const w = start(prefix, p.revision, term, size);
  w.int64Field(16, p.deleted);
  for (let i = 0, bytes = 0; i < prevKvs.length; i++) {
    const kv = prevKvs[i] as KeyValue;
    bytes += kv.value.length + SLICE_BYTES / SLICE_KVS;
    if (bytes >= SLICE_BYTES) {
      bytes = 0;
      yield;
    }
    writeKv(w, 26, kv);
  }
  return w.finish();
}

export function encodeTxnResponse(prefix: Uint8Array, term: number, p: TxnResponse): Buffer {
  const w = start(prefix, p.revision, term, txnBodySize(p));
  writeTxnBody(w, p);
  return w.finish();
}

export function encodeCompactionResponse(prefix: Uint8Array, term: number, p: CompactionResponse): Buffer {
  return start(prefix, p.revision, term, 0).finish();
}
