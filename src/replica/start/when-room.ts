/**
 * C1 A start on a full disk begins anew until there is room, as long as no peer can reach it. From
 * then on each step waits for itself (`state/until-room.ts`): what peers have given is kept, and
 * what they were told stays true.
 */

import type { Env } from '../../base/env.js';
import { untilRoom } from '../state/until-room.js';
import type { Life } from '../state/life.js';

/** `attempt` opens all that a member has, and closes all of it before it rejects. */
export function whenRoom<T>(env: Env, life: Life, attempt: () => Promise<T>): Promise<T> {
  return untilRoom(env, attempt, () => life.state.s === 'opening');
}
