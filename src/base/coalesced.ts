/**
 * Work that is asked for more often than it needs to run: it runs once at a time, however often it
 * is asked for, and once more after that if it was asked for while it ran, because that run may
 * have begun too early to see why. Whoever asks never waits; whoever must be sure that nothing runs
 * asks for `idle` or `pause`.
 */

import { Deferred } from './deferred.js';

export class Coalesced {
  readonly #work: () => Promise<void>;
  readonly #failed: (error: unknown) => void;
  #running = false;
  /** Asked for since the present run began. */
  #again = false;
  #paused = false;
  /** Resolved when the present runs end. */
  #over: Deferred | undefined;

  /**
   * `work` is never run twice at the same time. `failed` gets what it rejects with, before it may
   * run again, and may pause; without it such an error is a bug, and stops the process as an
   * unhandled rejection.
   */
  constructor(work: () => Promise<void>, failed: (error: unknown) => void = rethrow) {
    this.#work = work;
    this.#failed = failed;
  }

  /** Work is under way. */
  get running(): boolean {
    return this.#running;
  }

  /** Long work looks at this between its steps, and ends early. */
  get paused(): boolean {
    return this.#paused;
  }

  /**
   * There is something to do. Nothing runs: the work begins before this returns. Paused: it begins
   * with `resume`.
   */
  kick(): void {
    this.#again = true;
    if (!this.#running && !this.#paused) this.#run();
  }

  /** Resolves when nothing runs; nothing will until `resume`. At once if nothing runs. */
  pause(): Promise<void> {
    this.#paused = true;
    return this.idle();
  }

  /** Ends a pause, and runs the work once: nobody knows what was missed. */
  resume(): void {
    this.#paused = false;
    this.kick();
  }

  /**
   * Resolves when nothing runs, which is when nothing more was asked for, or it is paused. At once
   * if nothing runs.
   */
  async idle(): Promise<void> {
    while (this.#running) await (this.#over ??= new Deferred()).promise;
  }

  #run(): void {
    this.#running = true;
    this.#again = false;
    this.#work().then(
      () => this.#ended(),
      (error: unknown) => {
        try {
          this.#failed(error);
        } finally {
          this.#ended();
        }
      },
    );
  }

  #ended(): void {
    if (this.#again && !this.#paused) return this.#run();
    this.#running = false;
    const over = this.#over;
    this.#over = undefined;
    over?.resolve();
  }
}

function rethrow(error: unknown): never {
  throw error;
}
