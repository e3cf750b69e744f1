/**
 * `client.txn().if(...).then(...).else(...).commit()`: nothing is sent before `commit`, and each
 * part is given once.
 */

import { badArgument } from './errors.js';
import type { CallOptions } from './caller.js';
import type { Compare, Reply, RequestOp, TxnRequest, TxnResponse } from '../api/requests.js';

type Commit = (request: TxnRequest, options: CallOptions) => Promise<Reply<TxnResponse>>;

export class Txn {
  readonly #commit: Commit;
  #compare: readonly Compare[] | undefined;
  #success: readonly RequestOp[] | undefined;
  #failure: readonly RequestOp[] | undefined;

  constructor(commit: Commit) {
    this.#commit = commit;
  }

  /** All must hold for the txn to succeed; without any it does. */
  if(...compares: readonly Compare[]): this {
    this.#compare = once(this.#compare, compares, 'if');
    return this;
  }

  then(...ops: readonly RequestOp[]): this {
    // `await` would call this with two functions, and the txn would silently never be sent.
    if (ops.some((op) => typeof op !== 'object')) throw badArgument('a txn is sent by commit(), not by await');
    this.#success = once(this.#success, ops, 'then');
    return this;
  }

  else(...ops: readonly RequestOp[]): this {
    this.#failure = once(this.#failure, ops, 'else');
    return this;
  }

  /** The request, for nesting it: `op.txn(inner.toRequest())`. */
  toRequest(): TxnRequest {
    return { compare: this.#compare ?? [], success: this.#success ?? [], failure: this.#failure ?? [] };
  }

  /** Carried out at once and as a whole, or not at all. */
  commit(options: CallOptions = {}): Promise<Reply<TxnResponse>> {
    return this.#commit(this.toRequest(), options);
  }
}

function once<T>(before: readonly T[] | undefined, given: readonly T[], what: string): readonly T[] {
  if (before !== undefined) throw badArgument(`${what}() is given once per txn`);
  return given;
}
