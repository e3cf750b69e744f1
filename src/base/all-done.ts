/** Waits for all of them, whatever becomes of each; rejects with the first error in their order. */
export async function allDone(...work: readonly Promise<void>[]): Promise<void> {
  for (const one of await Promise.allSettled(work)) if (one.status === 'rejected') throw one.reason;
}
