/**
 * The first step of a re-admission: an operator, or a start with `autoRecover`, decides that this
 * directory is to be re-admitted under a new id. All that is written is the intent; the rest is the
 * next start's (`start/ask-admission.ts`).
 */

import { assert } from '../../base/assert.js';
import type { Disk } from '../../base/disk.js';
import type { Random } from '../../base/env.js';
import { formatId, type NodeId } from '../../base/ids.js';
import { isNew, lacksJoined, shownBy, whatIsWrong, type Claimed, type Evidence } from './evidence.js';
import { RecoverError, writeIntent, type RecoverIntent } from './intent.js';

export interface RecoverRequest {
  readonly evidence: Evidence;
  /** As the flags say; undefined: they do not. */
  readonly claimed: Claimed | undefined;
  /** The operator says that the directory was emptied: nothing of the member is here. */
  readonly emptied: boolean;
}

/**
 * What is to be done: the intent that goes on if there is one, or a new one. Throws RecoverError.
 * Nothing is written.
 */
export function planRecovery(request: RecoverRequest, random: Random): RecoverIntent {
  const { evidence, emptied } = request;
  const claimed = request.claimed ?? evidence.refused;
  const { intent } = evidence;
  const why = whatIsWrong(evidence, request.claimed) ?? (isNew(evidence) && emptied ? 'EMPTIED: the operator says so' : undefined);
  const lacks = lacksJoined(evidence, request.claimed);
  if (intent !== undefined && intent !== 'unreadable') {
    // It was let in, and does not know any more into what: it asks again, and is told the same.
    if (intent.stage === 'admitted' && (lacks || evidence.joined === 'unreadable')) return { ...intent, stage: 'asks', replaces: 0, past: 0 };
    if (intent.stage !== 'begun' || why === undefined) return intent;
  }
  const shown = shownBy(evidence);
  const other = claimed !== undefined && ![0n, claimed.clusterId].includes(shown.clusterId) && claimed.clusterId !== 0n;
  // Who joined is in a cluster that its flags do not tell.
  if (other && evidence.joined === undefined && !lacks) {
    throw new RecoverError('OTHER_CLUSTER',
      `the data directory is of cluster ${shown.clusterId.toString(16)}, and the flags speak of ${claimed.clusterId.toString(16)}: check --initial-cluster and --initial-cluster-token. ` +
        'If they are right, the file joined is lost: start it once, and run this again without them');
  }
  if (isNew(evidence) && !emptied) {
    throw new RecoverError('NOT_CONFIRMED',
      'nothing of a member is in this data directory. If its disk is not mounted, or the path is wrong, mend that. If its files are really lost, say so with --emptied');
  }
  if (why === undefined) {
    throw new RecoverError('HEALTHY',
      'nothing is wrong with this data directory, as far as it can be seen here: start it. Should that end with EMPTIED, ROLLED_BACK or JOINED_MISSING, run this again');
  }
  if (shown.ids.length === 0 && claimed === undefined) {
    throw new RecoverError('UNKNOWN_MEMBER',
      'the data directory does not show who this member was: give the flags that it was started with (--name, --initial-cluster and the like)');
  }
  return {
    stage: 'asks', clusterId: shown.clusterId === 0n ? (claimed?.clusterId ?? 0n) : shown.clusterId,
    shown: shown.ids, byName: shown.ids.length === 0 || isNew(evidence), id: drawId(random), why, replaces: 0, past: 0,
  };
}

/** Durable when it resolves. */
export async function beginRecovery(disk: Disk, intent: RecoverIntent): Promise<void> {
  assert(intent.stage === 'asks' && !intent.shown.includes(intent.id), `R5 member ${formatId(intent.id)} is a new one`);
  await writeIntent(disk, intent);
}

/** 1 to 2^53 - 1. */
function drawId(random: Random): NodeId {
  return random.below(2 ** 21) * 2 ** 32 + random.uint32() || 1;
}
