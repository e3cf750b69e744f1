/**
 * What can be said about a request without looking at the store. It runs before a request is
 * proposed or read, so that everything in the log is well formed; each refusal is an EtcdError with
 * etcd's code, in etcd's order.
 */

import { unreachable } from '../../base/assert.js';
import { KiB } from '../../base/bytes.js';
import { EtcdError } from '../../api/etcd-error.js';
import { MAX_TXN_OPS_TOTAL } from '../../api/wire/decode-request.js';
import { TXN_DEPTH_MAX } from './command-codec.js';
import { checkIntervals } from './txn-intervals.js';
import type { KvCommand, LeaseGrant } from './command.js';
import type { DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest } from '../../api/requests.js';

/**
 * The longest key that can be put: index blocks hold whole keys. etcd has no bound but the
 * request's.
 */
export const MAX_KEY_BYTES = 60 * KiB;
/**
 * Ends of ranges and keys to look for may be a little longer, so that `last key + "\0"` always
 * works.
 */
const MAX_BOUND_BYTES = MAX_KEY_BYTES + KiB;
/** `--max-txn-ops`, unless told otherwise. */
export const MAX_TXN_OPS = 128;
/** Its largest: all three lists of a txn may be as long, within what is decoded of one. */
export const MOST_TXN_OPS = MAX_TXN_OPS_TOTAL / 4;
/** Seconds. etcd's. */
export const MAX_LEASE_TTL = 9_000_000_000;
function checkKey(key: Uint8Array, max: number): void {
  if (key.length === 0) throw new EtcdError('EMPTY_KEY');
  checkLength(key, max);
}

function checkLength(key: Uint8Array, max: number): void {
  if (key.length > max) throw new EtcdError('KEY_TOO_LONG', `${key.length} bytes, at most ${max}`);
}

export function validateRange(request: RangeRequest): void {
  checkKey(request.key, MAX_BOUND_BYTES);
  checkLength(request.rangeEnd, MAX_BOUND_BYTES);
  if (request.sortOrder === 'unknown' || request.sortTarget === 'unknown') throw new EtcdError('INVALID_SORT_OPTION');
}

export function validatePut(request: PutRequest): void {
  checkKey(request.key, MAX_KEY_BYTES);
  if (request.ignoreValue && request.value.length > 0) throw new EtcdError('VALUE_PROVIDED');
  if (request.ignoreLease && request.lease !== 0n) throw new EtcdError('LEASE_PROVIDED');
}

export function validateDeleteRange(request: DeleteRangeRequest): void {
  checkKey(request.key, MAX_BOUND_BYTES);
  checkLength(request.rangeEnd, MAX_BOUND_BYTES);
}

export function validateTxn(request: TxnRequest, maxOps = MAX_TXN_OPS): void {
  if (countOps(request, MAX_TXN_OPS_TOTAL) > MAX_TXN_OPS_TOTAL) throw new EtcdError('TOO_MANY_OPS');
  checkTxn(request, maxOps, 1);
  checkIntervals(request.success);
  checkIntervals(request.failure);
}

/** Both branches count. Gives up soon after `enough`. */
function countOps(request: TxnRequest, enough: number): number {
  let count = request.compare.length + request.success.length + request.failure.length;
  for (const ops of [request.success, request.failure]) {
    for (const op of ops) {
      if (count > enough) return count;
      if (op.kind === 'txn') count += countOps(op.request, enough - count);
    }
  }
  return count;
}

/** A nested transaction gets what the larger side of its parent left of the budget. */
function checkTxn(request: TxnRequest, budget: number, depth: number): void {
  const ops = Math.max(request.compare.length, request.success.length, request.failure.length);
  if (ops > budget || depth > TXN_DEPTH_MAX) throw new EtcdError('TOO_MANY_OPS');
  for (const compare of request.compare) {
    checkKey(compare.key, MAX_BOUND_BYTES);
    checkLength(compare.rangeEnd, MAX_BOUND_BYTES);
  }
  for (const op of request.success) checkOp(op, budget - ops, depth);
  for (const op of request.failure) checkOp(op, budget - ops, depth);
}

function checkOp(op: RequestOp, budget: number, depth: number): void {
  switch (op.kind) {
    case 'range': return validateRange(op.request);
    case 'put': return validatePut(op.request);
    case 'delete-range': return validateDeleteRange(op.request);
    case 'txn': return checkTxn(op.request, budget, depth + 1);
    case 'empty': throw new EtcdError('KEY_NOT_FOUND');
    default: return unreachable(op);
  }
}

function validateGrant({ id, ttl }: LeaseGrant): void {
  if (id === 0n) throw new EtcdError('LEASE_NOT_FOUND');
  if (ttl > MAX_LEASE_TTL) throw new EtcdError('LEASE_TTL_TOO_LARGE');
}

/** What a node checks before it proposes. A compaction needs the store's state to be judged. */
export function validateCommand(command: KvCommand, maxTxnOps = MAX_TXN_OPS): void {
  switch (command.kind) {
    case 'put': return validatePut(command.request);
    case 'delete-range': return validateDeleteRange(command.request);
    case 'txn': return validateTxn(command.request, maxTxnOps);
    case 'lease-grant': return validateGrant(command.request);
    case 'lease-revoke':
    case 'lease-checkpoint':
    case 'compact': return;
    default: return unreachable(command);
  }
}
