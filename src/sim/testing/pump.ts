/**
 * The pump of tests. Many steps in one round of the event loop, each with a turn of its own: a
 * round costs system calls, and on a busy machine a turn of others, too.
 */

import { setImmediate } from 'node:timers/promises';
import type { Pump } from '../world/world.js';

const BATCH = 64;

export const testPump: Pump = async (step) => {
  let going = true;
  const turn = async (): Promise<void> => {
    await setImmediate();
    if (!going) return;
    going = false;
    going = step();
  };
  while (going) await Promise.all(Array.from({ length: BATCH }, turn));
};
