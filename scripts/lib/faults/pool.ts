/**
 * Worker processes that run cases. Each case ends in a result: a worker that dies, or is not done
 * in time, is that case's failure and is replaced.
 */

import { fork, type ChildProcess } from 'node:child_process';
import type { CaseResult } from '../../../src/sim/campaigns/case-result.js';
import type { Done } from './worker.js';

export interface PoolOptions {
  /** What a worker runs: plain JavaScript. */
  readonly module: string;
  readonly campaign: string;
  readonly workers: number;
}

/** Of wall-clock time, for one case. */
const LIMIT_MS = 120_000;
const V8_FLAGS = ['--min-semi-space-size=32', '--max-semi-space-size=32', '--single-threaded-gc', '--always-sparkplug'];

/** Calls `done` for each of the cases, as they end. Rejects if no worker can begin. */
export async function runCases(cases: readonly number[], options: PoolOptions, done: (one: Done) => void): Promise<void> {
  const left = [...cases];
  const worker = async (): Promise<void> => {
    while (left.length > 0) await oneWorker(left, options, done);
  };
  await Promise.all(Array.from({ length: Math.min(options.workers, left.length) }, worker));
}

/** Until nothing is left, or the worker has to be replaced. */
function oneWorker(left: number[], { module, campaign }: PoolOptions, done: (one: Done) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const child: ChildProcess = fork(module, [campaign], { execArgv: [...V8_FLAGS, '--enable-source-maps'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    let began = false;
    let current: number | undefined;
    let timer: NodeJS.Timeout | undefined;
    const next = (): void => {
      current = left.shift();
      if (current === undefined) return void child.disconnect();
      timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
      child.send(current);
    };
    child.on('message', (message: Done | 'ready') => {
      began = true;
      clearTimeout(timer);
      if (message !== 'ready') done(message);
      next();
    });
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      if (!began) return reject(new Error(`a worker ended before it began: ${signal ?? code}`));
      if (current !== undefined) done({ number: current, result: died(`the process of the case ended: ${signal ?? code}`) });
      resolve();
    });
  });
}

function died(why: string): CaseResult {
  return { expected: 'recovered', outcome: 'wrong', why };
}
