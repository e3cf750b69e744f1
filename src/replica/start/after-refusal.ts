/**
 * What is left to do when a start, or a running member, ends because this directory does not hold
 * what the member has promised, or who it is (R5). What only the others, or the flags, could tell
 * is written down, so that `kintsugi recover` finds it. With `autoRecover` the member goes the way
 * back by itself: the intent to be re-admitted is made durable, and whoever runs the member opens
 * it again. C1 on a full disk that waits for room: what is wrong with the member would be wrong at
 * its next start.
 */

import type { Env } from '../../base/env.js';
import { codeOf, messageOf } from '../../base/errors.js';
import { ReplicaError } from '../base/errors.js';
import { HardStateError } from '../hard-state/errors.js';
import { beginRecovery, planRecovery } from '../readmission/begin.js';
import { findEvidence, markRefused } from '../readmission/evidence.js';
import { RecoverError } from '../readmission/intent.js';
import { JoinError } from '../state/joined.js';
import { untilRoom } from '../state/until-room.js';
import type { ReplicaOptions } from './options.js';

export const RECOVERS_BY_ITSELF = 'this member cannot know what it has promised: it asks to be re-admitted as a new one';

/** What a re-admission is the cure for. */
export function isCuredByReadmission(error: unknown): boolean {
  if (error instanceof HardStateError) return error.code === 'MISSING' || error.code === 'UNREADABLE';
  if (error instanceof JoinError) return error.code === 'JOINED_UNREADABLE' || error.code === 'JOINED_MISSING';
  if (error instanceof RecoverError) return error.code === 'INTENT_UNREADABLE';
  return error instanceof ReplicaError && (error.code === 'EMPTIED' || error.code === 'ROLLED_BACK' || error.code === 'LOG_MISSING');
}

/**
 * It may be the cure, which only an operator can know: the flags may be those of another member.
 */
function isCuredByOperator(error: unknown): boolean {
  if (error instanceof ReplicaError) return error.code === 'WRONG_IDENTITY' && error.data['mayLackJoined'] === true;
  return error instanceof JoinError && error.code === 'JOINED_MISSING' && error.data['isSure'] !== true;
}

interface Refused extends Pick<ReplicaOptions, 'self' | 'clusterId' | 'autoRecover'> {
  readonly env: Pick<Env, 'disk' | 'clock' | 'random' | 'events'>;
}

/**
 * What the member ends with: the error, or READMISSION. Rejects only with what is no error of the
 * disk's.
 */
export async function afterRefusal(options: Refused, error: unknown): Promise<unknown> {
  if (!isCuredByReadmission(error) && !isCuredByOperator(error)) return error;
  const { env, self, clusterId } = options;
  const autoRecover = options.autoRecover === true && !isCuredByOperator(error);
  const written = async (): Promise<unknown> => {
    await markRefused(env.disk, { self, clusterId }, error);
    if (!autoRecover) return error;
    const intent = planRecovery({ evidence: await findEvidence(env.disk), claimed: { self, clusterId }, emptied: true }, env.random);
    if (intent.stage === 'asks') await beginRecovery(env.disk, intent);
    env.events.emit({ type: 'warning', message: RECOVERS_BY_ITSELF, data: { why: intent.why, newMemberId: intent.id } });
    return new ReplicaError('READMISSION', `it is to be re-admitted as a new member, and has to be opened again: ${messageOf(error)}`, {}, error);
  };
  try {
    return await untilRoom(env, written, () => autoRecover);
  } catch (failure) {
    if (codeOf(failure) === undefined) throw failure;
    env.events.emit({ type: 'warning', message: 'what this start ended with could not be written down', data: { why: messageOf(failure) } });
    return error;
  }
}
