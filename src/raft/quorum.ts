/**
 * The arithmetic of majorities. Two majorities of one set always share a member: that is what makes
 * leaders unique (R1) and commits final (R3). A joint configuration needs a majority of each half
 * (thesis, 4.3).
 */

import { assert } from '../base/assert.js';

export type VoteResult = 'won' | 'lost' | 'pending';

/**
 * The highest index that a majority has acknowledged, given what each member has (0 if nothing is
 * known of it). Sorts `acked` in place. Infinity for an empty set, so that it does not limit the
 * other half of a joint configuration.
 */
export function majorityIndex(acked: number[]): number {
  const n = acked.length;
  if (n === 0) return Infinity;
  // Insertion sort: sets are tiny, and the order hardly changes from call to call.
  for (let i = 1; i < n; i++) {
    const value = acked[i] as number;
    let at = i;
    while (at > 0 && (acked[at - 1] as number) > value) {
      acked[at] = acked[at - 1] as number;
      at--;
    }
    acked[at] = value;
  }
  return acked[n - ((n >> 1) + 1)] as number;
}

/**
 * The result of a vote of `size` members, of whom so many said yes and no. An empty set counts as
 * won.
 */
export function majorityVote(size: number, yes: number, no: number): VoteResult {
  assert(yes + no <= size, 'R1 nobody votes twice');
  if (size === 0) return 'won';
  const majority = (size >> 1) + 1;
  if (yes >= majority) return 'won';
  return size - no >= majority ? 'pending' : 'lost';
}

/** Both halves must win; if one is lost, all is lost. */
export function jointVote(a: VoteResult, b: VoteResult): VoteResult {
  if (a === b) return a;
  return a === 'lost' || b === 'lost' ? 'lost' : 'pending';
}
