/** When a cluster answered, and so for how long it did not. */

export class Answers {
  /** Milliseconds of the clock, ascending. */
  readonly #at: number[] = [];

  /** In the order of time. */
  add(at: number): void {
    this.#at.push(at);
  }

  /**
   * The longest time without an answer of those that overlap with these, whole, ms; before the
   * first answer and after the last nothing is known, and only the time that was asked for counts.
   */
  longestGap(from: number, to: number): number {
    const after = this.#at.findIndex((at) => at > from);
    if (after < 0) return to - from;
    let longest = 0;
    let before = this.#at[after - 1] ?? from;
    for (let i = after; before < to; i++) {
      const at = this.#at[i] ?? to;
      longest = Math.max(longest, at - before);
      before = at;
    }
    return longest;
  }
}
