/**
 * etcd's KV requests and responses in our own words: keys and values are byte views, revisions
 * numbers, lease ids bigints. The wire codecs give and take these, so that the server hands a
 * decoded request on without copying it, and the client speaks the same.
 */

import type { LeaseId, Revision } from '../base/ids.js';

/** `unknown`: a number that means nothing; such a request is refused. */
export type SortOrder = 'none' | 'ascend' | 'descend' | 'unknown';
export type SortTarget = 'key' | 'version' | 'create' | 'mod' | 'value' | 'unknown';

/** `rangeEnd`: empty = the single key; one zero byte = from `key` to the end of the space. */
export interface RangeRequest {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
  /** 0 or negative: no limit. */
  readonly limit: number;
  /** 0 or negative: newest. */
  readonly revision: Revision;
  readonly sortOrder: SortOrder;
  readonly sortTarget: SortTarget;
  readonly serializable: boolean;
  readonly keysOnly: boolean;
  readonly countOnly: boolean;
  readonly minModRevision: Revision;
  readonly maxModRevision: Revision;
  readonly minCreateRevision: Revision;
  readonly maxCreateRevision: Revision;
  /**
   * No field of etcd's, and not on the wire: nobody looks at `count`, and it need not be that of
   * the whole range where keys are left out.
   */
  readonly uncounted?: boolean;
}

export interface KeyValue {
  readonly key: Uint8Array;
  readonly createRevision: Revision;
  readonly modRevision: Revision;
  readonly version: number;
  readonly value: Uint8Array;
  readonly lease: LeaseId;
}

/** A store's is a `PackedRange`, whose `kvs` a spread leaves out: copy what its `plain()` gives. */
export interface RangeResponse {
  /** Of the store when the request was carried out: goes into the header. */
  readonly revision: Revision;
  readonly kvs: readonly KeyValue[];
  readonly more: boolean;
  readonly count: number;
}

export interface PutRequest {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly lease: LeaseId;
  readonly prevKv: boolean;
  readonly ignoreValue: boolean;
  readonly ignoreLease: boolean;
}

export interface PutResponse {
  readonly revision: Revision;
  readonly prevKv: KeyValue | undefined;
}

export interface DeleteRangeRequest {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
  readonly prevKv: boolean;
}

export interface DeleteRangeResponse {
  readonly revision: Revision;
  readonly deleted: number;
  readonly prevKvs: readonly KeyValue[];
}

export type CompareResult = 'equal' | 'greater' | 'less' | 'not-equal' | 'unknown';

/**
 * The target with what it is compared to. A target that etcd does not know compares as equal, as in
 * etcd.
 */
export type CompareTarget =
  | { readonly kind: 'version'; readonly version: number }
  | { readonly kind: 'create'; readonly revision: Revision }
  | { readonly kind: 'mod'; readonly revision: Revision }
  | { readonly kind: 'value'; readonly value: Uint8Array }
  | { readonly kind: 'lease'; readonly lease: LeaseId }
  | { readonly kind: 'unknown' };

export interface Compare {
  readonly result: CompareResult;
  readonly target: CompareTarget;
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

export type RequestOp =
  | { readonly kind: 'range'; readonly request: RangeRequest }
  | { readonly kind: 'put'; readonly request: PutRequest }
  | { readonly kind: 'delete-range'; readonly request: DeleteRangeRequest }
  | { readonly kind: 'txn'; readonly request: TxnRequest }
  /** No request in the oneof: refused by validation with etcd's words. */
  | { readonly kind: 'empty' };

export interface TxnRequest {
  readonly compare: readonly Compare[];
  readonly success: readonly RequestOp[];
  readonly failure: readonly RequestOp[];
}

export type ResponseOp =
  | { readonly kind: 'range'; readonly response: RangeResponse }
  | { readonly kind: 'put'; readonly response: PutResponse }
  | { readonly kind: 'delete-range'; readonly response: DeleteRangeResponse }
  | { readonly kind: 'txn'; readonly response: TxnResponse };

export interface TxnResponse {
  readonly revision: Revision;
  readonly succeeded: boolean;
  readonly responses: readonly ResponseOp[];
}

export interface CompactionRequest {
  readonly revision: Revision;
  readonly physical: boolean;
}

export interface CompactionResponse {
  readonly revision: Revision;
}

/** etcd's ResponseHeader. */
export interface ResponseHeader {
  readonly clusterId: bigint;
  /** 64 bits on etcd's wire; ours stay below 2^53. */
  readonly memberId: bigint;
  readonly revision: number;
  readonly raftTerm: number;
}

/** A response as a client gets it. */
export type Reply<T> = T & { readonly header: ResponseHeader };
