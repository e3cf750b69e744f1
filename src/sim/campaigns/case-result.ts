/** What one case of a campaign came to. */

import type { Outcome } from './verdict.js';

/**
 *   recovered   every item has a copy that is left: all of it must be there again
 *   waits       an item has none, and is known to have existed: nobody may go on without it
 *   safe        neither can be said: nothing may be lost or wrong, whether it goes on or not
 */
export type Expected = 'recovered' | 'waits' | 'safe';

export interface CaseResult {
  /** From bytes that are left, not from what the code under test says. */
  readonly expected: Expected;
  readonly outcome: Outcome;
  readonly why: string;
  /** What kind of case it was, for the sums. */
  readonly kind?: string;
  /** Simulated, from the start until it was up. */
  readonly upMs?: number;
}

export function isCorrect({ expected, outcome }: CaseResult): boolean {
  return expected === 'safe' ? outcome === 'recovered' || outcome === 'waits' : outcome === expected;
}
