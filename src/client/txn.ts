/**
 * `client.txn().if(...).then(...).else(...).commit()`: nothing is sent before `commit`, and each
 * part is given once. The result has a place for each operation of the branch that was carried out:
 *
 *     const swap = await client.txn().if(value('lock').equals('free'))
 *       .then(op.put('lock', 'mine'), op.get('owner'))
 *       .else(op.get('lock'))
 *       .commit();
 *     if (swap.succeeded) swap.results[1];        // KeyValue | undefined
 */

import { badArgument } from './errors.js';
import type { CallOptions } from './caller.js';
import type { Compare, Reply, RequestOp, TxnRequest, TxnResponse } from '../api/requests.js';
import { resultsOf, type TxnOutcome, type TypedTxnRequest } from './operations.js';

type Commit = (request: TxnRequest, options: CallOptions) => Promise<Reply<TxnResponse>>;

export class Txn<T extends readonly RequestOp[] = readonly [], E extends readonly RequestOp[] = readonly []> {
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

  then<const O extends readonly RequestOp[]>(...ops: O): Txn<O, E> {
    // `await` would call this with two functions, and the txn would silently never be sent.
    if (ops.some((op) => typeof op !== 'object')) throw badArgument('a txn is sent by commit(), not by await');
    this.#success = once(this.#success, ops, 'then');
    return this as unknown as Txn<O, E>;
  }

  else<const O extends readonly RequestOp[]>(...ops: O): Txn<T, O> {
    this.#failure = once(this.#failure, ops, 'else');
    return this as unknown as Txn<T, O>;
  }

  /** The request, for nesting it: `op.txn(inner.toRequest())`. */
  toRequest(): TypedTxnRequest<T, E> {
    return { compare: this.#compare ?? [], success: (this.#success ?? []) as unknown as T, failure: (this.#failure ?? []) as unknown as E };
  }

  /** Carried out at once and as a whole, or not at all. */
  async commit(options: CallOptions = {}): Promise<Reply<TxnOutcome<T, E>>> {
    const request = this.toRequest();
    const answer = await this.#commit(request, options);
    const results = resultsOf(answer.succeeded ? request.success : request.failure, answer.responses);
    return { ...answer, results } as unknown as Reply<TxnOutcome<T, E>>;
  }
}

function once<T>(before: readonly T[] | undefined, given: readonly T[], what: string): readonly T[] {
  if (before !== undefined) throw badArgument(`${what}() is given once per txn`);
  return given;
}
