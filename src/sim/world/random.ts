/**
 * Chance from a seed. Each concern draws from a stream of its own, named by a text: what one fault
 * draws never shifts what another one or the workload draws, so that a failing run keeps failing
 * while faults are taken away from it. Integers only: the same numbers on every machine and
 * version.
 */

import type { Random } from '../../base/env.js';

/** FNV-1a over UTF-16 units, then mixed with the seed. */
function seedOf(seed: number, name: string): number {
  let hash = 0x811c9dc5 ^ (seed >>> 0);
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return (hash ^ Math.imul(Math.floor(seed / 0x1_0000_0000), 0x9e3779b9)) >>> 0;
}

/**
 * SplitMix32 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014), in its
 * 32-bit form.
 */
export class Stream implements Random {
  #state: number;

  constructor(seed: number, name: string) {
    this.#state = seedOf(seed, name);
  }

  uint32(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }

  below(bound: number): number {
    return this.uint32() % bound;
  }

  float(): number {
    return this.uint32() / 0x1_0000_0000;
  }

  /** A whole number in [from, to]. */
  between(from: number, to: number): number {
    return from + this.below(to - from + 1);
  }

  /** True `n` times in `of`. */
  chance(n: number, of: number): boolean {
    return this.below(of) < n;
  }

  /** One of `items`, which is not empty. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  /** The same items in another order (Fisher-Yates). */
  shuffled<T>(items: readonly T[]): T[] {
    const all = [...items];
    for (let i = all.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [all[i], all[j]] = [all[j] as T, all[i] as T];
    }
    return all;
  }

  /**
   * A whole number around `mean` with a long tail (a geometric law in 16 steps, by halving: no
   * logarithm, whose last digit is not the same everywhere): 0 to about 11 times the mean.
   */
  tail(mean: number): number {
    const bits = this.uint32();
    let doublings = 0;
    while (doublings < 16 && ((bits >>> doublings) & 1) === 1) doublings++;
    return Math.floor((mean * (doublings * 16 + ((bits >>> 16) & 15))) / 23);
  }
}
