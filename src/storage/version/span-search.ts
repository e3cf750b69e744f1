/**
 * Which tables share keys with others, found by halving: a version has tens of thousands of tables,
 * and each change of it is judged and followed by a plan.
 */

import { comparePrefixes } from '../base/key.js';
import type { KeySpan } from '../table/key-span.js';

export interface Stretch {
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

/** The tables of a sorted level that share keys with `span`. */
export function stretchOf(level: readonly KeySpan[], span: KeySpan): Stretch {
  let from = 0;
  let high = level.length;
  while (from < high) {
    const middle = (from + high) >>> 1;
    if (comparePrefixes((level[middle] as KeySpan).largest, span.smallest) < 0) from = middle + 1;
    else high = middle;
  }
  let to = from;
  high = level.length;
  while (to < high) {
    const middle = (to + high) >>> 1;
    if (comparePrefixes((level[middle] as KeySpan).smallest, span.largest) <= 0) to = middle + 1;
    else high = middle;
  }
  return { from, to };
}

/** Does any table of a sorted level share keys with `span`? */
export function meetsLevel(level: readonly KeySpan[], span: KeySpan): boolean {
  const { from, to } = stretchOf(level, span);
  return from < to;
}

/** What spans cover together: sorted spans that share no key. */
export class SpanUnion {
  readonly #spans: KeySpan[] = [];

  constructor(spans: Iterable<KeySpan> = []) {
    for (const span of spans) this.add(span);
  }

  get spans(): readonly KeySpan[] {
    return this.#spans;
  }

  add(span: KeySpan): void {
    const { from, to } = stretchOf(this.#spans, span);
    let { smallest, largest } = span;
    if (from < to) {
      const first = this.#spans[from] as KeySpan;
      const last = this.#spans[to - 1] as KeySpan;
      if (comparePrefixes(first.smallest, smallest) < 0) ({ smallest } = first);
      if (comparePrefixes(last.largest, largest) > 0) ({ largest } = last);
    }
    this.#spans.splice(from, to - from, { smallest, largest });
  }

  meets(span: KeySpan): boolean {
    return meetsLevel(this.#spans, span);
  }
}
