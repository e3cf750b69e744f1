/**
 * Worker processes that run seeds. A run always ends in a result: a worker that dies, or that is
 * not done in time, is that seed's failure and is replaced. Nothing is shared between workers, so
 * that results depend on their seeds alone.
 */

import { messageOf } from '../../base/errors.js';
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { SimOptions } from '../../sim/model/result.js';
import { BROKEN, brokenResult, isBroken, type SeedRun } from './run-seed.js';
import type { FromWorker } from './worker.js';

export interface PoolOptions {
  readonly workers: number;
  /** Of wall-clock time for one run; 0: none. */
  readonly limitMs: number;
  /** A module that exports `simulate`. */
  readonly module: string | undefined;
}

interface Waiting {
  readonly options: SimOptions;
  readonly resolve: (run: SeedRun) => void;
}

interface Worker {
  readonly child: ChildProcess;
  ready: boolean;
  current: { readonly waiting: Waiting; readonly began: number; readonly timer: NodeJS.Timeout | undefined } | undefined;
}

/** Beside this file, in the sources as in what is built from them. */
const ENTRY = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url));

/**
 * A run makes a gigabyte of garbage and keeps 30 MiB: V8's own sizes, which are for programs that
 * begin small, have it collected too early. There is a worker for each core, so that threads that
 * help to collect take from another worker more than they give. A run spreads over thousands of
 * functions, few of them hot: compiled plainly at their first call they cost less.
 */
const V8_FLAGS: readonly string[] = [
  '--min-semi-space-size=32', '--max-semi-space-size=32', '--initial-old-space-size=256', '--single-threaded-gc', '--always-sparkplug',
];
const V8_FLAG = /^--((min-semi-space|max-semi-space|initial-old-space)-size|single-threaded-gc|always-sparkplug)/;

/** Workers that die before they are ready: then it is not the seed. */
const MAX_FALSE_STARTS = 3;

export class Pool {
  readonly #options: PoolOptions;
  readonly #workers = new Set<Worker>();
  readonly #queue: Waiting[] = [];
  #falseStarts = 0;
  #why = '';
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  get workers(): number {
    return this.#options.workers;
  }

  /** Never rejects. */
  run(options: SimOptions): Promise<SeedRun> {
    return new Promise((resolve) => {
      this.#queue.push({ options, resolve });
      this.#dispatch();
    });
  }

  /** Ends the workers; what still runs is abandoned. */
  close(): void {
    this.#closed = true;
    this.#queue.length = 0;
    for (const worker of this.#workers) {
      clearTimeout(worker.current?.timer);
      worker.current = undefined;
      worker.child.kill('SIGKILL');
    }
  }

  #dispatch(): void {
    if (this.#closed) return;
    for (const worker of this.#workers) {
      if (!worker.ready || worker.current !== undefined) continue;
      const waiting = this.#queue.shift();
      if (waiting === undefined) return;
      this.#give(worker, waiting);
    }
    const coming = [...this.#workers].filter((worker) => !worker.ready).length;
    const missing = Math.min(this.#options.workers - this.#workers.size, this.#queue.length - coming);
    for (let i = 0; i < missing; i++) this.#start();
  }

  #start(): void {
    const child = fork(ENTRY, this.#options.module === undefined ? [] : [this.#options.module], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'], execArgv: [...process.execArgv.filter((arg) => !V8_FLAG.test(arg)), ...V8_FLAGS],
    });
    const worker: Worker = { child, ready: false, current: undefined };
    this.#workers.add(worker);
    child.on('message', (message: FromWorker) => {
      if (message.type === 'ready') {
        worker.ready = true;
        this.#falseStarts = 0;
        this.#dispatch();
      } else if (message.type === 'unable') this.#why = message.why;
      else this.#done(worker, message.run);
    });
    child.on('error', (error) => {
      // Without a process there will be no exit to tell of it.
      if (child.pid !== undefined) return;
      this.#why = messageOf(error);
      this.#gone(worker, null, null);
    });
    child.on('exit', (code, signal) => this.#gone(worker, code, signal));
  }

  #give(worker: Worker, waiting: Waiting): void {
    const { limitMs } = this.#options;
    const timer = limitMs === 0 ? undefined : setTimeout(() => this.#late(worker, waiting), limitMs);
    worker.current = { waiting, began: performance.now(), timer };
    // If it cannot be sent, the worker is dying, and its exit says so.
    worker.child.send(waiting.options, () => undefined);
  }

  #done(worker: Worker, run: SeedRun): void {
    const { current } = worker;
    if (current === undefined) return;
    clearTimeout(current.timer);
    worker.current = undefined;
    if (isBroken(run)) this.#dismiss(worker);
    current.waiting.resolve(run);
    this.#dispatch();
  }

  #late(worker: Worker, waiting: Waiting): void {
    worker.current = undefined;
    this.#dismiss(worker);
    const { limitMs } = this.#options;
    const result = brokenResult(waiting.options, BROKEN.limit, `no end after ${limitMs / 1000} s of wall-clock time`);
    waiting.resolve({ options: waiting.options, result, wallMs: limitMs, cpuMs: 0 });
    this.#dispatch();
  }

  #dismiss(worker: Worker): void {
    this.#workers.delete(worker);
    worker.child.kill('SIGKILL');
  }

  #gone(worker: Worker, code: number | null, signal: NodeJS.Signals | null): void {
    this.#workers.delete(worker);
    if (this.#closed) return;
    const { current } = worker;
    const how = signal === null ? `exit code ${code}` : signal;
    if (current !== undefined) {
      clearTimeout(current.timer);
      const { options } = current.waiting;
      const result = brokenResult(options, BROKEN.death, `ended with ${how} in the middle of the run`);
      current.waiting.resolve({ options, result, wallMs: performance.now() - current.began, cpuMs: 0 });
    } else if (!worker.ready && ++this.#falseStarts >= MAX_FALSE_STARTS) {
      this.#giveUp(`workers end before they begin: ${this.#why || how}`);
    }
    this.#dispatch();
  }

  #giveUp(why: string): void {
    for (const { options, resolve } of this.#queue.splice(0)) {
      resolve({ options, result: brokenResult(options, BROKEN.death, why), wallMs: 0, cpuMs: 0 });
    }
  }
}
