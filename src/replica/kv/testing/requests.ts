/** Short ways to write requests down in tests. */

import { EMPTY } from '../../../base/bytes.js';
import type { KvCommand } from '../command.js';
import type {
  Compare, CompareResult, CompareTarget, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest,
} from '../../../api/requests.js';

/** One byte per character. */
export const bytes = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));

export const TO_END = '\0';

export function putOf(key: string, value: string, more: Partial<PutRequest> = {}): PutRequest {
  return {
    key: bytes(key), value: bytes(value), lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false, ...more,
  };
}

export function rangeOf(key: string, end = '', more: Partial<RangeRequest> = {}): RangeRequest {
  return {
    key: bytes(key), rangeEnd: bytes(end), limit: 0, revision: 0, sortOrder: 'none', sortTarget: 'key',
    serializable: false, keysOnly: false, countOnly: false, minModRevision: 0, maxModRevision: 0, minCreateRevision: 0,
    maxCreateRevision: 0, ...more,
  };
}

export function deleteOf(key: string, end = '', prevKv = false): DeleteRangeRequest {
  return { key: bytes(key), rangeEnd: end === '' ? EMPTY : bytes(end), prevKv };
}

export function compareOf(key: string, target: CompareTarget, result: CompareResult = 'equal', end = ''): Compare {
  return { key: bytes(key), rangeEnd: bytes(end), target, result };
}

export function txnOf(
  compare: readonly Compare[],
  success: readonly RequestOp[],
  failure: readonly RequestOp[] = [],
): TxnRequest {
  return { compare, success, failure };
}

export const op = {
  put: (...args: Parameters<typeof putOf>): RequestOp => ({ kind: 'put', request: putOf(...args) }),
  range: (...args: Parameters<typeof rangeOf>): RequestOp => ({ kind: 'range', request: rangeOf(...args) }),
  del: (...args: Parameters<typeof deleteOf>): RequestOp => ({ kind: 'delete-range', request: deleteOf(...args) }),
  txn: (...args: Parameters<typeof txnOf>): RequestOp => ({ kind: 'txn', request: txnOf(...args) }),
};

export const command = {
  put: (...args: Parameters<typeof putOf>): KvCommand => ({ kind: 'put', request: putOf(...args) }),
  del: (...args: Parameters<typeof deleteOf>): KvCommand => ({ kind: 'delete-range', request: deleteOf(...args) }),
  txn: (...args: Parameters<typeof txnOf>): KvCommand => ({ kind: 'txn', request: txnOf(...args) }),
  compact: (revision: number): KvCommand => ({ kind: 'compact', request: { revision, physical: false } }),
};
