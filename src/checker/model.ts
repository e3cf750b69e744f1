/**
 * What a history is and what a sequential object is. A model's state is a small integer that the
 * model interns, so that the search compares and remembers states without knowing what they stand
 * for.
 */

/**
 * One operation: it took effect at one instant in [call, ret], or, with `ret` infinite, then or
 * never.
 */
export interface Interval<Op> {
  readonly op: Op;
  /** Any clock, the same for the whole history. */
  readonly call: number;
  /** Infinity: nobody knows whether it took effect. */
  readonly ret: number;
}

/**
 * Answer of {@link Model.step} for an operation that cannot take effect in this state with this
 * outcome.
 */
export const ILLEGAL = -1;

export interface Model<Op> {
  readonly initial: number;
  /**
   * The state after `op`, or {@link ILLEGAL}. `known` is false for an operation whose outcome
   * nobody saw: its recorded output means nothing, and the answer is the state if it takes effect.
   */
  step(state: number, op: Op, known: boolean): number;
}

export type Verdict =
  | { readonly kind: 'ok' }
  /**
   * `stuck` are positions in the history: operations that nothing could precede, at the longest
   * prefix found.
   */
  | { readonly kind: 'illegal'; readonly reason: string; readonly stuck: readonly number[] }
  /** A limit was reached first. Never to be counted as a pass. */
  | { readonly kind: 'unknown'; readonly reason: string };

/** Bounds of one search. */
export interface SearchLimits {
  /** Milliseconds of `now`. */
  readonly timeMs: number;
  /** Remembered (set, state) pairs. */
  readonly memo: number;
  readonly now: () => number;
}
