/**
 * The written-down history of a load: one line of JSON per operation, read back for the checker and
 * for the timeline.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import type { Interval } from '../../../src/checker/model.js';
import type { KeyOp } from '../../../src/checker/models.js';

/** What the checker needs, and what the timeline needs besides. Times are CLOCK_MONOTONIC in ms. */
export interface Recorded extends KeyOp {
  readonly call: number;
  /** When the client stopped waiting, with or without an answer. */
  readonly end: number;
  /**
   * `ok`: answered. `unknown`: nobody knows whether it took effect. `none`: it certainly did not.
   */
  readonly outcome: 'ok' | 'unknown' | 'none';
  readonly endpoint: number;
  readonly error: string;
}

type Line = [
  KeyOp['kind'], number, string, string | null, number, number, number, boolean, number, number, Recorded['outcome'], number, string,
];

export function writeHistory(file: string, operations: readonly Recorded[]): void {
  const chunks: string[] = [];
  for (const o of operations) {
    const line: Line = [
      o.kind, o.client, o.key, o.value ?? null, o.revision, o.modRevision, o.expected, o.ok, o.call, o.end, o.outcome, o.endpoint, o.error,
    ];
    chunks.push(JSON.stringify(line));
  }
  writeFileSync(file, chunks.join('\n') + '\n');
}

export function readHistory(file: string): Recorded[] {
  const out: Recorded[] = [];
  for (const text of readFileSync(file, 'utf8').split('\n')) {
    if (text === '') continue;
    const [kind, client, key, value, revision, modRevision, expected, ok, call, end, outcome, endpoint, error] = JSON.parse(text) as Line;
    out.push({
      kind, client, key, value: value ?? undefined, revision, modRevision, expected, ok, call, end, outcome, endpoint, error,
    });
  }
  return out;
}

/** What took effect or may have, as the checker wants it. Reads without an answer say nothing. */
export function toIntervals(operations: readonly Recorded[]): Interval<KeyOp>[] {
  const out: Interval<KeyOp>[] = [];
  for (const op of operations) {
    if (op.outcome === 'none' || (op.outcome === 'unknown' && op.kind === 'get')) continue;
    out.push({ op, call: op.call, ret: op.outcome === 'ok' ? op.end : Infinity });
  }
  return out;
}
