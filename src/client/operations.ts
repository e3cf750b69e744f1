/**
 * Operations of a txn. Each is etcd's request, and knows how its part of the answer is read, so
 * that the results of a txn are typed by position.
 */

import type {
  DeleteRangeRequest, DeleteRangeResponse, KeyValue, PutRequest, PutResponse, RangeRequest, RangeResponse, RequestOp, ResponseOp,
  TxnRequest,
} from '../api/requests.js';
import { ClientError } from './errors.js';
import {
  deleteRequest, putRequest, rangeRequest, type Bytes, type DeleteOptions, type KeyRange, type PutOptions, type RangeOptions,
} from './requests.js';

/** One that knows what its answer means. */
export abstract class TypedOp<R> {
  /** Throws ClientError INTERNAL if the answer is one to another operation. */
  abstract read(response: ResponseOp): R;
}

export type ResultOf<O> = O extends TypedOp<infer R> ? R : ResponseOp;
export type ResultsOf<O extends readonly RequestOp[]> = { readonly [I in keyof O]: ResultOf<O[I]> };

export function responseOf<Kind extends ResponseOp['kind']>(
  response: ResponseOp, kind: Kind,
): Extract<ResponseOp, { readonly kind: Kind }>['response'] {
  if (response.kind !== kind) throw new ClientError('INTERNAL', { details: `a txn answers a ${kind} with a ${response.kind}` });
  return response.response as never;
}

/** Results of operations by their answers, which have the same order. */
export function resultsOf(ops: readonly RequestOp[], responses: readonly ResponseOp[]): readonly unknown[] {
  if (ops.length !== responses.length) {
    throw new ClientError('INTERNAL', { details: `a txn of ${ops.length} operations has ${responses.length} answers` });
  }
  return responses.map((response, i) => {
    const op: unknown = ops[i];
    return op instanceof TypedOp ? (op.read(response) as unknown) : response;
  });
}

export class GetOp extends TypedOp<KeyValue | undefined> {
  readonly kind = 'range';
  readonly request: RangeRequest;

  constructor(request: RangeRequest) {
    super();
    this.request = request;
  }

  read(response: ResponseOp): KeyValue | undefined {
    return responseOf(response, 'range').kvs[0];
  }
}

export class RangeOp extends TypedOp<RangeResponse> {
  readonly kind = 'range';
  readonly request: RangeRequest;

  constructor(request: RangeRequest) {
    super();
    this.request = request;
  }

  read(response: ResponseOp): RangeResponse {
    return responseOf(response, 'range');
  }
}

export class PutOp extends TypedOp<PutResponse> {
  readonly kind = 'put';
  readonly request: PutRequest;

  constructor(request: PutRequest) {
    super();
    this.request = request;
  }

  read(response: ResponseOp): PutResponse {
    return responseOf(response, 'put');
  }
}

export class DeleteOp extends TypedOp<DeleteRangeResponse> {
  readonly kind = 'delete-range';
  readonly request: DeleteRangeRequest;

  constructor(request: DeleteRangeRequest) {
    super();
    this.request = request;
  }

  read(response: ResponseOp): DeleteRangeResponse {
    return responseOf(response, 'delete-range');
  }
}

/** The branch of a txn that was carried out, with a result for each of its operations. */
export type TxnOutcome<T extends readonly RequestOp[], E extends readonly RequestOp[]> = {
  readonly revision: number;
  /** etcd's own answers, in the order of the operations. */
  readonly responses: readonly ResponseOp[];
} & (
  | { readonly succeeded: true; readonly results: ResultsOf<T> }
  | { readonly succeeded: false; readonly results: ResultsOf<E> }
);

/** A txn as another one nests it, with the operations that read its answers. */
export interface TypedTxnRequest<T extends readonly RequestOp[], E extends readonly RequestOp[]> extends TxnRequest {
  readonly success: T;
  readonly failure: E;
}

export class NestedTxnOp<T extends readonly RequestOp[], E extends readonly RequestOp[]> extends TypedOp<TxnOutcome<T, E>> {
  readonly kind = 'txn';
  readonly request: TypedTxnRequest<T, E>;

  constructor(request: TypedTxnRequest<T, E>) {
    super();
    this.request = request;
  }

  read(response: ResponseOp): TxnOutcome<T, E> {
    const { revision, succeeded, responses } = responseOf(response, 'txn');
    const { success, failure } = this.request;
    return { revision, succeeded, responses, results: resultsOf(succeeded ? success : failure, responses) } as TxnOutcome<T, E>;
  }
}

/** `undefined` if the key does not exist. */
function get(key: Bytes, options?: RangeOptions): GetOp;
function get(range: KeyRange, options?: RangeOptions): RangeOp;
function get(range: KeyRange | Bytes, options?: RangeOptions): GetOp | RangeOp {
  const request = rangeRequest(range, options);
  return typeof range === 'string' || range instanceof Uint8Array ? new GetOp(request) : new RangeOp(request);
}

/** Operations of a txn. */
export const op = {
  get,
  put: (key: Bytes, value: Bytes, options?: PutOptions): PutOp => new PutOp(putRequest(key, value, options)),
  delete: (range: KeyRange | Bytes, options?: DeleteOptions): DeleteOp => new DeleteOp(deleteRequest(range, options)),
  /** `op.txn(inner.toRequest())`. */
  txn: <T extends readonly RequestOp[], E extends readonly RequestOp[]>(request: TypedTxnRequest<T, E>): NestedTxnOp<T, E> =>
    new NestedTxnOp(request),
} as const;
