/** Chance from a seed, for tests. */

import type { Random } from '../env.js';

export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  // SplitMix32.
  const uint32 = (): number => {
    state = (state + 0x9e37_79b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0_aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a_2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  return { uint32, below: (bound) => uint32() % bound, float: () => uint32() / 0x1_0000_0000 };
}
