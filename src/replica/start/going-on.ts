/**
 * C1 A mark in the log that a start writes, and that goes into a fresh segment by itself if the one
 * where the log ends could not be written to: so it is written again. A disk that fails time and
 * again ends the start.
 */

import { sleep, type Env } from '../../base/env.js';
import { hasFailed } from '../consensus/log-fence.js';

const MAX_TIMES = 8;
const PAUSE_MS = 500;

/** Rejects as `mark` does. */
export async function goingOn({ clock }: Pick<Env, 'clock'>, mark: () => Promise<void>): Promise<void> {
  for (let times = 1; ; times++) {
    try {
      return await mark();
    } catch (error) {
      if (!hasFailed(error) || times >= MAX_TIMES) throw error;
      await sleep(clock, PAUSE_MS);
    }
  }
}
