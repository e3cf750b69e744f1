/** What the cases of a campaign came to, counted. */

import { isCorrect, type CaseResult } from '../../../src/sim/campaigns/case-result.js';

export interface Failure {
  readonly number: number;
  readonly result: CaseResult;
}

export function summary(cases: readonly { readonly number: number; readonly result: CaseResult | undefined }[]): {
  readonly json: object;
  readonly failures: readonly Failure[];
  /** Failures that wait although the bytes that are left allow more, and lose nothing. */
  readonly unavailable: number;
} {
  const outcomes = { recovered: 0, waits: 0, lost: 0, wrong: 0 };
  const expected = { recovered: 0, waits: 0, safe: 0 };
  const kinds: Record<string, number> = {};
  const failures: Failure[] = [];
  let slowest = 0;
  for (const { number, result } of cases) {
    if (result === undefined) continue;
    outcomes[result.outcome]++;
    expected[result.expected]++;
    slowest = Math.max(slowest, result.upMs ?? 0);
    if (result.kind !== undefined) kinds[result.kind] = (kinds[result.kind] ?? 0) + 1;
    if (!isCorrect(result)) failures.push({ number, result });
  }
  const unavailable = failures.filter(({ result }) => result.outcome === 'waits').length;
  const json = {
    cases: cases.length, ...outcomes, expected, incorrect: failures.length, unavailable,
    ...(slowest > 0 && { slowestUpMs: slowest }), ...(Object.keys(kinds).length > 0 && { kinds }),
    ...(failures.length > 0 && { failing: failures.slice(0, 50).map(({ number }) => number) }),
  };
  return { json, failures, unavailable };
}
