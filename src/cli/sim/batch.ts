/** Many seeds over the pool, each once or twice, with a line of progress. */

import type { SimOptions } from '../../sim/model/result.js';
import { formatSeconds } from '../render/table.js';
import type { Pool } from './pool.js';
import { replayFlags } from './replay.js';
import { BROKEN, type SeedRun } from './run-seed.js';
import { violationLine } from './summary.js';

export interface BatchOptions {
  /** Each seed runs again, maybe in another process: the traces must be equal. */
  readonly twice: boolean;
  /** No more seeds are begun after the first failure. */
  readonly failFast: boolean;
  readonly onRun: (run: SeedRun) => void;
}

export class Progress {
  readonly #total: number;
  readonly #tty: boolean;
  readonly #write: (text: string) => void;
  readonly #began = performance.now();
  #done = 0;
  #failed = 0;
  #shownMs = 0;

  constructor(total: number, tty: boolean, write: (text: string) => void) {
    this.#total = total;
    this.#tty = tty;
    this.#write = write;
  }

  add(run: SeedRun): void {
    this.#done++;
    const first = run.result.violations[0];
    if (!run.result.passed) {
      this.#failed++;
      this.say(`FAIL ${replayFlags(run.options)}: ${first === undefined ? '' : violationLine(first).slice(0, 400)}`);
    }
    const now = performance.now();
    if (now - this.#shownMs < (this.#tty ? 200 : 10_000) && this.#done < this.#total) return;
    this.#shownMs = now;
    this.#show(now - this.#began);
  }

  say(text: string): void {
    this.#write(`${this.#tty ? '\r\u001b[2K' : ''}${text}\n`);
  }

  end(): void {
    if (this.#tty) this.#write('\r\u001b[2K');
  }

  #show(elapsedMs: number): void {
    const leftMs = (elapsedMs / this.#done) * (this.#total - this.#done);
    const left = leftMs === 0 ? '' : `, about ${formatSeconds(leftMs)} to go`;
    const text = `${this.#done} of ${this.#total} seeds, ${this.#failed} failed, ${formatSeconds(elapsedMs)}${left}`;
    this.#write(this.#tty ? `\r\u001b[2K${text}` : `${text}\n`);
  }
}

/** A run whose repetition is another run is not a run: nothing that it says can be replayed. */
export function compared(first: SeedRun, second: SeedRun): SeedRun {
  if (first.result.digest === second.result.digest && first.result.passed === second.result.passed) return first;
  if (!first.result.passed && first.result.digest === '') return first;
  const message = `${first.result.digest || 'no trace'} (${first.result.events} events), then ${second.result.digest || 'no trace'} (${second.result.events} events)`;
  const violation = { kind: 'crash', check: BROKEN.twice, message, atUs: 0, node: 0 } as const;
  return { ...first, result: { ...first.result, passed: false, violations: [violation, ...first.result.violations] } };
}

/** Runs all; each result is handed over as it comes. */
export async function runBatch(pool: Pool, jobs: Iterable<SimOptions>, options: BatchOptions): Promise<void> {
  const queue = jobs[Symbol.iterator]();
  let stopped = false;
  const lane = async (): Promise<void> => {
    for (;;) {
      const next = stopped ? undefined : queue.next();
      if (next === undefined || next.done === true) return;
      const first = await pool.run(next.value);
      const run = options.twice ? compared(first, await pool.run(next.value)) : first;
      if (options.failFast && !run.result.passed) stopped = true;
      options.onRun(run);
    }
  };
  await Promise.all(Array.from({ length: pool.workers }, lane));
}
