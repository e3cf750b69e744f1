/**
 * Long work in slices: a generator yields where it may be interrupted, and whoever drives it lets
 * others in there.
 */

import type { Workers } from './env.js';

/** Bytes that are copied, hashed or summed in one slice: about a millisecond on a busy machine. */
export const SLICE_BYTES = 256 * 1024;

/**
 * Runs `work` to its end. Between two slices it asks `workers` whether to wait, and waits only
 * then, so that heartbeats are served however long the work is. Gives what the work returns: at
 * once if it never had to wait (most work is short), as a promise otherwise. What the work throws
 * is thrown, or rejects.
 */
export function drive<T>(work: Generator<void, T>, workers: Pick<Workers, 'breathe'>): T | Promise<T> {
  const step = advance(work, workers);
  return step.done ? step.value : finish(work, workers, step.pause);
}

type Advance<T> = { readonly done: true; readonly value: T } | { readonly done: false; readonly pause: Promise<void> };

/** To the end, or to the next pause. */
function advance<T>(work: Generator<void, T>, workers: Pick<Workers, 'breathe'>): Advance<T> {
  for (;;) {
    const step = work.next();
    if (step.done === true) return { done: true, value: step.value };
    const pause = workers.breathe();
    if (pause !== undefined) return { done: false, pause };
  }
}

async function finish<T>(work: Generator<void, T>, workers: Pick<Workers, 'breathe'>, first: Promise<void>): Promise<T> {
  await first;
  for (;;) {
    const step = advance(work, workers);
    if (step.done) return step.value;
    await step.pause;
  }
}

/**
 * To its end in one turn: for what is known to be short, and where nobody waits for anything else.
 */
export function atOnce<T>(work: Generator<void, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

/** `into.set(bytes, at)`, in slices. */
export function* copyInSlices(into: Uint8Array, at: number, bytes: Uint8Array): Generator<void, void> {
  for (let done = 0; done < bytes.length; done += SLICE_BYTES) {
    into.set(bytes.subarray(done, done + SLICE_BYTES), at + done);
    if (done + SLICE_BYTES < bytes.length) yield;
  }
}
