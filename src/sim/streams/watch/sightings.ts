/**
 * Every change that any watch was told of: all of them are told the same. As answers to reads of
 * one key at that revision they tell the judge who took it.
 */

import type { OpRecord } from '../../workload/history/history.js';
import type { RangeOp } from '../../workload/history/operation.js';
import { sameKv } from '../../workload/judge/differs.js';
import type { Told } from './watch-log.js';

const AT: RangeOp = {
  kind: 'range', key: '', end: '', limit: 0, revision: 0, order: 'none', sortBy: 'key', serializable: true, keysOnly: false,
  countOnly: false, minMod: 0,
};

export class Sightings {
  readonly #seen = new Map<string, Told>();

  /** Returns what another watch was told, if that is something else. */
  see(told: Told): Told | undefined {
    const name = `${told.kv.mod} ${told.kv.key}`;
    const before = this.#seen.get(name);
    if (before === undefined) this.#seen.set(name, told);
    return before === undefined || sameKv(before.kv, told.kv) ? undefined : before;
  }

  records(): OpRecord[] {
    return [...this.#seen.values()].map(({ kv, atUs, node }): OpRecord => {
      const kvs = kv.version === 0 ? [] : [kv];
      const answer = { kind: 'range', revision: kv.mod, kvs, more: false, count: kvs.length } as const;
      const op = { ...AT, key: kv.key, revision: kv.mod };
      return { id: -1, client: 0, node, op, callUs: atUs, life: 0, retUs: atUs, outcome: { kind: 'answered', answer }, atRest: false };
    });
  }
}
