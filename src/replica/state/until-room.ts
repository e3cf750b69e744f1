/**
 * C1 A step on the way to taking part that a full disk refuses ends no process: it would be full at
 * the next start, too. What a start writes is small and mostly in place, so nearly always nothing
 * is refused; if something is, the reserve is given up for it, and then it waits until there is
 * room. The reserve is made again once the member serves (`room.ts`).
 */

import { messageOf } from '../../base/errors.js';
import { sleep, type Env } from '../../base/env.js';
import { giveUpReserve } from './reserve.js';
import { isNoSpace } from './room.js';

export const START_LACKS_ROOM = 'there is no room on the disk: the start waits';

const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 2_000;

/**
 * Rejects as `step` does, unless the disk is full: then it is taken again, and whatever it has left
 * behind must not be in its way. `refused` is told of each refusal; if it says false, the step is
 * not taken again. `pause` takes the place of a sleep; if it rejects, so does this.
 */
export async function untilRoom<T>(
  env: Pick<Env, 'disk' | 'clock' | 'events'>, step: () => Promise<T>, refused: (error: unknown) => boolean = () => true,
  pause: (ms: number) => Promise<void> = (ms) => sleep(env.clock, ms),
): Promise<T> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
    try {
      return await step();
    } catch (error) {
      if (!isNoSpace(error) || !refused(error)) throw error;
      env.events.emit({ type: 'warning', message: START_LACKS_ROOM, data: { why: messageOf(error) } });
      if (!(await giveUpReserve(env.disk))) await pause(pauseMs);
    }
  }
}
