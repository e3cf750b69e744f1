/** What became of an entry of a client's: alike on every replica, but for the response. */

import type { EtcdError } from '../../api/etcd-error.js';
import type { CommandResponse, KvResponse } from './command.js';
import type { ResponseBudget } from './response-budget.js';

export type ApplyOutcome =
  /** `response` is undefined unless it was wanted. */
  | { readonly kind: 'done'; readonly response: CommandResponse | undefined }
  /** Carried out, but its response was too large to be gathered. */
  | { readonly kind: 'unanswered' }
  /** Refused alike on every replica; nothing was changed but that the id counts as applied. */
  | { readonly kind: 'refused'; readonly error: EtcdError }
  /** Was applied before, by an earlier entry; nothing was changed. */
  | { readonly kind: 'duplicate' }
  /** Too old to know whether it was applied before; nothing was changed. */
  | { readonly kind: 'evicted' };

export const DONE: ApplyOutcome = { kind: 'done', response: undefined };
const UNANSWERED: ApplyOutcome = { kind: 'unanswered' };
export const DUPLICATE: ApplyOutcome = { kind: 'duplicate' };
export const EVICTED: ApplyOutcome = { kind: 'evicted' };

export function outcomeOf(response: KvResponse | undefined, budget: ResponseBudget): ApplyOutcome {
  if (budget.exceeded) return UNANSWERED;
  return response === undefined ? DONE : { kind: 'done', response };
}
