/**
 * Terms never fall along a log: an entry between two that are known has a term between theirs, and
 * where both are the same it is known, too.
 */

import { assert } from '../../base/assert.js';
import type { Term } from '../../base/ids.js';

/**
 * `lower`: of the nearest entry before that is known, 0 if there is none; `upper`: of the nearest
 * after. 0: not known.
 */
export function termBetween(lower: Term, upper: Term): Term {
  assert(upper === 0 || lower <= upper, `R3 terms never fall: ${upper} after ${lower}`);
  return Math.max(lower, 1) === upper ? upper : 0;
}
