/**
 * Several things opened one after the other: whoever gets them all closes them, and on every other
 * way out they are closed here, last first.
 */

import { must } from './assert.js';

export interface Closeable {
  close(): void | Promise<void>;
}

/** Notes what has been opened, and hands it on. */
export type Keep = <T extends Closeable>(opened: T) => T;

/**
 * Runs `open`, which says with `keep` what it has opened so far. Resolves and rejects as `open`
 * does; before it rejects, all that was kept is closed. What a close has to say against it is
 * dropped: the first error is the cause.
 */
export async function acquiring<T>(open: (keep: Keep) => Promise<T>): Promise<T> {
  const kept: Closeable[] = [];
  try {
    return await open((opened) => {
      kept.push(opened);
      return opened;
    });
  } catch (error) {
    while (kept.length > 0) await closeQuietly(must(kept.pop(), 'something is kept'));
    throw error;
  }
}

async function closeQuietly(opened: Closeable): Promise<void> {
  try {
    await opened.close();
  } catch {
    // See above.
  }
}
