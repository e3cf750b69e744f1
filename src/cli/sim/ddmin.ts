/**
 * Delta debugging (Zeller, Hildebrandt: Simplifying and isolating failure-inducing input, 2002):
 * the smallest part of a list that still fails, in the sense that no single item can be taken away
 * from it. Chunks are taken away, large ones first. Several candidates may be tried at once; the
 * first that fails is taken, so that the answer does not depend on how many.
 */

/**
 * The index of the first candidate that still fails, `none` if all pass, `spent` if no more may be
 * tried.
 */
export type FirstFailing<T> = (candidates: readonly (readonly T[])[]) => Promise<number | 'none' | 'spent'>;

export interface Minimized<T> {
  readonly kept: readonly T[];
  /**
   * False: it ended because no more candidates could be tried; `kept` fails, but a part of it may
   * fail as well.
   */
  readonly minimal: boolean;
}

function without<T>(items: readonly T[], chunks: number): (readonly T[])[] {
  const out: (readonly T[])[] = [];
  for (let i = 0; i < chunks; i++) {
    const from = Math.floor((i * items.length) / chunks);
    const to = Math.floor(((i + 1) * items.length) / chunks);
    out.push([...items.slice(0, from), ...items.slice(to)]);
  }
  return out;
}

/** `items` fails. */
export async function ddmin<T>(items: readonly T[], firstFailing: FirstFailing<T>): Promise<Minimized<T>> {
  let kept = items;
  if (kept.length === 0) return { kept, minimal: true };
  // Often none of it is needed at all.
  const empty = await firstFailing([[]]);
  if (empty === 'spent') return { kept, minimal: false };
  if (empty === 0) return { kept: [], minimal: true };
  let chunks = 2;
  while (kept.length > 1) {
    const candidates = without(kept, chunks);
    const found = await firstFailing(candidates);
    if (found === 'spent') return { kept, minimal: false };
    if (found === 'none') {
      if (chunks >= kept.length) break;
      chunks = Math.min(kept.length, chunks * 2);
    } else {
      kept = candidates[found] as readonly T[];
      chunks = Math.min(Math.max(2, chunks - 1), Math.max(2, kept.length));
    }
  }
  return { kept, minimal: true };
}
