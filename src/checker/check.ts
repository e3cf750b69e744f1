/**
 * The verdict on a history of an etcd store: the order its revisions claim first, and, when that
 * fails, a search key by key, which tells a store that lied about revisions from one that returned
 * what no order explains. Both are faults; a search that ran out of time is one too.
 */

import type { Interval, SearchLimits, Verdict } from './model.js';
import { keyModel, type KeyOp } from './models.js';
import { partition } from './parse.js';
import { searchLinearization } from './search.js';
import { checkWitness, type WitnessResult } from './witness.js';

export interface HistoryReport {
  /** True only for a history that is proven linearizable and whose revisions are in order. */
  readonly passed: boolean;
  readonly operations: number;
  readonly unknown: number;
  readonly keys: number;
  readonly witness: WitnessResult;
  /** Of the search, which runs only if the witness failed. */
  readonly search: Verdict | undefined;
  /** One line for people. */
  readonly summary: string;
}

/** Looks for an order of each key by itself; `stuck` are positions in `history`. */
export function searchByKey(history: readonly Interval<KeyOp>[], limits: SearchLimits): Verdict {
  const deadline = limits.now() + limits.timeMs;
  let undecided: Verdict | undefined;
  const position = new Map(history.map((interval, i) => [interval, i]));
  const searchable = history.filter(({ op, ret }) => !op.serializable && !(ret === Infinity && op.kind === 'get'));
  for (const [key, part] of partition(searchable, (op) => op.key)) {
    const timeMs = Math.max(0, deadline - limits.now());
    const verdict = searchLinearization(part, keyModel(), { ...limits, timeMs });
    if (verdict.kind === 'illegal') {
      const stuck = verdict.stuck.flatMap((i) => (part[i] === undefined ? [] : [position.get(part[i]) ?? -1]));
      return { kind: 'illegal', reason: `key ${key}: no order explains operation ${stuck.join(', ')}`, stuck };
    }
    if (verdict.kind === 'unknown') undecided ??= { kind: 'unknown', reason: `key ${key}: ${verdict.reason}` };
  }
  return undecided ?? { kind: 'ok' };
}

function summarize(witness: WitnessResult, search: Verdict | undefined): string {
  if (witness.kind === 'passed') return 'linearizable (in the order of revisions)';
  if (search === undefined || search.kind === 'ok') return `revisions out of order: ${witness.reason}`;
  return `${search.kind === 'illegal' ? 'NOT linearizable' : 'not decided'}: ${search.reason}; ${witness.reason}`;
}

/**
 * Checks a history. Writes carry unique values. A replay fault alone may come from a write whose
 * outcome is unknown and that only a conditional write noticed, so there the search decides;
 * doubled or backward revisions are faults whatever the search says.
 */
export function checkHistory(history: readonly Interval<KeyOp>[], limits: SearchLimits): HistoryReport {
  const witness = checkWitness(history);
  const search = witness.kind === 'passed' ? undefined : searchByKey(history, limits);
  const excused = witness.kind === 'failed' && witness.fault === 'replay' && !history[witness.operation]?.op.serializable;
  const passed = witness.kind === 'passed' || (excused && search?.kind === 'ok');
  return {
    passed,
    operations: history.length,
    unknown: history.reduce((n, { ret }) => n + Number(ret === Infinity), 0),
    keys: new Set(history.map(({ op }) => op.key)).size,
    witness,
    search,
    summary: passed && witness.kind === 'failed' ? 'linearizable (by search)' : summarize(witness, search),
  };
}
