/** The pump of tests: one step in each turn of the event loop. */

import { setImmediate } from 'node:timers/promises';
import type { Pump } from '../world/world.js';

export const testPump: Pump = async (step) => {
  while (step()) await setImmediate();
};
