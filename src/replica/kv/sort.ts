/** A stable sort that yields: sorting a million keys at once would cost an election. */

import { assert } from '../../base/assert.js';
import { SLICE_KEYS, type Pace } from './pace.js';

type Compare<T> = (a: T, b: T) => number;

/** May sort in place; use what it returns. */
export function* sortSliced<T>(items: T[], compare: Compare<T>, pace: Pace): Generator<void, T[]> {
  if (items.length <= SLICE_KEYS) return items.sort(compare);
  let runs: T[] = [];
  for (let at = 0; at < items.length; at += SLICE_KEYS) {
    for (const item of items.slice(at, at + SLICE_KEYS).sort(compare)) runs.push(item);
    yield;
  }
  for (let width = SLICE_KEYS; width < items.length; width *= 2) {
    const merged: T[] = [];
    for (let at = 0; at < runs.length; at += 2 * width) yield* mergeTwo(runs, at, width, merged, compare, pace);
    assert(merged.length === items.length, `a sort loses nothing: ${merged.length} of ${items.length}`);
    runs = merged;
  }
  return runs;
}

/** Appends the merge of [at, at + width) and [at + width, at + 2 width) to `out`. */
function* mergeTwo<T>(
  runs: readonly T[],
  at: number,
  width: number,
  out: T[],
  compare: Compare<T>,
  pace: Pace,
): Generator<void, void> {
  const middle = Math.min(at + width, runs.length);
  const end = Math.min(at + 2 * width, runs.length);
  let left = at;
  let right = middle;
  while (left < middle || right < end) {
    const takeLeft = right >= end || (left < middle && compare(runs[left] as T, runs[right] as T) <= 0);
    out.push(runs[takeLeft ? left++ : right++] as T);
    if (pace.step()) yield;
  }
}
