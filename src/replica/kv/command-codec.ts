/**
 * The log's form of a write: a compact, canonical encoding of KvCommand and of the id that makes it
 * apply once. Decoding validates everything it reads (CodecError on damage) and gives views into
 * the entry, never copies. Numbers beyond +-2^52 are clamped when written: no revision, version or
 * count ever gets there, so what they are compared with cannot tell.
 */

import { EMPTY, type ByteReader, type ByteWriter } from '../../base/bytes.js';
import { assert, unreachable } from '../../base/assert.js';
import { CodecError } from '../../base/errors.js';
import type { ProposalId } from './applied-ids.js';
import type { KvCommand } from './command.js';
import { encodeLeaseCommand } from './lease-codec.js';
import type {
  Compare, CompareResult, CompareTarget, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, SortOrder, SortTarget,
  TxnRequest,
} from '../../api/requests.js';

/**
 * Levels of nested transactions: one for each operation of etcd's default budget, and the
 * outermost.
 */
export const TXN_DEPTH_MAX = 129;

const PUT = 1;
const DELETE_RANGE = 2;
const TXN = 3;
const COMPACT = 4;
const RANGE = 5;

const SORT_ORDERS: readonly SortOrder[] = ['none', 'ascend', 'descend'];
const SORT_TARGETS: readonly SortTarget[] = ['key', 'version', 'create', 'mod', 'value'];
const COMPARE_RESULTS: readonly CompareResult[] = ['equal', 'greater', 'less', 'not-equal', 'unknown'];
const COMPARE_TARGETS: readonly CompareTarget['kind'][] = ['version', 'create', 'mod', 'value', 'lease', 'unknown'];

const LIMIT = 2 ** 52 - 1;

function writeSigned(out: ByteWriter, n: number): void {
  const clamped = Math.max(-LIMIT, Math.min(LIMIT, n));
  out.varint(clamped < 0 ? -clamped * 2 - 1 : clamped * 2);
}

function readSigned(input: ByteReader): number {
  const n = input.varint();
  return n % 2 === 0 ? n / 2 : -(n + 1) / 2;
}

function pick<T>(values: readonly T[], at: number, what: string): T {
  const value = values[at];
  if (value === undefined) throw new CodecError(`command: unknown ${what} ${at}`);
  return value;
}

/** What `pick` finds again. */
function placeOf<T>(values: readonly T[], value: T): number {
  const at = values.indexOf(value);
  assert(at >= 0, `S1 the log has a place for ${String(value)}`);
  return at;
}

function readFlags(input: ByteReader, known: number): number {
  const flags = input.u8();
  if ((flags & ~known) !== 0) throw new CodecError(`command: unknown flags ${flags}`);
  return flags;
}

function writePut(out: ByteWriter, put: PutRequest): void {
  const leased = put.lease !== 0n;
  out.u8((put.prevKv ? 1 : 0) | (put.ignoreValue ? 2 : 0) | (put.ignoreLease ? 4 : 0) | (leased ? 8 : 0));
  out.bytes(put.key).bytes(put.value);
  if (leased) out.i64(put.lease);
}

function readPut(input: ByteReader): PutRequest {
  const flags = readFlags(input, 15);
  return {
    key: input.bytes(),
    value: input.bytes(),
    lease: (flags & 8) !== 0 ? input.i64() : 0n,
    prevKv: (flags & 1) !== 0,
    ignoreValue: (flags & 2) !== 0,
    ignoreLease: (flags & 4) !== 0,
  };
}

function writeDeleteRange(out: ByteWriter, request: DeleteRangeRequest): void {
  const ranged = request.rangeEnd.length > 0;
  out.u8((request.prevKv ? 1 : 0) | (ranged ? 2 : 0)).bytes(request.key);
  if (ranged) out.bytes(request.rangeEnd);
}

