/** Long work in slices: a generator yields where it may be interrupted, and whoever drives it lets others in there. */

import type { Workers } from './env.js';

/**
 * Runs `work` to its end and resolves with what it returns; what it throws rejects. Between two slices it asks
 * `workers` whether to wait, and waits only then, so that heartbeats are served however long the work is.
 */
export async function drive<T>(work: Generator<void, T>, workers: Pick<Workers, 'breathe'>): Promise<T> {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    const pause = workers.breathe();
    if (pause !== undefined) await pause;
  }
}
