/**
 * The pump of the command: each step is one turn of the event loop, after which all promise
 * callbacks that are due have run. Measured on Node 20 with 2 million empty steps: 139 ns a step in
 * batches of 16, 73 in 64, 57 in 256, 51 in 1024 and 4096. Half a batch is lost whenever a run
 * ends, so 256: of the time of a run this is about one percent.
 */

import type { Pump } from '../../sim/world/world.js';

/** Steps that are queued at once: a round of the event loop costs more than a step. */
const BATCH = 256;

export interface StoppablePump {
  readonly pump: Pump;
  /** No step after this: what waits for the pump waits for ever. */
  stop(): void;
}

export function nodePump(batch = BATCH): StoppablePump {
  let stopped = false;
  const pump: Pump = (step) =>
    new Promise((resolve, reject) => {
      let over = false;
      const turn = (): void => {
        if (over || stopped) return;
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
        if (over || stopped) return;
        for (let i = 0; i < batch; i++) setImmediate(turn);
        setImmediate(round);
      };
      round();
    });
  return {
    pump,
    stop: () => {
      stopped = true;
    },
  };
}
