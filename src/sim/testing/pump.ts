/** The pump of tests: each step is a turn of the real event loop, after which all promise callbacks that are due have run. */

import type { Pump } from '../world/world.js';

/** Steps that are queued at once: a round of the event loop costs more than a step. */
const BATCH = 64;

export const testPump: Pump = (step) =>
  new Promise((resolve, reject) => {
    let over = false;
    const turn = (): void => {
      if (over) return;
      try {
        if (step()) return;
        over = true;
        resolve();
      } catch (error) {
        over = true;
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    };
    const round = (): void => {
      if (over) return;
      for (let i = 0; i < BATCH; i++) setImmediate(turn);
      setImmediate(round);
    };
    round();
  });
