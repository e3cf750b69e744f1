/**
 * etcd's operations and answers as histories hold them. Keys are texts of one character per byte,
 * so that the order of texts is the order of keys. A value is the number of the write that made it:
 * the bytes are checked when they arrive and not kept.
 */

export type Order = 'none' | 'ascend' | 'descend';
export type SortBy = 'key' | 'version' | 'create' | 'mod' | 'value';

export interface RangeOp {
  readonly kind: 'range';
  readonly key: string;
  /** Empty: the one key. "\0": to the end. */
  readonly end: string;
  /** 0: none. */
  readonly limit: number;
  /** 0: newest. */
  readonly revision: number;
  readonly order: Order;
  readonly sortBy: SortBy;
  readonly serializable: boolean;
  readonly keysOnly: boolean;
  readonly countOnly: boolean;
  /** 0: no filter. */
  readonly minMod: number;
}

export interface PutOp {
  readonly kind: 'put';
  readonly key: string;
  readonly value: number;
  readonly prevKv: boolean;
  /** It goes with this lease; 0: with none. */
  readonly lease: number;
}

export interface DeleteOp {
  readonly kind: 'delete';
  readonly key: string;
  readonly end: string;
  readonly prevKv: boolean;
}

/**
 * A missing key has version, create and mod 0; its value compares false with everything. Values are
 * ordered as their numbers.
 */
export interface CompareOp {
  readonly key: string;
  readonly end: string;
  readonly target: 'version' | 'create' | 'mod' | 'value';
  readonly result: 'equal' | 'not-equal' | 'greater' | 'less';
  readonly operand: number;
}

export interface TxnOp {
  readonly kind: 'txn';
  readonly compare: readonly CompareOp[];
  readonly success: readonly InnerOp[];
  readonly failure: readonly InnerOp[];
}

export interface CompactOp {
  readonly kind: 'compact';
  readonly revision: number;
}

/** All keys of a lease go, and the lease: a client asks for it, or its time is up. */
export interface RevokeOp {
  readonly kind: 'revoke';
  readonly lease: number;
}

export type InnerOp = RangeOp | PutOp | DeleteOp | TxnOp;
export type Op = InnerOp | CompactOp | RevokeOp;

/** One version of a key as a client saw it. */
export interface Kv {
  readonly key: string;
  /** {@link NO_VALUE} where only keys were asked for. */
  readonly value: number;
  readonly create: number;
  readonly mod: number;
  readonly version: number;
  /** 0: none. */
  readonly lease: number;
}

export const NO_VALUE = -1;
/** Bytes that no write made: their checksum is wrong. */
export const DAMAGED_VALUE = -2;

export interface RangeAnswer {
  readonly kind: 'range';
  readonly revision: number;
  readonly kvs: readonly Kv[];
  readonly more: boolean;
  readonly count: number;
}

export interface PutAnswer {
  readonly kind: 'put';
  readonly revision: number;
  readonly prevKv: Kv | undefined;
}

export interface DeleteAnswer {
  readonly kind: 'delete';
  readonly revision: number;
  readonly deleted: number;
  readonly prevKvs: readonly Kv[];
}

/** The revision of a nested answer is 0. */
export interface TxnAnswer {
  readonly kind: 'txn';
  readonly revision: number;
  readonly succeeded: boolean;
  readonly responses: readonly InnerAnswer[];
}

export interface CompactAnswer {
  readonly kind: 'compact';
  readonly revision: number;
}

/** It does not say whether the lease had keys: only then the revision is its own. */
export interface RevokeAnswer {
  readonly kind: 'revoke';
  readonly revision: number;
}

export type InnerAnswer = RangeAnswer | PutAnswer | DeleteAnswer | TxnAnswer;
export type Answer = InnerAnswer | CompactAnswer | RevokeAnswer;

/** Whether `op` can change a key. */
export function mayWrite(op: Op): boolean {
  if (op.kind === 'txn') return op.success.some(mayWrite) || op.failure.some(mayWrite);
  return op.kind === 'put' || op.kind === 'delete' || op.kind === 'revoke';
}

/** Whether the answer says that keys were changed. That of a revoke does not tell. */
export function changed(answer: Answer): boolean {
  switch (answer.kind) {
    case 'put': return true;
    case 'delete': return answer.deleted > 0;
    case 'txn': return answer.responses.some(changed);
    case 'range':
    case 'revoke':
    case 'compact': return false;
  }
}

/** Answered from what the node has, without asking the others. */
export function isSerializable(op: Op): boolean {
  if (op.kind === 'range') return op.serializable;
  if (op.kind !== 'txn') return false;
  return op.success.length + op.failure.length > 0 && op.success.every(isSerializable) && op.failure.every(isSerializable);
}

/** Every put in `op`, in all branches. */
export function putsOf(op: Op, visit: (put: PutOp) => void): void {
  if (op.kind === 'put') visit(op);
  if (op.kind !== 'txn') return;
  for (const inner of op.success) putsOf(inner, visit);
  for (const inner of op.failure) putsOf(inner, visit);
}

/** Every version that an answer shows. */
export function kvsOf(answer: Answer, visit: (kv: Kv) => void): void {
  switch (answer.kind) {
    case 'range':
      for (const kv of answer.kvs) visit(kv);
      return;
    case 'put':
      if (answer.prevKv !== undefined) visit(answer.prevKv);
      return;
    case 'delete':
      for (const kv of answer.prevKvs) visit(kv);
      return;
    case 'txn':
      for (const response of answer.responses) kvsOf(response, visit);
      return;
    case 'revoke':
    case 'compact':
  }
}

export function holdsKey(key: string, end: string, candidate: string): boolean {
  if (end === '') return candidate === key;
  return candidate >= key && (end === '\0' || candidate < end);
}
