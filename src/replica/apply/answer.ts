/** What becomes of a proposal of this member once its entry was applied here. */

import { assert } from '../../base/assert.js';
import { EtcdError } from '../../api/etcd-error.js';
import type { Proposals } from '../consensus/proposals.js';
import type { ProposalId } from '../kv/applied-ids.js';
import type { ApplyOutcome } from '../kv/apply-outcome.js';
import { tooLarge } from '../kv/response-budget.js';

export function answer(proposals: Proposals, id: ProposalId, outcome: ApplyOutcome): void {
  if (!proposals.waitsFor(id)) return; // it timed out while the entry was applied
  switch (outcome.kind) {
    case 'done':
      assert(outcome.response, 'a response is made when it is wanted');
      proposals.applied(id, outcome.response);
      return;
    case 'refused':
      proposals.refused(id, outcome.error);
      return;
    case 'unanswered':
      proposals.refused(id, tooLarge(true));
      return;
    case 'duplicate':
    case 'evicted':
      // The first application of a proposal answers it, so somebody who still waits can only be
      // told "unknown".
      proposals.refused(id, new EtcdError('TIMEOUT'));
      return;
  }
}
