/**
 * What an error tells about the request that got it. Whatever is not known to be a refusal leaves
 * the outcome open: taking an open outcome for a refusal would accuse the store of inventing
 * writes, the reverse would excuse it from losing some.
 */

import type { Op } from './history/operation.js';

/** Said before anything was proposed, or by the state machine as it refused the entry. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set([
  'TOO_MANY_REQUESTS', 'DATA_LOSS', 'UNHEALTHY', 'COMPACTED', 'FUTURE_REVISION', 'NO_LEADER', 'NOT_LEADER', 'NO_SPACE', 'CORRUPT',
  'REQUEST_TOO_LARGE', 'LEARNER',
]);

/** Answers to requests that are not well formed: the workload makes none. */
const UNDESERVED: ReadonlySet<string> = new Set([
  'EMPTY_KEY', 'KEY_NOT_FOUND', 'VALUE_PROVIDED', 'LEASE_PROVIDED', 'TOO_MANY_OPS', 'DUPLICATE_KEY', 'LEASE_NOT_FOUND', 'KEY_TOO_LONG',
]);

/** What may be answered to an operation that names a lease: it is refused then. */
const NO_LEASE = 'LEASE_NOT_FOUND';

export type ErrorMeaning = 'refused' | 'unknown' | 'undeserved';

/**
 * `undeserved`: a fault in itself; the outcome is unknown. A node that stops says STOPPED to what
 * may be committed already.
 */
export function meaningOf(code: string | undefined, op: Op): ErrorMeaning {
  if (code === NO_LEASE && (op.kind === 'revoke' || (op.kind === 'put' && op.lease !== 0))) return 'refused';
  if (code === undefined || UNDESERVED.has(code)) return 'undeserved';
  return WITHOUT_EFFECT.has(code) ? 'refused' : 'unknown';
}
