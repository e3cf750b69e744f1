/**
 * No key is put twice on one path through a transaction, nor put where the same path deletes. What
 * etcd's rule does not see is allowed here too, because clients rely on it: two deletes may
 * overlap; a put in one nested transaction may be deleted by a later one beside it; a delete to the
 * end of the space ("\0") counts for its own key only. Costs n log n: a nested transaction can hold
 * tens of thousands of operations.
 */

import { assert } from '../../base/assert.js';
import { EtcdError } from '../../api/etcd-error.js';
import type { RequestOp } from '../../api/requests.js';

/** One character per byte: compares in byte order and serves as a key of sets. */
function keyText(key: Uint8Array): string {
  let text = '';
  for (let at = 0; at < key.length; at += 4096) text += String.fromCharCode(...key.subarray(at, at + 4096));
  return text;
}

/** Disjoint, sorted intervals [begin, end). */
class IntervalSet {
  /** As many as ends; each begins at or behind the end of the one before. */
  readonly #begins: string[] = [];
  readonly #ends: string[] = [];

  /** Index of the first interval that ends behind `point`. */
  #find(point: string): number {
    let low = 0;
    let high = this.#ends.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ends[middle] as string) <= point) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  has(point: string): boolean {
    const begin = this.#begins[this.#find(point)];
    return begin !== undefined && begin <= point;
  }

  add(begin: string, end: string): void {
    assert(begin < end, 'an interval of deleted keys is not empty');
    const from = this.#find(begin);
    let to = from;
    let low = begin;
    let high = end;
    for (; to < this.#begins.length && (this.#begins[to] as string) < end; to++) {
      if ((this.#begins[to] as string) < low) low = this.#begins[to] as string;
      if ((this.#ends[to] as string) > high) high = this.#ends[to] as string;
    }
    this.#begins.splice(from, to - from, low);
    this.#ends.splice(from, to - from, high);
    assert(this.#begins.length === this.#ends.length, 'an interval has a begin and an end');
  }

  addAll(other: IntervalSet): void {
    for (let i = 0; i < other.#begins.length; i++) this.add(other.#begins[i] as string, other.#ends[i] as string);
  }
}

interface Touched {
  readonly puts: Set<string>;
  readonly deletes: IntervalSet;
}

function deletesOf(ops: readonly RequestOp[]): IntervalSet {
  const deletes = new IntervalSet();
  for (const op of ops) {
    if (op.kind !== 'delete-range') continue;
    const begin = keyText(op.request.key);
    const end = keyText(op.request.rangeEnd);
    deletes.add(begin, end > begin ? end : `${begin}\0`);
  }
  return deletes;
}

function addPut(touched: Touched, key: string, besides: Set<string> | undefined): void {
  if (touched.puts.has(key) && besides?.has(key) !== true) throw new EtcdError('DUPLICATE_KEY');
  if (touched.deletes.has(key)) throw new EtcdError('DUPLICATE_KEY');
  touched.puts.add(key);
}

/**
 * Throws EtcdError DUPLICATE_KEY. The then and else branches of a nested transaction exclude each
 * other.
 */
export function checkIntervals(ops: readonly RequestOp[]): Touched {
  const touched: Touched = { puts: new Set(), deletes: deletesOf(ops) };
  for (const op of ops) {
    if (op.kind !== 'txn') continue;
    const success = checkIntervals(op.request.success);
    const failure = checkIntervals(op.request.failure);
    for (const key of success.puts) addPut(touched, key, undefined);
    for (const key of failure.puts) addPut(touched, key, success.puts);
    touched.deletes.addAll(success.deletes);
    touched.deletes.addAll(failure.deletes);
  }
  for (const op of ops) if (op.kind === 'put') addPut(touched, keyText(op.request.key), undefined);
  return touched;
}
