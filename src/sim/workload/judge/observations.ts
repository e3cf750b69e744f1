/**
 * What was seen of each key, in the order of revisions. A key that was seen unchanged across a
 * revision was not changed at it: that tells which write cannot have been the one that took a
 * revision which nobody answers for.
 */

import type { OpRecord } from '../history/history.js';
import { holdsKey, kvsOf, type Kv, type RangeAnswer, type RangeOp } from '../history/operation.js';

interface Observation {
  /** The key was looked at as of this revision. */
  readonly at: number;
  /** 0: absent. */
  readonly mod: number;
  readonly create: number;
  readonly version: number;
}

export class Observations {
  readonly #byKey = new Map<string, Observation[]>();
  /**
   * By revision, the keys that were put at it: every version names its own revision and that of the
   * first since the key was created.
   */
  readonly #puts = new Map<number, Set<string>>();

  constructor(answered: readonly OpRecord[], keys: ReadonlySet<string>) {
    const sorted = [...keys].sort((a, b) => (a < b ? -1 : 1));
    for (const { op, outcome } of answered) {
      if (outcome?.kind !== 'answered') continue;
      kvsOf(outcome.answer, ({ key, mod, create }) => {
        this.#put(key, mod);
        this.#put(key, create);
      });
      if (op.kind === 'range' && outcome.answer.kind === 'range') this.#look(op, outcome.answer, sorted);
    }
    for (const list of this.#byKey.values()) list.sort((a, b) => a.at - b.at);
  }

  #look(op: RangeOp, answer: RangeAnswer, sorted: readonly string[]): void {
    if (op.countOnly) return;
    const at = op.revision > 0 ? op.revision : answer.revision;
    const seen = new Set<string>();
    for (const { key, mod, create, version } of answer.kvs) {
      seen.add(key);
      this.#add(key, { at, mod, create, version });
    }
    if (answer.more || op.minMod > 0) return;
    for (const key of sorted) if (!seen.has(key) && holdsKey(op.key, op.end, key)) this.#add(key, { at, mod: 0, create: 0, version: 0 });
  }

  #add(key: string, observation: Observation): void {
    const list = this.#byKey.get(key);
    if (list === undefined) this.#byKey.set(key, [observation]);
    else list.push(observation);
  }

  #put(key: string, revision: number): void {
    const keys = this.#puts.get(revision);
    if (keys === undefined) this.#puts.set(revision, new Set([key]));
    else keys.add(key);
  }

  /**
   * Whether a write that made these changes can have had the revision, after what was seen before
   * and since.
   */
  allow(revision: number, changes: readonly Kv[]): boolean {
    for (const key of this.#puts.get(revision) ?? []) {
      if (!changes.some((change) => change.key === key && change.version > 0)) return false;
    }
    return !changes.some((change) => this.#deny(change));
  }

  /** The key became `change`: then what was seen of it next is that, or something later. */
  #deny({ key, mod, create, version }: Kv): boolean {
    const next = this.#next(key, mod);
    if (next === undefined || next.mod === 0) return false;
    if (version === 0) return next.create <= mod;
    if (next.mod < mod || next.create < create) return true;
    if (next.create > mod) return false;
    return next.create !== create || (next.mod === mod ? next.version !== version : next.version <= version);
  }

  #next(key: string, revision: number): Observation | undefined {
    const list = this.#byKey.get(key) ?? [];
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((list[middle] as Observation).at < revision) low = middle + 1;
      else high = middle;
    }
    return list[low];
  }
}
