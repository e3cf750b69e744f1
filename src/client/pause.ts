/** Waiting that ends early with a signal, and leaves neither timer nor listener behind. */

/** Before the first repetition of what met a conflict, in ms; doubles each time, up to the most. */
const CONFLICT_MS = 2;
const MOST_CONFLICT_MS = 250;

export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (ms === 0 || signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** After so many conflicts: at random, so that those that met do not meet again. */
export function pauseAfterConflict(conflicts: number, signal: AbortSignal | undefined): Promise<void> {
  return pause(Math.min(MOST_CONFLICT_MS, CONFLICT_MS * 2 ** conflicts) * Math.random(), signal);
}
