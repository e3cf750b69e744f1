/**
 * What the command borrows from its process and from the simulator; tests put their own in its
 * place. The simulator is loaded by whoever runs a seed: a parent of workers needs none.
 */

import { availableParallelism } from 'node:os';
import type { SimOptions, SimResult } from '../../sim/model/result.js';
import type { SimShell } from '../../sim/run.js';
import type { Impossible } from './coverage-report.js';

export type Simulate = (options: SimOptions, shell: SimShell) => Promise<SimResult>;

export interface SimHost {
  /** Runs a seed in this process. */
  readonly simulate: Simulate;
  /** A module that exports `simulate`, for worker processes; undefined: the simulator. */
  readonly module: string | undefined;
  readonly cores: number;
  /** Standard error is a terminal: a line of progress overwrites itself. */
  readonly tty: boolean;
  readonly impossible: () => Promise<readonly Impossible[]>;
}

export function processHost(): SimHost {
  return {
    simulate: async (options, shell) => (await import('../../sim/run.js')).simulate(options, shell),
    module: undefined,
    cores: availableParallelism(),
    tty: process.stderr.isTTY === true,
    impossible: async () => (await import('../../sim/faults/impossible.js')).IMPOSSIBLE,
  };
}
