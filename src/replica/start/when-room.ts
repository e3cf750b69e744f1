/**
 * C1 A start on a full disk ends no process: it would be full at the next start, too. What a start
 * writes is small and mostly in place, so nearly always nothing is refused; if something is, the
 * reserve is given up for it, and then the start waits until there is room.
 */

import { messageOf } from '../../base/errors.js';
import { sleep, type Env } from '../../base/env.js';
import { giveUpReserve } from '../state/reserve.js';
import { isNoSpace } from '../state/room.js';
import type { Life } from '../state/life.js';

const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 2_000;

/** `attempt` opens all that a member has, and closes all of it before it rejects. */
export async function whenRoom<T>(env: Env, life: Life, attempt: () => Promise<T>): Promise<T> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
    try {
      return await attempt();
    } catch (error) {
      // Once its peers can reach it, a start is not begun anew.
      if (!isNoSpace(error) || life.state.s !== 'opening') throw error;
      env.events.emit({ type: 'warning', message: 'there is no room on the disk: the start waits', data: { why: messageOf(error) } });
      if (!(await giveUpReserve(env.disk))) await sleep(env.clock, pauseMs);
    }
  }
}
