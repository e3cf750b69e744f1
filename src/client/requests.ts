/**
 * From what a user writes to etcd's requests: keys as text or bytes, ranges by name, everything
 * else with etcd's defaults.
 */

import { EMPTY, prefixEnd, utf8 } from '../base/bytes.js';
import { badArgument } from './errors.js';
import type {
  Compare, CompareResult, CompareTarget, DeleteRangeRequest, PutRequest, RangeRequest, SortOrder, SortTarget,
} from '../api/requests.js';

/** Text is encoded as UTF-8. */
export type Bytes = string | Uint8Array;

/** Which keys. `{ prefix: '' }` and `{ from: '' }` are all of them. */
export type KeyRange =
  | { readonly key: Bytes; readonly end?: Bytes }
  | { readonly prefix: Bytes }
  /** This key and all after it. */
  | { readonly from: Bytes };

export interface RangeOptions {
  /** At most this many; 0: all. `count` counts all of them nevertheless. */
  readonly limit?: number;
  /** As of this revision; 0: the newest. */
  readonly revision?: number;
  readonly order?: SortOrder;
  readonly sortBy?: SortTarget;
  /**
   * From the asked member's own state, without a quorum: may be old. Default false: linearizable.
   */
  readonly serializable?: boolean;
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
  readonly minModRevision?: number;
  readonly maxModRevision?: number;
  readonly minCreateRevision?: number;
  readonly maxCreateRevision?: number;
}

export interface PutOptions {
  /** The id of a lease: the key is deleted when that ends. 0n: none, as without it. */
  readonly lease?: bigint;
  /** The answer holds what the key was before. */
  readonly prevKv?: boolean;
  /** Keeps the value, changes the rest. */
  readonly ignoreValue?: boolean;
  readonly ignoreLease?: boolean;
}

export interface DeleteOptions {
  /** The answer holds what was deleted. */
  readonly prevKv?: boolean;
}

/** "\0": as an end, no end; as a key, the first of all. */
const ZERO = new Uint8Array(1);

export function bytesOf(value: Bytes): Uint8Array {
  return typeof value === 'string' ? utf8(value) : value;
}

/** Throws ClientError INVALID_ARGUMENT. */
export function whole(value: number | undefined, what: string): number {
  if (value === undefined) return 0;
  if (!Number.isSafeInteger(value)) throw badArgument(`${what} is a whole number, got ${value}`);
  return value;
}

/** etcd's key and range_end. */
export function boundsOf(range: KeyRange | Bytes): { readonly key: Uint8Array; readonly rangeEnd: Uint8Array } {
  if (typeof range === 'string' || range instanceof Uint8Array) return { key: bytesOf(range), rangeEnd: EMPTY };
  if ('prefix' in range) {
    const prefix = bytesOf(range.prefix);
    return prefix.length === 0 ? { key: ZERO, rangeEnd: ZERO } : { key: prefix, rangeEnd: prefixEnd(prefix) ?? ZERO };
  }
  if ('from' in range) {
    const from = bytesOf(range.from);
    return { key: from.length === 0 ? ZERO : from, rangeEnd: ZERO };
  }
  return { key: bytesOf(range.key), rangeEnd: range.end === undefined ? EMPTY : bytesOf(range.end) };
}

export function rangeRequest(range: KeyRange | Bytes, options: RangeOptions = {}): RangeRequest {
  return {
    ...boundsOf(range),
    limit: whole(options.limit, 'limit'),
    revision: whole(options.revision, 'revision'),
    sortOrder: options.order ?? 'none',
    sortTarget: options.sortBy ?? 'key',
    serializable: options.serializable ?? false,
    keysOnly: options.keysOnly ?? false,
    countOnly: options.countOnly ?? false,
    minModRevision: whole(options.minModRevision, 'minModRevision'),
    maxModRevision: whole(options.maxModRevision, 'maxModRevision'),
    minCreateRevision: whole(options.minCreateRevision, 'minCreateRevision'),
    maxCreateRevision: whole(options.maxCreateRevision, 'maxCreateRevision'),
  };
}

export function putRequest(key: Bytes, value: Bytes, options: PutOptions = {}): PutRequest {
  return {
    key: bytesOf(key),
    value: bytesOf(value),
    lease: options.lease ?? 0n,
    prevKv: options.prevKv ?? false,
    ignoreValue: options.ignoreValue ?? false,
    ignoreLease: options.ignoreLease ?? false,
  };
}

export function deleteRequest(range: KeyRange | Bytes, options: DeleteOptions = {}): DeleteRangeRequest {
  return { ...boundsOf(range), prevKv: options.prevKv ?? false };
}

const RESULTS = { '=': 'equal', '==': 'equal', '!=': 'not-equal', '>': 'greater', '<': 'less' } as const satisfies Record<string, CompareResult>;

export type CompareOperator = keyof typeof RESULTS;

function comparison(range: KeyRange | Bytes, operator: CompareOperator, target: CompareTarget): Compare {
  return { result: RESULTS[operator], target, ...boundsOf(range) };
}

/**
 * Conditions of a txn. A key that does not exist has version, revisions and lease 0 and no value:
 * any comparison of that fails.
 */
export const compare = {
  value: (range: KeyRange | Bytes, operator: CompareOperator, value: Bytes): Compare =>
    comparison(range, operator, { kind: 'value', value: bytesOf(value) }),
  version: (range: KeyRange | Bytes, operator: CompareOperator, version: number): Compare =>
    comparison(range, operator, { kind: 'version', version: whole(version, 'version') }),
  create: (range: KeyRange | Bytes, operator: CompareOperator, revision: number): Compare =>
    comparison(range, operator, { kind: 'create', revision: whole(revision, 'revision') }),
  mod: (range: KeyRange | Bytes, operator: CompareOperator, revision: number): Compare =>
    comparison(range, operator, { kind: 'mod', revision: whole(revision, 'revision') }),
  lease: (range: KeyRange | Bytes, operator: CompareOperator, lease: bigint): Compare => comparison(range, operator, { kind: 'lease', lease }),
} as const;
