/**
 * The keys that an operation may look at or change, in any branch: all that what it does can depend
 * on.
 */

import type { OpRecord } from '../history/history.js';
import { holdsKey, type Op } from '../history/operation.js';

export class Footprints {
  readonly #keys: readonly string[];
  readonly #leased: ReadonlyMap<number, ReadonlySet<string>>;
  readonly #cache = new Map<OpRecord, readonly string[]>();

  /** `leased`: the keys that were ever put with a lease. */
  constructor(keys: ReadonlySet<string>, leased: ReadonlyMap<number, ReadonlySet<string>>) {
    this.#keys = [...keys];
    this.#leased = leased;
  }

  of(record: OpRecord): readonly string[] {
    const cached = this.#cache.get(record);
    if (cached !== undefined) return cached;
    const keys = new Set<string>();
    this.#collect(record.op, keys);
    const list = [...keys];
    this.#cache.set(record, list);
    return list;
  }

  #collect(op: Op, keys: Set<string>): void {
    switch (op.kind) {
      case 'put':
        keys.add(op.key);
        return;
      case 'range':
      case 'delete':
        return this.#span(op.key, op.end, keys);
      case 'txn':
        for (const { key, end } of op.compare) this.#span(key, end, keys);
        for (const inner of op.success) this.#collect(inner, keys);
        for (const inner of op.failure) this.#collect(inner, keys);
        return;
      case 'revoke':
        for (const each of this.#leased.get(op.lease) ?? []) keys.add(each);
        return;
      case 'compact':
    }
  }

  #span(key: string, end: string, keys: Set<string>): void {
    if (end === '') keys.add(key);
    else for (const each of this.#keys) if (holdsKey(key, end, each)) keys.add(each);
  }
}
