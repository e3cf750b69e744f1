/** Operations as the requests of the store's API, and its responses as answers. */

import type { KvCommand } from '../../replica/kv/command.js';
import type {
  Compare, DeleteRangeRequest, KeyValue, RangeRequest, RangeResponse, RequestOp, ResponseOp, TxnRequest,
} from '../../api/requests.js';
import { decodeValue } from './value.js';
import type { WorkloadStore } from './node.js';
import type { Answer, CompareOp, DeleteOp, InnerAnswer, InnerOp, Kv, Op, PutOp, RangeAnswer, RangeOp, TxnOp } from './history/operation.js';

/** One byte per character. */
export function keyBytes(key: string): Uint8Array {
  const bytes = new Uint8Array(key.length);
  for (let i = 0; i < key.length; i++) bytes[i] = key.charCodeAt(i);
  return bytes;
}

export function keyText(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i] as number);
  return text;
}

/** Makes requests; `valueBytes` gives the bytes of a value by its number. */
export class Wire {
  readonly #valueBytes: (value: number) => Uint8Array;

  constructor(valueBytes: (value: number) => Uint8Array) {
    this.#valueBytes = valueBytes;
  }

  async carryOut(store: WorkloadStore, op: Op): Promise<Answer> {
    switch (op.kind) {
      case 'range': return rangeAnswer(await store.range(rangeRequest(op)));
      case 'put': {
        const { revision, prevKv } = await store.put(this.#put(op));
        return { kind: 'put', revision, prevKv: prevKv && kvOf(prevKv) };
      }
      case 'delete': {
        const { revision, deleted, prevKvs } = await store.deleteRange(deleteRequest(op));
        return { kind: 'delete', revision, deleted, prevKvs: prevKvs.map(kvOf) };
      }
      case 'txn': {
        const { revision, succeeded, responses } = await store.txn(this.#txn(op));
        return { kind: 'txn', revision, succeeded, responses: responses.map(innerAnswer) };
      }
      case 'revoke': return { kind: 'revoke', revision: (await store.lease.revoke(BigInt(op.lease))).revision };
      case 'compact': return { kind: 'compact', revision: (await store.compact({ revision: op.revision, physical: false })).revision };
    }
  }

  /** As it stands in the log; undefined for what is never in it. */
  command(op: Op): KvCommand | undefined {
    switch (op.kind) {
      case 'range': return undefined;
      case 'put': return { kind: 'put', request: this.#put(op) };
      case 'delete': return { kind: 'delete-range', request: deleteRequest(op) };
      case 'txn': return { kind: 'txn', request: this.#txn(op) };
      case 'revoke': return { kind: 'lease-revoke', request: { id: BigInt(op.lease) } };
      case 'compact': return { kind: 'compact', request: { revision: op.revision, physical: false } };
    }
  }

  #put(op: PutOp): Parameters<WorkloadStore['put']>[0] {
    const { key, value, prevKv, lease } = op;
    return { key: keyBytes(key), value: this.#valueBytes(value), lease: BigInt(lease), prevKv, ignoreValue: false, ignoreLease: false };
  }

  #txn(op: TxnOp): TxnRequest {
    return {
      compare: op.compare.map((compare) => this.#compare(compare)),
      success: op.success.map((inner) => this.#inner(inner)),
      failure: op.failure.map((inner) => this.#inner(inner)),
    };
  }

  #compare({ key, end, target, result, operand }: CompareOp): Compare {
    const of = { key: keyBytes(key), rangeEnd: keyBytes(end), result };
    switch (target) {
      case 'version': return { ...of, target: { kind: 'version', version: operand } };
      case 'create': return { ...of, target: { kind: 'create', revision: operand } };
      case 'mod': return { ...of, target: { kind: 'mod', revision: operand } };
      case 'value': return { ...of, target: { kind: 'value', value: this.#valueBytes(operand) } };
    }
  }

  #inner(op: InnerOp): RequestOp {
    switch (op.kind) {
      case 'range': return { kind: 'range', request: rangeRequest(op) };
      case 'put': return { kind: 'put', request: this.#put(op) };
      case 'delete':
        return { kind: 'delete-range', request: deleteRequest(op) };
      case 'txn': return { kind: 'txn', request: this.#txn(op) };
    }
  }
}

function deleteRequest({ key, end, prevKv }: DeleteOp): DeleteRangeRequest {
  return { key: keyBytes(key), rangeEnd: keyBytes(end), prevKv };
}

export function rangeRequest(op: RangeOp): RangeRequest {
  return {
    key: keyBytes(op.key), rangeEnd: keyBytes(op.end), limit: op.limit, revision: op.revision, sortOrder: op.order, sortTarget: op.sortBy,
    serializable: op.serializable, keysOnly: op.keysOnly, countOnly: op.countOnly, minModRevision: op.minMod, maxModRevision: 0,
    minCreateRevision: 0, maxCreateRevision: 0,
  };
}

export function kvOf(kv: KeyValue): Kv {
  return {
    key: keyText(kv.key), value: decodeValue(kv.value), create: kv.createRevision, mod: kv.modRevision, version: kv.version,
    lease: Number(kv.lease),
  };
}

export function rangeAnswer({ revision, kvs, more, count }: RangeResponse): RangeAnswer {
  return { kind: 'range', revision, kvs: kvs.map(kvOf), more, count };
}

function innerAnswer(op: ResponseOp): InnerAnswer {
  switch (op.kind) {
    case 'range': return rangeAnswer(op.response);
    case 'put': return { kind: 'put', revision: op.response.revision, prevKv: op.response.prevKv && kvOf(op.response.prevKv) };
    case 'delete-range': {
      const { revision, deleted, prevKvs } = op.response;
      return { kind: 'delete', revision, deleted, prevKvs: prevKvs.map(kvOf) };
    }
    case 'txn': {
      const { revision, succeeded, responses } = op.response;
      return { kind: 'txn', revision, succeeded, responses: responses.map(innerAnswer) };
    }
  }
}