function readDeleteRange(input: ByteReader): DeleteRangeRequest {
  const flags = readFlags(input, 3);
  return { key: input.bytes(), rangeEnd: (flags & 2) !== 0 ? input.bytes() : EMPTY, prevKv: (flags & 1) !== 0 };
}

function hasFilter(r: RangeRequest): boolean {
  return r.minModRevision !== 0 || r.maxModRevision !== 0 || r.minCreateRevision !== 0 || r.maxCreateRevision !== 0;
}

function writeRange(out: ByteWriter, r: RangeRequest): void {
  const ranged = r.rangeEnd.length > 0;
  const filtered = hasFilter(r);
  out.u8(
    (r.serializable ? 1 : 0) | (r.keysOnly ? 2 : 0) | (r.countOnly ? 4 : 0) | (ranged ? 8 : 0) | (filtered ? 16 : 0),
  );
  out.u8(placeOf(SORT_ORDERS, r.sortOrder) * 16 + placeOf(SORT_TARGETS, r.sortTarget)).bytes(r.key);
  if (ranged) out.bytes(r.rangeEnd);
  writeSigned(out, r.limit);
  writeSigned(out, r.revision);
  if (!filtered) return;
  writeSigned(out, r.minModRevision);
  writeSigned(out, r.maxModRevision);
  writeSigned(out, r.minCreateRevision);
  writeSigned(out, r.maxCreateRevision);
}

function readRange(input: ByteReader): RangeRequest {
  const flags = readFlags(input, 31);
  const sort = input.u8();
  const filtered = (flags & 16) !== 0;
  return {
    key: input.bytes(),
    rangeEnd: (flags & 8) !== 0 ? input.bytes() : EMPTY,
    limit: readSigned(input),
    revision: readSigned(input),
    sortOrder: pick(SORT_ORDERS, sort >> 4, 'sort order'),
    sortTarget: pick(SORT_TARGETS, sort & 15, 'sort target'),
    serializable: (flags & 1) !== 0,
    keysOnly: (flags & 2) !== 0,
    countOnly: (flags & 4) !== 0,
    minModRevision: filtered ? readSigned(input) : 0,
    maxModRevision: filtered ? readSigned(input) : 0,
    minCreateRevision: filtered ? readSigned(input) : 0,
    maxCreateRevision: filtered ? readSigned(input) : 0,
  };
}

function writeCompare(out: ByteWriter, compare: Compare): void {
  const ranged = compare.rangeEnd.length > 0;
  const target = compare.target;
  out.u8(placeOf(COMPARE_RESULTS, compare.result) * 16 + placeOf(COMPARE_TARGETS, target.kind) * 2 + (ranged ? 1 : 0));
  out.bytes(compare.key);
  if (ranged) out.bytes(compare.rangeEnd);
  switch (target.kind) {
    case 'version': return writeSigned(out, target.version);
    case 'create':
    case 'mod': return writeSigned(out, target.revision);
    case 'value': return void out.bytes(target.value);
    case 'lease': return void out.i64(target.lease);
    case 'unknown': return;
    default: return unreachable(target);
  }
}

function readTarget(input: ByteReader, kind: CompareTarget['kind']): CompareTarget {
  switch (kind) {
    case 'version': return { kind, version: readSigned(input) };
    case 'create':
    case 'mod': return { kind, revision: readSigned(input) };
    case 'value': return { kind, value: input.bytes() };
    case 'lease': return { kind, lease: input.i64() };
    case 'unknown': return { kind };
    default: return unreachable(kind);
  }
}

function readCompare(input: ByteReader): Compare {
  const head = input.u8();
  const result = pick(COMPARE_RESULTS, head >> 4, 'compare result');
  const kind = pick(COMPARE_TARGETS, (head & 15) >> 1, 'compare target');
  const key = input.bytes();
  const rangeEnd = (head & 1) !== 0 ? input.bytes() : EMPTY;
  return { result, target: readTarget(input, kind), key, rangeEnd };
}

