/**
 * When operations are due: bursts that fill memtables, quiet stretches in which time passes, pauses
 * in which the cluster comes to rest. Times do not depend on how the store answers; what is late is
 * made up for.
 */

import type { Stream } from '../world/random.js';

const SECOND_US = 1_000_000;
const LEAST_OPERATIONS = 2_040;
const MOST_OPERATIONS = 2_240;
/** The first leader needs a moment. */
const FIRST_US = SECOND_US;

interface Stretch {
  readonly fromUs: number;
  readonly lengthUs: number;
  readonly weight: number;
}

function stretches(random: Stream, untilUs: number): Stretch[] {
  const out: Stretch[] = [];
  for (let at = FIRST_US; at < untilUs; ) {
    const dice = random.below(10);
    const burst = dice < 4 || out.length === 0;
    const seconds = burst ? random.between(1, 4) : random.between(3, 15);
    const weight = burst ? random.between(20, 100) : dice < 8 ? random.between(5, 40) : 0;
    const lengthUs = Math.min(seconds * SECOND_US, untilUs - at);
    out.push({ fromUs: at, lengthUs, weight });
    at += lengthUs;
  }
  return out;
}

/**
 * Microseconds at which the operations of a run are due, in order: all of them before `untilUs`.
 */
export function dueTimes(random: Stream, untilUs: number): Float64Array {
  const total = random.between(LEAST_OPERATIONS, MOST_OPERATIONS);
  const list = stretches(random, Math.max(untilUs, FIRST_US + SECOND_US));
  const sum = list.reduce((all, { weight }) => all + weight, 0);
  const due = new Float64Array(total);
  let before = 0;
  let next = 0;
  for (const { fromUs, lengthUs, weight } of list) {
    for (; next < total && next * sum < (before + weight) * total; next++) {
      due[next] = Math.floor(fromUs + (lengthUs * ((next * sum) / total - before)) / weight);
    }
    before += weight;
  }
  return due;
}