function writeOps(out: ByteWriter, ops: readonly RequestOp[], depth: number): void {
  out.varint(ops.length);
  for (const op of ops) {
    switch (op.kind) {
      case 'put': writePut(out.u8(PUT), op.request); break;
      case 'delete-range': writeDeleteRange(out.u8(DELETE_RANGE), op.request); break;
      case 'range': writeRange(out.u8(RANGE), op.request); break;
      case 'txn': writeTxn(out.u8(TXN), op.request, depth + 1); break;
      case 'empty': throw new CodecError('command: an empty operation is refused before it is proposed');
      default: unreachable(op);
    }
  }
}

function readOps(input: ByteReader, depth: number): RequestOp[] {
  const ops: RequestOp[] = [];
  for (let left = input.count(3); left > 0; left--) {
    const kind = input.u8();
    switch (kind) {
      case PUT: ops.push({ kind: 'put', request: readPut(input) }); break;
      case DELETE_RANGE: ops.push({ kind: 'delete-range', request: readDeleteRange(input) }); break;
      case RANGE: ops.push({ kind: 'range', request: readRange(input) }); break;
      case TXN: ops.push({ kind: 'txn', request: readTxn(input, depth + 1) }); break;
      default: throw new CodecError(`command: unknown operation ${kind}`);
    }
  }
  return ops;
}

function writeTxn(out: ByteWriter, txn: TxnRequest, depth: number): void {
  if (depth > TXN_DEPTH_MAX) throw new CodecError(`command: transactions nested deeper than ${TXN_DEPTH_MAX}`);
  out.varint(txn.compare.length);
  for (const compare of txn.compare) writeCompare(out, compare);
  writeOps(out, txn.success, depth);
  writeOps(out, txn.failure, depth);
}

function readTxn(input: ByteReader, depth: number): TxnRequest {
  if (depth > TXN_DEPTH_MAX) throw new CodecError(`command: transactions nested deeper than ${TXN_DEPTH_MAX}`);
  const compare: Compare[] = [];
  for (let left = input.count(2); left > 0; left--) compare.push(readCompare(input));
  return { compare, success: readOps(input, depth), failure: readOps(input, depth) };
}

/**
 * Throws CodecError for what validation refuses (an empty operation, too deep a nest): nothing to
 * propose then.
 */
export function encodeKvCommand(out: ByteWriter, command: KvCommand): void {
  switch (command.kind) {
    case 'put': return writePut(out.u8(PUT), command.request);
    case 'delete-range': return writeDeleteRange(out.u8(DELETE_RANGE), command.request);
    case 'txn': return writeTxn(out.u8(TXN), command.request, 1);
    case 'compact':
      out.u8(COMPACT).u8(command.request.physical ? 1 : 0);
      return writeSigned(out, command.request.revision);
    case 'lease-grant':
    case 'lease-revoke':
    case 'lease-checkpoint': return encodeLeaseCommand(out, command);
    default: return unreachable(command);
  }
}

/** Reads one command, of keys, and leaves the reader behind it. */
export function decodeKvCommand(input: ByteReader): KvCommand {
  const kind = input.u8();
  switch (kind) {
    case PUT: return { kind: 'put', request: readPut(input) };
    case DELETE_RANGE: return { kind: 'delete-range', request: readDeleteRange(input) };
    case TXN: return { kind: 'txn', request: readTxn(input, 1) };
    case COMPACT: {
      const physical = readFlags(input, 1) !== 0;
      return { kind: 'compact', request: { revision: readSigned(input), physical } };
    }
    default: throw new CodecError(`command: unknown kind ${kind}`);
  }
}

export function encodeProposalId(out: ByteWriter, id: ProposalId): void {
  out.varint(id.member).varint(id.incarnation).varint(id.sequence);
}

export function decodeProposalId(input: ByteReader): ProposalId {
  return { member: input.varint(), incarnation: input.varint(), sequence: input.varint() };
}
